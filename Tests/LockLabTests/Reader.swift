import Foundation
import Testing

/// Readers and schemas of others (`Tests/Oracle/prepare` installs them), and what they make of our
/// files.
enum Reader {
  /// The repository.
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  struct Refused: Error, CustomStringConvertible { var description: String }

  /// What a reader understood of a report, as JSON has it.
  static func read(_ format: String, _ file: String) throws -> Any {
    try run("read_report.py", [format, file])
  }

  /// The Python environment, made or brought up to date before it is used first.
  private static let environment = Result {
    let folder =
      ProcessInfo.processInfo.environment["LOCKLAB_ORACLE"]
      ?? root.appendingPathComponent(".build/oracle").path
    try TinyKernel.run([root.appendingPathComponent("Tests/Oracle/prepare").path, folder])
    return folder
  }

  static func run(_ script: String, _ arguments: [String]) throws -> Any {
    let oracle = try environment.get()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "\(oracle)/bin/python")
    process.arguments = [root.appendingPathComponent("Tests/Oracle/\(script)").path] + arguments
    let outcome = try Workshop().run(process)
    guard outcome.status == 0 else {
      throw Refused(description: "\(script) \(arguments): \(outcome.errors)")
    }
    return try JSONSerialization.jsonObject(
      with: Data(outcome.output.utf8), options: .fragmentsAllowed)
  }
}

/// Short ways into what a reader returned.
func objects(_ value: Any?) -> [[String: Any]] { value as? [[String: Any]] ?? [] }
