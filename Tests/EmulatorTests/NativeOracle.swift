import Foundation

/// Runs cases of 64-bit mode on the processor of this machine, in a process of its own
/// (`Tests/Oracle/native_oracle.c`).
final class NativeOracle {
  struct Outcome {
    var exception: UInt8?
    var rip: UInt64
    var registers: [UInt64]
    var flags: UInt64
    /// Words of the windows that differ from what they were: window, offset, value.
    var changes: [(window: Int, offset: Int, value: UInt64)]
  }

  private let folder: Folder
  private let program: URL

  /// Compiles the program.
  init() throws {
    folder = try Folder()
    program = folder.url.appendingPathComponent("native_oracle")
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Oracle/native_oracle.c")
    guard let clang = ImageTests.find("clang") else {
      throw Folder.Failure(description: "clang is needed; it comes with the Swift toolchain")
    }
    try folder.execute(clang, ["-O1", "-o", program.path, source.path])
  }

  func run(
    _ cases: [InstructionCase], contents: [(address: UInt64, bytes: [UInt8])]
  ) throws -> [Outcome] {
    var bytes = [UInt8]("LLN1".utf8)
    bytes.reserveCapacity(cases.count * 168 + 4096)
    func put(_ value: UInt64, _ size: Int = 8) {
      for i in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
    }
    put(UInt64(cases.count), 4)
    for word in [
      LongArena.codeBase, LongArena.codeSize, LongArena.gsBase, LongArena.base,
      LongArena.dataSize, LongArena.base + LongArena.secondDistance,
    ] { put(word) }
    put(UInt64(contents.count))
    for window in contents {
      put(window.address)
      put(UInt64(window.bytes.count))
      bytes += window.bytes
    }
    for c in cases {
      put(UInt64(c.code.count), 1)
      put((c.branches ? 1 : 0) | (c.usesVectors ? 2 : 0), 7)
      put(c.address)
      bytes += c.code
      put(0, 16 - c.code.count)
      for r in c.registers { put(r) }
      put(UInt64(c.flags))
    }
    let input = folder.url.appendingPathComponent("cases")
    let output = folder.url.appendingPathComponent("results")
    try Data(bytes).write(to: input)
    try folder.execute(program.path, [input.path, output.path])
    return try Data(contentsOf: output).withUnsafeBytes { parse($0, count: cases.count) }
  }

  private func parse(_ bytes: UnsafeRawBufferPointer, count: Int) -> [Outcome] {
    var position = 0
    func word() -> UInt64 {
      defer { position += 8 }
      return bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
    }
    return (0..<count).map { _ in
      let head = word()
      let rip = word()
      let registers = (0..<16).map { _ in word() }
      let flags = word()
      let changes = (0..<Int(head >> 16 & 0xFFFF)).map { _ in
        let place = word()
        return (window: Int(place & 0xFFFF_FFFF), offset: Int(place >> 32), value: word())
      }
      return Outcome(
        exception: head & 1 != 0 ? UInt8(truncatingIfNeeded: head >> 8) : nil, rip: rip,
        registers: registers, flags: flags, changes: changes)
    }
  }
}
