import Foundation

/// What one exhaustive search of a scenario cost.
struct SearchCost {
  var verdict: String
  var rules: [String]
  var states: Int
  /// Steps between states: each ends at a visible instruction.
  var transitions: Int
  var instructions: Int
  var seconds: Double
  var peakMemoryBytes: Int
  /// Resident set of the whole process.
  var residentBytes: Int
  /// Of the shortest counterexample for each rule.
  var visibleSteps: [String: Int]
}

/// `locklab check` on one scenario, in a process of its own.
struct Search {
  let locklab: String
  let folder: URL

  static func command(_ scenario: String) -> String {
    "locklab check --scenario \(scenario) --format json --db NEW"
  }

  /// - Parameter options: a job, and what else `check` takes.
  func run(_ scenario: String, options: [String] = []) throws -> SearchCost {
    let database = folder.appending(path: "search.db").path
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: database + suffix)
    }
    let resident = folder.appending(path: "search-resident").path
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/time")
    process.arguments =
      [
        "-f", "%M", "-o", resident, locklab, "check",
      ] + options + ["--scenario", scenario, "--format", "json", "--db", database]
    let output = Pipe()
    let errors = folder.appending(path: "search-errors")
    _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
    process.environment = ProcessInfo.processInfo.environment.merging(["LOCKLAB_FIGURES": "1"]) {
      $1
    }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: errors)
    do { try process.run() } catch {
      throw Failure("/usr/bin/time does not start (Debian package time): \(error)")
    }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard let found = try? JSONDecoder().decode(Output.self, from: bytes).scenarios.first else {
      let said = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
      throw Failure("locklab check \(scenario): no scenario in its output. \(said.prefix(300))")
    }
    let kilobytes = try String(contentsOfFile: resident, encoding: .utf8)
      .split(separator: "\n").last.flatMap { Int($0) }
    var steps: [String: Int] = [:]
    for c in found.counterexamples {
      guard let n = c.visibleSteps else { continue }
      steps[c.rule] = min(steps[c.rule] ?? .max, n)
    }
    return SearchCost(
      verdict: found.verdict, rules: found.rules, states: found.states,
      transitions: found.transitions ?? 0, instructions: found.instructions,
      seconds: found.seconds, peakMemoryBytes: found.peakMemoryBytes,
      residentBytes: (kilobytes ?? 0) << 10, visibleSteps: steps)
  }

  /// The part of `check --format json` that is looked at.
  private struct Output: Decodable {
    var scenarios: [Scenario]
    struct Scenario: Decodable {
      var verdict: String
      var rules: [String]
      var counterexamples: [Found]
      var states: Int
      var transitions: Int?
      var instructions: Int
      var seconds: Double
      var peakMemoryBytes: Int
    }
    struct Found: Decodable {
      var rule: String
      var visibleSteps: Int?
    }
  }
}
