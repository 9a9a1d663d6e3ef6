import Foundation
import Testing

@Suite struct CheckTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test func a_scenario_that_meets_its_expectation_ends_with_0() throws {
    try workshop.writeJob([(.idle, "clean"), (.broken, "{violated: [interrupts-lost]}")])
    let outcome = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    #expect(outcome.status == 0)
    #expect(outcome.errors == "")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines[0].hasPrefix("   scenario  verdict "))
    #expect(lines[1].hasPrefix(" ✓ idle      clean    ") && lines[1].hasSuffix("  none"))
    #expect(lines[2].hasPrefix(" ✓ broken    violated "))
    #expect(lines[2].hasSuffix("  interrupts-lost"))
    #expect(outcome.output.contains("\nShow one: locklab show 1\n"))
    #expect(lines.last?.hasPrefix("2 scenarios, 2 as expected; ") == true)
    #expect(FileManager.default.fileExists(atPath: workshop.path("locklab.db")))
  }

  @Test func an_unexpected_counterexample_ends_with_1() throws {
    try workshop.writeJob([(.broken, "clean")])
    let outcome = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    #expect(outcome.status == 1)
    #expect(outcome.output.contains(" ✗ broken    violated "))
    #expect(outcome.output.contains("  interrupts-lost (expected: clean)\n"))
  }

  @Test func an_expected_counterexample_that_is_not_found_ends_with_1() throws {
    try workshop.writeJob([(.idle, "{violated: [interrupts-lost]}")])
    let outcome = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    #expect(outcome.status == 1)
    #expect(outcome.output.contains("  none (expected: interrupts-lost)\n"))
  }

  @Test func without_time_a_scenario_is_inconclusive_and_ends_with_2() throws {
    try workshop.writeJob([(.idle, "clean")])
    let outcome = try workshop.locklab(
      "check", "locklab.yml", "--time-limit", "0", "--progress", "none")
    #expect(outcome.status == 2)
    #expect(outcome.output.contains(" ✗ idle      inconclusive "))
    #expect(outcome.output.contains("Not explored: the run's time was used up before."))
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func an_interrupted_run_is_inconclusive_and_keeps_what_it_found(signal: Int32) throws {
    try workshop.writeJob([
      (.broken, "{violated: [interrupts-lost]}"), (.endless, "clean"), (.idle, "clean"),
    ])
    let process = workshop.process([
      "check", "locklab.yml", "--format", "json", "--progress", "none",
    ])
    let outcome = try workshop.run(process) { process in
      waitForResult()
      kill(process.processIdentifier, signal)
    }
    #expect(outcome.status == 2)
    let scenarios = try #require(try object(outcome.output)["scenarios"] as? [[String: Any]])
    #expect(
      scenarios.map { $0["verdict"] as? String } == ["violated", "inconclusive", "inconclusive"])
    let kept = try workshop.locklab("query", "SELECT rule FROM counterexample", "--format", "csv")
    #expect(kept.output == "rule\r\ninterrupts-lost\r\n")
  }

  @Test func a_run_that_is_killed_loses_nothing_that_it_had_found() throws {
    try workshop.writeJob([(.broken, "{violated: [interrupts-lost]}"), (.endless, "clean")])
    let process = workshop.process(["check", "locklab.yml", "--progress", "none"])
    let outcome = try workshop.run(process) { process in
      waitForResult()
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(outcome.status == -1)
    let kept = try workshop.locklab("query", "SELECT rule FROM counterexample", "--format", "csv")
    #expect(kept.output == "rule\r\ninterrupts-lost\r\n")
    let open = try workshop.locklab("query", "SELECT finished IS NULL AS open FROM run")
    #expect(open.output == "open\n   1\n")
    #expect(try workshop.locklab("show", "1").status == 0)
  }

  /// Until the first scenario's outcome is stored; the second one then runs.
  private func waitForResult() {
    let query = ["query", "SELECT count(*) FROM result", "--format", "csv"]
    let deadline = Date(timeIntervalSinceNow: 60)
    while Date() < deadline {
      let rows = try? workshop.run(workshop.process(query)).output
      if rows?.contains("1\r\n") == true { break }
      usleep(50_000)
    }
    usleep(200_000)
  }

  @Test func json_has_what_was_promised_and_nothing_else() throws {
    try workshop.writeJob([(.broken, "{violated: [interrupts-lost]}")])
    let outcome = try workshop.locklab(
      "check", "locklab.yml", "--format", "json", "--progress", "none")
    #expect(outcome.status == 0 && outcome.errors == "")
    let run = try object(outcome.output)
    #expect(Set(run.keys) == ["run", "scenarios"])
    #expect(run["run"] as? Int == 1)
    let scenario = try #require((run["scenarios"] as? [[String: Any]])?.first)
    #expect(
      Set(scenario.keys) == [
        "name", "image", "arch", "verdict", "expected", "met", "rules", "counterexamples", "states",
        "instructions", "seconds", "statesPerSecond", "peakMemoryBytes", "environment", "covers",
        "notes",
      ])
    #expect(scenario["arch"] as? String == "i386")
    #expect(scenario["expected"] as? String == "violated")
    #expect(scenario["met"] as? Bool == true)
    #expect(scenario["rules"] as? [String] == ["interrupts-lost"])
    #expect(scenario["covers"] as? [String] == ["M5"])
    let environment = try #require(scenario["environment"] as? [String: Any])
    #expect(Set(environment.keys) == ["cpus", "sources", "bounds"])
    let found = try #require((scenario["counterexamples"] as? [[String: Any]])?.first)
    #expect(Set(found.keys) == ["id", "rule", "fingerprint", "title"])
  }

  @Test func the_same_defect_in_two_runs_is_one_counterexample_with_two_occurrences() throws {
    try workshop.writeJob([(.broken, "{violated: [interrupts-lost]}")])
    for _ in 0..<2 {
      #expect(try workshop.locklab("check", "locklab.yml", "--progress", "none").status == 0)
    }
    let counts = try workshop.locklab(
      "query", "--format", "csv",
      "SELECT (SELECT count(*) FROM counterexample), (SELECT count(*) FROM occurrence)")
    #expect(counts.output.hasSuffix("\r\n1,2\r\n"))
    let replay = try workshop.locklab("replay", "1")
    #expect(replay.status == 0)
    #expect(replay.output.hasPrefix("Same: interrupts-lost breaks at instruction "))
  }

  @Test func an_image_is_checked_without_a_job() throws {
    _ = try TinyKernel.broken.build(in: workshop, name: "kernel")
    let outcome = try workshop.locklab(
      "check", "--image", "kernel.elf", "--from", "broken", "--format", "json", "--progress", "none"
    )
    #expect(outcome.status == 1)
    let scenario = try #require(
      (try object(outcome.output)["scenarios"] as? [[String: Any]])?.first)
    #expect(scenario["name"] as? String == "kernel.elf")
    let notes = try #require(scenario["notes"] as? [String])
    #expect(notes.contains { $0.hasPrefix("Assumed, as no job file was given: 1 CPU, as sources") })
    #expect(
      notes.contains { $0.hasPrefix("Sources, as the image has programmed them: timer (line 0") })
  }

  @Test func only_the_scenarios_that_are_named_are_checked() throws {
    try workshop.writeJob([(.idle, "clean"), (.broken, "clean")])
    let outcome = try workshop.locklab(
      "check", "locklab.yml", "--scenario", "id*", "--progress", "none")
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("1 scenario, 1 as expected; "))
  }

  @Test func the_database_is_where_the_environment_says_unless_an_option_does() throws {
    try workshop.writeJob([(.idle, "clean")])
    let environment = ["LOCKLAB_DB": "from-environment.db"]
    _ = try workshop.locklab(
      "check", "locklab.yml", "--progress", "none", environment: environment)
    #expect(FileManager.default.fileExists(atPath: workshop.path("from-environment.db")))
    _ = try workshop.locklab(
      "check", "locklab.yml", "--db", "from-option.db", "--progress", "none",
      environment: environment)
    #expect(FileManager.default.fileExists(atPath: workshop.path("from-option.db")))
    #expect(!FileManager.default.fileExists(atPath: workshop.path("locklab.db")))
  }
}
