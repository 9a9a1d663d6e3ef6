import Foundation
import Testing

/// Runs cases through Unicorn, in a Python process of its own.
enum Oracle {
  struct Outcome {
    var exception: UInt8?
    var eip: UInt32
    var registers: [UInt32]
    var flags: UInt32
    /// The windows afterwards; nil when nothing was written.
    var windows: [[UInt8]]?
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Oracle")

  /// `LOCKLAB_ORACLE`, or `.build/oracle` in the package: a Python environment with Unicorn, made
  /// when it is not there.
  private static func python() throws -> String {
    let root = folder.deletingLastPathComponent().deletingLastPathComponent()
    let environment =
      ProcessInfo.processInfo.environment["LOCKLAB_ORACLE"]
      ?? root.appendingPathComponent(".build/oracle").path
    let prepare = folder.appendingPathComponent("prepare").path
    try launch(prepare, [environment])
    return environment + "/bin/python"
  }

  private static func launch(_ path: String, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let text = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    if process.terminationStatus != 0 {
      throw Failure(
        description:
          "\(path) \(arguments.joined(separator: " ")) failed: "
          + String(decoding: text, as: UTF8.self)
          + " (the oracle needs python3 with venv and, the first time, PyPI)")
    }
  }

  static func run(
    _ cases: [InstructionCase], contents: [(address: UInt32, bytes: [UInt8])]
  ) throws -> [Outcome] {
    var data = Data("LLC1".utf8)
    func put(_ value: UInt32) {
      withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
    }
    put(UInt32(cases.count))
    put(Arena.codeBase)
    put(Arena.codeSize)
    put(UInt32(contents.count))
    for window in contents {
      put(window.address)
      put(UInt32(window.bytes.count))
      data.append(contentsOf: window.bytes)
    }
    for (number, c) in cases.enumerated() {
      data.append(contentsOf: [UInt8(c.code.count), c.repeats ? 1 : 0, 0, 0])
      put(UInt32(number) * Arena.codeStep)
      data.append(contentsOf: c.code + [UInt8](repeating: 0, count: 16 - c.code.count))
      for r in c.registers { put(UInt32(r)) }
      put(c.flags)
    }
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("locklab-oracle-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let input = directory.appendingPathComponent("cases")
    let output = directory.appendingPathComponent("results")
    try data.write(to: input)
    let script = folder.appendingPathComponent("unicorn_oracle.py").path
    try launch(try python(), [script, input.path, output.path])
    return parse(
      [UInt8](try Data(contentsOf: output)), count: cases.count,
      sizes: contents.map { $0.bytes.count })
  }

  private static func parse(_ bytes: [UInt8], count: Int, sizes: [Int]) -> [Outcome] {
    var position = 0
    func word() -> UInt32 {
      defer { position += 4 }
      return (0..<4).reduce(0) { $0 | UInt32(bytes[position + $1]) << UInt32(8 * $1) }
    }
    var outcomes: [Outcome] = []
    outcomes.reserveCapacity(count)
    for _ in 0..<count {
      let status = bytes[position]
      let exception = bytes[position + 1]
      let changed = bytes[position + 2] != 0
      position += 4
      let eip = word()
      let registers = (0..<8).map { _ in word() }
      let flags = word()
      var windows: [[UInt8]]?
      if changed {
        windows = sizes.map { size in
          defer { position += size }
          return Array(bytes[position..<(position + size)])
        }
      }
      outcomes.append(
        Outcome(
          exception: status == 1 ? exception : nil, eip: eip, registers: registers, flags: flags,
          windows: windows))
    }
    return outcomes
  }
}
