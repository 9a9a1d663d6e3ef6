import Foundation
import Testing

/// A counterexample served by `replay --gdb`, and the gdb of the system that connects to it.
struct RealGDB {
  static let path = "/usr/bin/gdb"
  static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }

  let workshop: Workshop

  /// Runs gdb's commands after the connection; what it prints, both streams, and the seconds it took.
  func run(
    _ commands: [String], counterexample: String, image: String? = nil
  ) throws -> (text: String, seconds: Double) {
    let server = workshop.process(["replay", counterexample, "--gdb", "0"])
    let said = Pipe()
    server.standardError = said
    server.standardOutput = FileHandle.nullDevice
    try server.run()
    defer {
      kill(server.processIdentifier, SIGKILL)
      server.waitUntilExit()
    }
    var announcement = ""
    while !announcement.contains("127.0.0.1:") || !announcement.hasSuffix("\n") {
      let data = said.fileHandleForReading.availableData
      if data.isEmpty { break }
      announcement += String(decoding: data, as: UTF8.self)
    }
    let port = try #require(announcement.firstMatch(of: /127\.0\.0\.1:(\d+)/), "\(announcement)").1
    let begun = ContinuousClock.now
    let text = try gdb(["target remote 127.0.0.1:\(port)"] + commands, image: image)
    let used = ContinuousClock.now - begun
    return (text, Double(used.components.seconds) + Double(used.components.attoseconds) * 1e-18)
  }

  func gdb(_ commands: [String], image: String? = nil) throws -> String {
    let gdb = Process()
    gdb.executableURL = URL(fileURLWithPath: Self.path)
    gdb.currentDirectoryURL = workshop.folder
    gdb.environment = ["PATH": "/usr/bin:/bin", "HOME": workshop.folder.path, "LC_ALL": "C"]
    gdb.arguments =
      ["-nx", "--batch", "-ex", "set width 0", "-ex", "set style enabled off"]
      + commands.flatMap { ["-ex", $0] } + (image.map { [$0] } ?? [])
    gdb.standardInput = FileHandle.nullDevice
    let output = Pipe()
    gdb.standardOutput = output
    gdb.standardError = output
    try gdb.run()
    let watchdog = DispatchWorkItem { kill(gdb.processIdentifier, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 60, execute: watchdog)
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    gdb.waitUntilExit()
    watchdog.cancel()
    return text
  }

  /// Explores a scenario of the reference kernel; the number of the counterexample of a rule.
  func explore(_ scenario: String, rule: String) throws -> String {
    _ = try workshop.locklab("check", "--scenario", scenario, "--progress", "none")
    let found = try workshop.locklab(
      "query",
      "SELECT id FROM counterexample WHERE rule = '\(rule)' ORDER BY id DESC LIMIT 1",
      "--format", "csv")
    return try #require(found.output.split(whereSeparator: \.isNewline).last.map(String.init))
  }
}
