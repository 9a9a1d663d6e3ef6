import ArgumentParser
import Foundation
import Testing

@testable import LockLab

/// What is under `ci/` to be copied.
@Suite struct RecipeTests {
  /// The files keep to the schemas of GitHub and GitLab, and our parser takes every command in them.
  @Test func every_command_is_accepted() throws {
    let folder = Reader.root.appendingPathComponent("ci").path
    let commands = try #require(try Reader.run("read_ci.py", [folder]) as? [[String]])
    let verbs = commands.compactMap(\.first)
    #expect(Set(verbs) == ["check", "gate", "merge"])
    #expect(verbs.count >= 8)
    for arguments in commands {
      #expect(throws: Never.self, "\(arguments)") { try LockLab.parseAsRoot(arguments) }
    }
  }

  /// The action's script, run as the runner would.
  @Test func the_action_gates_and_keeps_the_log_harmless() throws {
    let workshop = try Workshop()
    try workshop.writeJob([(.broken, "clean")])
    try workshop.write("locklab-gate.yml", "version: 1\n")
    let script = try #require(
      try Reader.run(
        "read_ci.py", ["--action", Reader.root.appendingPathComponent("ci/github/action.yml").path])
        as? String)
    let process = workshop.process([])
    let command = try #require(process.executableURL).deletingLastPathComponent().path
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-e", "-o", "pipefail", "-c", script]
    process.environment = [
      "PATH": "\(command):/usr/bin:/bin", "JOB": "locklab.yml", "POLICY": "locklab-gate.yml",
      "DATABASE": "locklab.db", "TIME_LIMIT": "1m", "SOURCE_ROOT": workshop.folder.path,
      "STORED": "false", "GITHUB_STEP_SUMMARY": workshop.path("summary.md"),
    ]
    let outcome = try workshop.run(process)
    #expect(outcome.status == 1, "\(outcome)")
    let lines = outcome.output.split(separator: "\n").map(String.init)
    let token = try #require(
      lines.first.flatMap { $0.wholeMatch(of: /::stop-commands::([0-9a-f]{32})/) }?.1)
    let end = try #require(lines.firstIndex(of: "::\(token)::"))
    #expect(lines[1..<end].contains { $0.hasPrefix("new: interrupts-lost") })
    #expect(lines[(end + 1)...].contains { $0.hasPrefix("::error file=broken.S,line=") })
    #expect(try Reader.read("sarif", workshop.path("locklab.sarif")) is [String: Any])
    #expect(FileManager.default.fileExists(atPath: workshop.path("summary.md")))
  }
}
