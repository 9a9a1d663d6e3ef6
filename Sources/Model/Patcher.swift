import Emulator

/// Changes single instructions of a loaded image.
enum Patcher {
  /// One-byte NOP. Intel SDM Vol. 2B, NOP.
  static let nop: UInt8 = 0x90

  static func apply(
    _ patches: [Patch], scenario: String, image: PreparedImage, to machine: Machine,
    onDisk: Bool = false
  ) throws {
    if patches.isEmpty { return }
    let place: (UInt64) -> UInt64?
    if onDisk {
      guard let start = machine.place(onDisk: image.bytes) else {
        throw ScenarioError(
          "scenario `\(scenario)`: patches: the disk does not hold image `\(image.name)` as it is, from the beginning of a sector on"
        )
      }
      place = { address in
        image.elf.segments.first {
          address >= $0.virtual && address - $0.virtual < UInt64($0.file.count)
        }.map { start + UInt64($0.file.lowerBound) + (address - $0.virtual) }
      }
    } else {
      place = { image.elf.physical(ofVirtual: $0) }
    }
    for patch in patches {
      guard let symbol = image.symbols.symbol(named: patch.symbol) else {
        let near = nearestNames(to: patch.symbol, among: image.symbols.symbolNames)
        let hint = near.isEmpty ? "" : "; similar names: " + near.joined(separator: ", ")
        throw ScenarioError(
          "scenario `\(scenario)`: patch: image `\(image.name)` has no symbol `\(patch.symbol)`\(hint)"
        )
      }
      let (address, length) = try find(
        patch, from: symbol.address, size: symbol.size, scenario, image, machine, place)
      var bytes: [UInt8] = []
      if case .replace(let new) = patch.action { bytes = new }
      guard bytes.count <= length else {
        throw ScenarioError(
          "scenario `\(scenario)`: patch of `\(patch.symbol)`: \(bytes.count) bytes do not fit into the \(length) of `\(patch.instruction)`"
        )
      }
      bytes += Array(repeating: nop, count: length - bytes.count)
      guard let physical = place(address) else { continue }
      for (i, b) in bytes.enumerated() {
        machine.memory.setByte(at: physical + UInt64(i), b)
      }
    }
  }

  /// Puts generated functions where others were.
  static func replace(
    _ stubs: [Stub], scenario: String, image: PreparedImage, in machine: Machine
  ) throws {
    func address(_ name: String) throws -> UInt64 {
      if let symbol = image.symbols.symbol(named: name) { return symbol.address }
      let near = nearestNames(to: name, among: image.symbols.symbolNames)
      throw ScenarioError(
        "scenario `\(scenario)`: stub: image `\(image.name)` has no symbol `\(name)`"
          + (near.isEmpty ? "" : "; similar names: " + near.joined(separator: ", ")))
    }
    for stub in stubs {
      var target: UInt64?
      if case .jumps(let name) = stub.action { target = try address(name) }
      let code = CodeWriter.stub(stub.action, is64Bit: image.elf.is64Bit, target: target)
      let start = try address(stub.symbol)
      for (i, byte) in code.enumerated() {
        guard let physical = image.elf.physical(ofVirtual: start + UInt64(i)) else { break }
        machine.memory.setByte(at: physical, byte)
      }
    }
  }

  private static func find(
    _ patch: Patch, from start: UInt64, size: Int, _ scenario: String, _ image: PreparedImage,
    _ machine: Machine, _ place: (UInt64) -> UInt64?
  ) throws -> (UInt64, Int) {
    var at = start
    var seen = 0
    let wanted = patch.instruction.lowercased()
    var mnemonics: [String] = []
    while at < start + UInt64(size) {
      guard
        let physical = place(at),
        let instruction = machine.decodeText(
          physical: physical, address: at, is64Bit: image.elf.is64Bit)
      else { break }
      if instruction.mnemonic == wanted || instruction.text.lowercased() == wanted {
        seen += 1
        if seen == patch.occurrence { return (at, instruction.length) }
      }
      if !mnemonics.contains(instruction.mnemonic) { mnemonics.append(instruction.mnemonic) }
      at += UInt64(instruction.length)
    }
    throw ScenarioError(
      "scenario `\(scenario)`: patch: `\(patch.symbol)` has \(seen) instruction(s) `\(patch.instruction)`, not \(patch.occurrence); it has "
        + mnemonics.joined(separator: ", "))
  }
}
