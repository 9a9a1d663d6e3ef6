import Foundation
import Testing

/// What a run of the built `locklab` did.
struct Outcome: Equatable {
  var status: Int32
  var output: String
  var errors: String
}

/// A folder in which `locklab` is run as a user would.
final class Workshop {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("locklab-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    return path(name)
  }

  @discardableResult
  func write(_ name: String, bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: folder.appendingPathComponent(name))
    return path(name)
  }

  /// Where the build put the command: beside the tests.
  private static let executable: URL = {
    var folder = Bundle.main.bundleURL
    while folder.path != "/" {
      let candidate = folder.appendingPathComponent("locklab")
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: candidate.path, isDirectory: &isFolder),
        !isFolder.boolValue
      {
        return candidate
      }
      folder.deleteLastPathComponent()
    }
    return URL(fileURLWithPath: "/no/locklab")
  }()

  /// Prepares a run; standard input is empty.
  func process(_ arguments: [String], environment: [String: String] = [:]) -> Process {
    let process = Process()
    process.executableURL = Self.executable
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = ["PATH": "/usr/bin:/bin", "USER": "tester", "COLUMNS": "100"]
      .merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    return process
  }

  /// Runs `locklab` to its end.
  func locklab(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
    try run(process(arguments, environment: environment))
  }

  func run(
    _ process: Process, limit: Double = 120, whenStarted: (Process) -> Void = { _ in }
  ) throws -> Outcome {
    let output = folder.appendingPathComponent("output-\(UUID().uuidString)")
    let errors = folder.appendingPathComponent("errors-\(UUID().uuidString)")
    for file in [output, errors] { try Data().write(to: file) }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    // A test never waits for ever.
    let watchdog = DispatchWorkItem { kill(process.processIdentifier, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + limit, execute: watchdog)
    whenStarted(process)
    process.waitUntilExit()
    watchdog.cancel()
    func text(_ file: URL) throws -> String {
      defer { try? FileManager.default.removeItem(at: file) }
      return String(decoding: try Data(contentsOf: file), as: UTF8.self)
    }
    return Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -1,
      output: try text(output), errors: try text(errors))
  }

  /// Expects bad input: status 3, nothing on standard output, this one line on standard error.
  func expectFailure(
    _ arguments: String..., says line: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try run(
      process(arguments + (arguments.contains("check") ? ["--progress", "none"] : [])))
    #expect(
      outcome == Outcome(status: 3, output: "", errors: "locklab: \(line)\n"),
      sourceLocation: sourceLocation)
  }
}
