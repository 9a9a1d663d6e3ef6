import Foundation

/// What one exhaustive search of a scenario cost.
struct SearchCost {
  var verdict: String
  var states: Int
  var instructions: Int
  var seconds: Double
  var peakMemoryBytes: Int
  /// Resident set of the whole process.
  var residentBytes: Int
}

/// `locklab check` on one scenario, in a process of its own.
struct Search {
  let locklab: String
  let folder: URL

  static func command(_ scenario: String) -> String {
    "locklab check --scenario \(scenario) --format json --db NEW"
  }

  func run(_ scenario: String) throws -> SearchCost {
    let database = folder.appending(path: "search.db").path
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: database + suffix)
    }
    let resident = folder.appending(path: "search-resident").path
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/time")
    process.arguments = [
      "-f", "%M", "-o", resident, locklab, "check", "--scenario", scenario, "--format", "json",
      "--db", database,
    ]
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch {
      throw Failure("/usr/bin/time does not start (Debian package time): \(error)")
    }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard let found = try? JSONDecoder().decode(Output.self, from: bytes).scenarios.first else {
      throw Failure("\(Search.command(scenario)): no scenario in its output")
    }
    let kilobytes = try String(contentsOfFile: resident, encoding: .utf8)
      .split(separator: "\n").last.flatMap { Int($0) }
    return SearchCost(
      verdict: found.verdict, states: found.states, instructions: found.instructions,
      seconds: found.seconds, peakMemoryBytes: found.peakMemoryBytes,
      residentBytes: (kilobytes ?? 0) << 10)
  }

  /// The part of `check --format json` that is looked at.
  private struct Output: Decodable {
    var scenarios: [Scenario]
    struct Scenario: Decodable {
      var verdict: String
      var states: Int
      var instructions: Int
      var seconds: Double
      var peakMemoryBytes: Int
    }
  }
}
