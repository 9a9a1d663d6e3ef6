import Foundation

/// How long `locklab` takes to answer from a large database, each time as a whole process.
struct StoreTimes {
  let locklab: String
  let folder: URL
  /// `Benchmarks/store.sql`.
  let filling: String

  static let count = 100_000

  /// What is asked; `LAST` and `BEFORE` are the last two runs.
  static let questions: [[String]] = [
    ["query"], ["query", "--rule", "lock-*", "--limit", "20"],
    ["query", "--function", "function_777"], ["query", "--text", "function_99999"],
    ["query", "--scenario", "scenario-7"], ["query", "--status", "gone"],
    ["show", "50000"], ["show", "9e3779b1"], ["history", "50000"], ["diff", "previous", "last"],
  ]

  /// A database with `count` counterexamples, made anew.
  func prepare() throws -> String {
    let database = folder.appending(path: "store.db").path
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: database + suffix)
    }
    // No time: nothing is explored, but the database is there.
    _ = try run([
      locklab, "check", "--scenario", Bench.scenarios[0], "--time-limit", "0", "--progress", "none",
      "--db", database,
    ])
    let sql = try String(contentsOfFile: filling, encoding: .utf8)
    let filled = folder.appending(path: "store.sql").path
    try sql.replacing(":count", with: "\(Self.count)").write(
      toFile: filled, atomically: true, encoding: .utf8)
    let outcome = try run(["/usr/bin/sqlite3", database, ".read \(filled)"])
    guard outcome.status == 0 else {
      throw Failure("sqlite3 (Debian package sqlite3) could not fill the database: \(outcome.text)")
    }
    return database
  }

  /// Seconds from the process's start to its end.
  func time(_ question: [String], _ database: String) throws -> Double {
    let clock = ContinuousClock()
    let begun = clock.now
    let outcome = try run([locklab] + question + ["--db", database])
    let took = clock.now - begun
    guard outcome.status == 0 else {
      throw Failure("locklab \(question.joined(separator: " ")): \(outcome.text)")
    }
    return Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
  }

  private func run(_ command: [String]) throws -> (status: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(filePath: command[0])
    process.arguments = Array(command.dropFirst())
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    do { try process.run() } catch { throw Failure("\(command[0]) does not start: \(error)") }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: bytes.prefix(300), as: UTF8.self))
  }
}
