import Foundation
import Testing

/// Each report format, as a reader of others understands it.
@Suite struct ReportTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  private static let formats = ["json", "sarif", "junit", "ktap", "github", "gitlab"]

  private func reports(_ verb: String, _ more: [String], environment: [String: String] = [:]) throws
    -> Outcome
  {
    let flags = Self.formats.flatMap { ["--report", "\($0)=out.\($0)"] }
    return try workshop.run(
      workshop.process(
        [verb, "locklab.yml", "--progress", "none"] + more + flags, environment: environment))
  }

  @Test func every_format_of_a_gate_that_fails() throws {
    try WorkingKernel(defects: [.console, .disk]).build(in: workshop)
    try workshop.write(
      "locklab.yml",
      WorkingKernel.job + """
          - name: teeth
            start: {symbol: work}
            expect: {violated: [deadlock]}
          - name: fine
            start: {symbol: work}

        """)
    try workshop.write(
      "gate.yml",
      """
      version: 1
      suppressions:
        - {rule: lock-release-order, function: disk_read, reason: "[see](x) {0}", expires: never}
        - {rule: deadlock, function: nowhere, reason: old, expires: 2020-01-01}

      """)
    let outcome = try reports(
      "gate", ["--policy", "gate.yml"],
      environment: ["GITHUB_STEP_SUMMARY": workshop.path("summary.md")])
    #expect(outcome.status == 1, "\(outcome)")

    let sarif = try #require(try Reader.read("sarif", workshop.path("out.sarif")) as? [String: Any])
    #expect(sarif["version"] as? String == "2.1.0")
    #expect(sarif["exitCode"] as? Int == 1)
    #expect(
      sarif["notifications"] as? [String] == [
        "expected-counterexample-missing", "suppression-expired",
      ])
    let results = objects(sarif["results"])
    #expect(
      results.map { $0["rule"] as? String } == Array(repeating: "lock-release-order", count: 2)
    )
    #expect(results.map { $0["baselineState"] as? String } == ["new", "new"])
    #expect(results.map { $0["uris"] as? [String] } == [["kernel/console.c"], ["kernel/disk.c"]])
    #expect(
      results.map { $0["justifications"] as? [String] } == [[], ["[see](x) {0} (does not expire)"]])
    // The interleaving, and its one context.
    #expect(results.allSatisfy { ($0["threadFlows"] as? Int ?? 0) >= 2 })

    let junit = try #require(try Reader.read("junit", workshop.path("out.junit")) as? [String: Any])
    #expect(junit["tests"] as? Int == 3 && junit["failures"] as? Int == 2)
    let cases = objects(junit["cases"])
    #expect(cases.map { $0["name"] as? String } == ["drivers", "teeth", "fine"])
    #expect(cases.map { $0["result"] as? [String] } == [["Failure"], ["Failure"], []])
    #expect((cases[0]["message"] as? [String])?.first?.contains("console_write") == true)
    #expect((cases[0]["output"] as? String)?.contains("suppressed by gate.yml:3:5") == true)

    let tests = objects(try Reader.read("ktap", workshop.path("out.ktap")))
    #expect(tests.map { $0["ok"] as? Bool } == [false, false, true])
    #expect(tests.map { $0["description"] as? String } == ["- drivers", "- teeth", "- fine"])

    let commands = objects(try Reader.read("github", workshop.path("out.github")))
    #expect(commands.map { $0["command"] as? String } == ["warning", "notice", "error", "warning"])
    let first = try #require(commands[0]["properties"] as? [String: String])
    #expect(first["file"] == "kernel/console.c" && Int(first["line"] ?? "") != nil)
    #expect(first["title"] == "LockLab: lock-release-order")

    let entries = objects(try Reader.read("gitlab", workshop.path("out.gitlab")))
    #expect(
      entries.map { $0["check_name"] as? String } == [
        "lock-release-order", "expected-counterexample",
      ])
    #expect(entries[0]["severity"] as? String == "major")

    let page = try #require(
      try Reader.read("markdown", workshop.path("summary.md")) as? [String: Any])
    let text = page["text"] as? String ?? ""
    #expect(text.contains("LockLab gate: failed") && text.contains("console_write"))
    #expect(text.contains("[see](x) {0}"))

    // No report names this machine's folders.
    for format in Self.formats {
      let text = try String(contentsOfFile: workshop.path("out.\(format)"), encoding: .utf8)
      #expect(!text.contains(workshop.folder.path), "\(format)")
    }
  }

  @Test func check_writes_them_too_and_says_no_more_on_standard_output_than_before() throws {
    try workshop.writeJob([(.broken, "{violated: [interrupts-lost]}"), (.idle, "clean")])
    let outcome = try reports("check", ["--format", "json"])
    #expect(outcome.status == 0)
    #expect(
      try String(contentsOfFile: workshop.path("out.json"), encoding: .utf8) == outcome.output)
    let sarif = try #require(try Reader.read("sarif", workshop.path("out.sarif")) as? [String: Any])
    // What is expected is no result.
    #expect(objects(sarif["results"]).isEmpty)
    #expect(
      try (Reader.read("junit", workshop.path("out.junit")) as? [String: Any])?["failures"] as? Int
        == 0)
    #expect(objects(try Reader.read("gitlab", workshop.path("out.gitlab"))).isEmpty)
    #expect(objects(try Reader.read("github", workshop.path("out.github"))).isEmpty)
    #expect(objects(try Reader.read("ktap", workshop.path("out.ktap"))).count == 2)
  }

  @Test func what_cannot_be_written_is_said_before_the_run_begins() throws {
    try workshop.writeJob([(.idle, "clean")])
    func refuse(_ report: String, says message: String) throws {
      try workshop.expectFailure("check", "locklab.yml", "--report", report, says: message)
      #expect(!FileManager.default.fileExists(atPath: workshop.path("locklab.db")))
    }
    try refuse("sarif=no/x.sarif", says: "no/x.sarif: cannot be written: its folder does not exist")
    try refuse("junit=.", says: ".: is a folder, not a file")
    try refuse(
      "gitlab=locklab.yml/x", says: "locklab.yml/x: cannot be written: not a directory")
    for arguments in [
      ["--report", "xml=a"], ["--report", "sarif"], ["--report", "sarif="],
      ["--report", "sarif=a", "--report", "junit=a"],
    ] {
      let outcome = try workshop.run(workshop.process(["check", "locklab.yml"] + arguments))
      #expect(outcome.status == 64 && outcome.output == "", "\(arguments)")
    }
  }

  @Test func a_report_is_there_as_a_whole_or_not_at_all() throws {
    try workshop.writeJob([(.idle, "clean"), (.endless, "clean")])
    try workshop.write("out.sarif", "the report of an earlier run")
    // A link stays a link, and what it names is replaced.
    try FileManager.default.createSymbolicLink(
      atPath: workshop.path("link"), withDestinationPath: "out.sarif")
    let process = workshop.process(
      ["check", "locklab.yml", "--report", "sarif=link", "--progress", "none"])
    let killed = try workshop.run(process) { process in
      usleep(700_000)
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(killed.status == -1)
    #expect(
      try String(contentsOfFile: workshop.path("out.sarif"), encoding: .utf8)
        == "the report of an earlier run")
    _ = try workshop.locklab(
      "check", "locklab.yml", "--scenario", "idle", "--report", "sarif=link", "--progress", "none")
    #expect(try Reader.read("sarif", workshop.path("out.sarif")) is [String: Any])
    let names = try FileManager.default.contentsOfDirectory(atPath: workshop.folder.path)
    #expect(names.filter { $0.hasPrefix("out.sarif") } == ["out.sarif"])
    // Standard output is a file too.
    let printed = try workshop.locklab(
      "check", "locklab.yml", "--scenario", "idle", "--report", "ktap=-", "--progress", "none")
    #expect(printed.output.hasSuffix("KTAP version 1\n1..1\nok 1 - idle\n"))
  }
}
