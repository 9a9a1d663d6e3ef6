import DebugInfo
import Testing

/// Whatever the bytes are: no crash, and nothing is known that is not there.
@Suite struct HostileImageTests {
  private func ask(_ symbols: ImageSymbols) {
    for address: UInt64 in [0, 0x10, 0x20_1000, 0x40_1000, .max] {
      _ = symbols.symbol(containing: address)
      _ = symbols.location(of: address)
      _ = symbols.unwind(pc: address, sp: 0x1000, bp: 0x1000) { $0 < 0x4000 ? $0 &* 7 : nil }
    }
    _ = symbols.symbol(named: "_start")
    for name in symbols.symbolNames.prefix(4) {
      if let symbol = symbols.symbol(named: name) { _ = symbols.location(of: symbol.address) }
    }
  }

  @Test func bytes_that_are_no_elf_file_name_nothing() {
    for bytes: [UInt8] in [
      [], [0x7F], Array("#!/bin/sh\n".utf8), [UInt8](repeating: 0, count: 4096),
    ] {
      let symbols = ImageSymbols(bytes: bytes)
      #expect(symbols.architecture == nil)
      #expect(symbols.symbolNames.isEmpty)
      ask(symbols)
    }
  }

  @Test func an_image_cut_off_anywhere_does_not_crash() throws {
    let whole = try CompiledImage.build(CompiledImage.nested)
    for count in stride(from: 0, to: whole.count, by: max(whole.count / 97, 1)) {
      ask(ImageSymbols(bytes: Array(whole[..<count])))
    }
  }

  @Test func an_image_with_flipped_bytes_does_not_crash() throws {
    let whole = try CompiledImage.build(CompiledImage.nested)
    var random = SystemRandomNumberGenerator()
    let seed = UInt64.random(in: 0...UInt64.max, using: &random)
    var state = seed
    func next() -> Int {
      // SplitMix64: the seed is in the message of a failure.
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return Int(truncatingIfNeeded: (z ^ (z >> 31)) >> 2)
    }
    print("hostile image seed: \(seed)")
    for _ in 0..<200 {
      var bytes = whole
      for _ in 0..<(1 + next() % 8) { bytes[next() % bytes.count] = UInt8(next() & 0xFF) }
      // The headers are where sizes and offsets are.
      if next() % 2 == 0 { bytes[next() % 52] = 0xFF }
      ask(ImageSymbols(bytes: bytes))
    }
  }
}
