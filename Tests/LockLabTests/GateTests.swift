import Foundation
import Testing

@Suite struct GateTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  private func gate(_ arguments: String...) throws -> Outcome {
    try workshop.run(
      workshop.process(
        ["gate", "--baseline", "baseline.txt", "locklab.yml", "--progress", "none"] + arguments))
  }

  @Test func the_story_of_a_baseline() throws {
    try workshop.writeJob([(.broken, "clean"), (.idle, "clean")])

    // There is none: that is bad input, not an empty baseline.
    let missing = try gate()
    #expect(
      missing
        == Outcome(
          status: 3, output: "",
          errors: "locklab: baseline.txt: no such baseline file; --write-baseline makes it\n"))

    // An empty one: the counterexample fails the gate.
    try workshop.write("baseline.txt", "# nothing is accepted\n\n")
    let failed = try gate()
    #expect(failed.status == 1)
    #expect(failed.output.contains("\nnot in the baseline: interrupts-lost (error): "))
    #expect(failed.output.hasSuffix("gate failed\n"))

    // Accepted: it passes, and goes on passing.
    let written = try gate("--write-baseline")
    #expect(written.status == 0)
    #expect(written.output.hasSuffix("wrote baseline.txt\ngate passed\n"))
    let lines = try String(contentsOfFile: workshop.path("baseline.txt"), encoding: .utf8)
      .split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[1].wholeMatch(of: /[0-9a-f]{32}  interrupts-lost(  # .+)?/) != nil)
    let passed = try gate()
    #expect(passed.status == 0)
    #expect(passed.output.contains("\nlet pass: interrupts-lost (error): "))
    #expect(passed.output.hasSuffix("gate passed\n"))

    // Repaired: the line is not needed any more. A look at one scenario alone does not say so.
    try workshop.writeJob([(.idle, "clean")])
    #expect(try gate().output.contains("\nin the baseline, but not found: \(lines[1])\n"))
    #expect(try !gate("--scenario", "idle").output.contains("but not found"))
    _ = try gate("--scenario", "idle", "--write-baseline")
    #expect(try gate().output.contains("\nin the baseline, but not found: "))
    #expect(try gate("--write-baseline").status == 0)
    #expect(try !gate().output.contains("but not found"))
  }

  @Test func what_a_scenario_expects_needs_no_baseline() throws {
    try workshop.writeJob([(.broken, "{violated: [interrupts-lost]}")])
    try workshop.write("baseline.txt", "")
    #expect(try gate().status == 0)
  }

  @Test func a_scenario_that_lost_its_teeth_fails() throws {
    try workshop.writeJob([(.idle, "{violated: [interrupts-lost]}")])
    try workshop.write("baseline.txt", "")
    let outcome = try gate()
    #expect(outcome.status == 1)
    #expect(outcome.output.contains("\nexpected, but not found: idle: interrupts-lost\n"))
  }

  @Test func inconclusive_passes_only_where_that_is_allowed_and_never_in_silence() throws {
    try workshop.writeJob([(.idle, "clean")])
    try workshop.write("baseline.txt", "")
    let outcome = try gate("--time-limit", "0", "--report", "junit=open.xml")
    #expect(outcome.status == 2)
    let note = "idle: Not explored: the run's time was used up before.\n"
    #expect(outcome.output.hasSuffix("inconclusive: \(note)gate failed\n"))
    let open = try #require(try Reader.read("junit", workshop.path("open.xml")) as? [String: Any])
    #expect(open["errors"] as? Int == 1)

    let allowed = try gate(
      "--time-limit", "0", "--allow-inconclusive", "--report", "junit=open.xml", "--report",
      "ktap=open.ktap")
    #expect(allowed.status == 0)
    #expect(allowed.output.hasSuffix("inconclusive, let pass: \(note)gate passed\n"))
    let skipped = try #require(
      try Reader.read("junit", workshop.path("open.xml")) as? [String: Any])
    #expect(skipped["errors"] as? Int == 0 && skipped["skipped"] as? Int == 1)
    let tests = objects(try Reader.read("ktap", workshop.path("open.ktap")))
    #expect(tests.map { $0["skip"] as? Bool } == [true])
  }

  @Test func by_rule_and_by_severity() throws {
    try workshop.writeJob([(.broken, "clean")])
    func gate(_ arguments: String...) throws -> Outcome {
      try workshop.run(
        workshop.process(["gate", "locklab.yml", "--progress", "none"] + arguments))
    }
    #expect(try gate("--no-baseline", "--fail-on", "error").status == 1)
    let ignored = try gate("--no-baseline", "--ignore-rule", "interrupts-lost")
    #expect(ignored.status == 0)
    #expect(ignored.output.contains("(its rule is ignored by the policy)"))
    try workshop.write(
      "gate.yml", "version: 1\nfail-on: error\nseverities: {interrupts-lost: warning}\n")
    let light = try gate("--policy", "gate.yml")
    #expect(light.status == 0)
    #expect(
      light.output.contains(
        "let pass: interrupts-lost (warning): ")
        && light.output.contains("(of less weight than the gate fails on)"))
    #expect(try gate("--policy", "gate.yml", "--fail-on", "warning").status == 1)
  }

  @Test func suppressions_end_on_their_day_and_are_reported_when_unused() throws {
    try workshop.writeJob([(.broken, "clean")])
    func policy(_ expires: String, rule: String = "interrupts-lost") throws {
      try workshop.write(
        "gate.yml",
        """
        version: 1
        suppressions:
          - {rule: \(rule), function: broken, reason: known since boot, expires: \(expires)}

        """)
    }
    func gate() throws -> Outcome {
      try workshop.locklab("gate", "locklab.yml", "--progress", "none", "--policy", "gate.yml")
    }
    try policy("2999-12-31")
    let passed = try gate()
    #expect(passed.status == 0)
    #expect(
      passed.output.contains("(suppressed by gate.yml:3:5, until 2999-12-31: known since boot)"))
    try policy("2020-12-31")
    let expired = try gate()
    #expect(expired.status == 1)
    #expect(
      expired.output.contains(
        "\nsuppression expired: gate.yml:3:5: interrupts-lost in broken, until 2020-12-31\n"))
    try policy("never", rule: "deadlock")
    let unused = try gate()
    #expect(unused.status == 1)
    #expect(unused.output.contains("\nsuppression unused: gate.yml:3:5: deadlock in broken\n"))
  }

  @Test func decisions_in_the_database_let_pass_unless_the_policy_ignores_them() throws {
    try workshop.writeJob([(.broken, "clean")])
    func gate(_ arguments: String...) throws -> Outcome {
      try workshop.run(
        workshop.process(["gate", "locklab.yml", "--progress", "none"] + arguments))
    }
    #expect(try gate("--no-baseline").status == 1)
    for (decision, status) in [
      ("intentional", Int32(0)), ("confirmed", 1), ("false-positive", 0), ("fixed", 1),
      ("unreviewed", 1),
    ] {
      #expect(
        try workshop.locklab(
          "triage", "1", decision, "--reason", "so it is", "--author", "Ada"
        ).status == 0)
      let outcome = try gate("--no-baseline")
      #expect(outcome.status == status, "\(decision)")
      #expect(outcome.output.contains("(\(decision), says Ada: so it is)") == (status == 0))
    }
    _ = try workshop.locklab("triage", "1", "intentional", "--reason", "so it is")
    try workshop.write("gate.yml", "version: 1\ndecisions: ignore\n")
    #expect(try gate("--policy", "gate.yml").status == 1)
  }

  @Test func against_a_stored_run() throws {
    try workshop.writeJob([(.idle, "clean")])
    func gate(_ arguments: String...) throws -> Outcome {
      try workshop.run(
        workshop.process(["gate", "locklab.yml", "--progress", "none"] + arguments))
    }
    let none = try gate("--against-run", "last")
    #expect(
      none
        == Outcome(
          status: 3, output: "",
          errors: "locklab: there is no earlier run to compare with; `locklab check` makes one\n"))
    #expect(try gate("--no-baseline").status == 0)  // run 1
    try workshop.writeJob([(.broken, "clean")])
    let new = try gate("--against-run", "1")  // run 2
    #expect(new.status == 1)
    #expect(new.output.contains("\nnot in run 1: interrupts-lost (error): "))
    #expect(try gate("--against-run", "2").status == 0)
    #expect(try gate("--against-run", "last").status == 0)
    #expect(try gate("--against-run", "1").status == 1)
    #expect(try gate("--against-run", "99").errors.contains("there is no run 99 to compare with"))
  }

  @Test func json_says_what_is_new_and_what_was_let_pass() throws {
    try workshop.writeJob([(.broken, "clean")])
    try workshop.write("baseline.txt", "")
    let outcome = try gate("--format", "json")
    #expect(outcome.status == 1)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(object["passed"] as? Bool == false)
    #expect(objects(object["new"]).map { $0["rule"] as? String } == ["interrupts-lost"])
    _ = try gate("--write-baseline")
    let passed = try gate("--format", "json", "--report", "json=gate.json")
    let second = try #require(
      try JSONSerialization.jsonObject(with: Data(passed.output.utf8)) as? [String: Any])
    #expect(objects(second["accepted"]).map { $0["because"] as? String } == ["in the baseline"])
    // The report is what goes to standard output.
    #expect(
      try String(contentsOfFile: workshop.path("gate.json"), encoding: .utf8) == passed.output)
  }

  @Test func a_line_that_is_no_fingerprint_is_an_error() throws {
    try workshop.writeJob([(.idle, "clean")])
    try workshop.write("baseline.txt", "# fine\ndeadlock\n")
    let outcome = try gate()
    #expect(
      outcome
        == Outcome(
          status: 3, output: "",
          errors: "locklab: baseline.txt:2: not a baseline's line: "
            + "it must begin with 32 hex digits\n"))
    try workshop.write("baseline.txt", "<<<<<<< HEAD\n")
    #expect(
      try gate().errors.contains("baseline.txt:1: a conflict of a merge was left here"))
  }

  // MARK: Shards

  @Test func shards_together_are_judged_like_one_run() throws {
    let kernels: [(TinyKernel, String)] = [
      (.broken, "clean"), (.idle, "clean"), (.endless, "clean"),
    ]
    try workshop.writeJob(kernels)
    let bounds = ["--max-interrupts", "3", "--progress", "none"]
    func verdict(_ outcome: Outcome) throws -> [String] {
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      return objects(object["new"]).map { "new \($0["fingerprint"] ?? "")" }
        + (object["inconclusive"] as? [String] ?? [])
        + objects(object["scenarios"]).map {
          "\($0["name"] ?? "") \($0["verdict"] ?? "") \($0["states"] ?? "")"
        }
    }
    let whole = try workshop.run(
      workshop.process(
        ["gate", "--no-baseline", "locklab.yml", "--db", "whole.db", "--format", "json"] + bounds))

    // One shard is missing: its scenarios are open, and that does not pass.
    let shards = ["1/3", "2/3", "3/3"]
    let parts = try shards.map { shard in
      try workshop.run(
        workshop.process(["list", "locklab.yml", "--shard", shard, "--format", "json"])
      ).output.components(separatedBy: "\"name\"").count - 1
    }
    #expect(parts.reduce(0, +) == 3)
    let missing = parts.firstIndex { $0 > 0 }!
    func explore(_ index: Int) throws {
      let outcome = try workshop.run(
        workshop.process(
          ["check", "locklab.yml", "--shard", shards[index], "--db", "shard-\(index).db"] + bounds))
      #expect(outcome.status < 3, "\(outcome.errors)")
    }
    func join(_ indices: [Int]) throws {
      for index in indices {
        let outcome = try workshop.locklab("merge", "shard-\(index).db", "--db", "joined.db")
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
    }
    func judge() throws -> Outcome {
      try workshop.run(
        workshop.process(
          [
            "gate", "--stored", "--no-baseline", "locklab.yml", "--db", "joined.db", "--format",
            "json",
          ] + bounds))
    }
    for index in shards.indices { try explore(index) }
    try join(shards.indices.filter { $0 != missing })
    let incomplete = try judge()
    #expect(incomplete.status != 0)
    #expect(incomplete.output.contains("There is no stored result of this scenario"))

    try join([missing])
    let joined = try judge()
    #expect(joined.status == whole.status)
    #expect(try verdict(joined) == verdict(whole))

    // Results of another build do not count.
    try Data(contentsOf: URL(fileURLWithPath: workshop.path("broken.elf"))).write(
      to: URL(fileURLWithPath: workshop.path("idle.elf")))
    let stale = try judge()
    #expect(stale.output.contains("The stored result is of another build of the image"))
    #expect(stale.output.contains("\"idle\""))
  }

  @Test func a_shard_without_scenarios_passes() throws {
    try workshop.writeJob([(.idle, "clean")])
    let statuses = try (1...3).map {
      try workshop.locklab("check", "locklab.yml", "--shard", "\($0)/3", "--progress", "none")
    }
    #expect(statuses.allSatisfy { $0.status == 0 })
    #expect(statuses.count { $0.output.contains("1 scenario, 1 as expected") } == 1)
    #expect(statuses.count { $0.output.contains("0 scenarios, 0 as expected") } == 2)
  }

  // MARK: Budgets

  @Test func no_scenario_starves_behind_a_hard_one() throws {
    try workshop.writeJob([(.endless, "clean"), (.idle, "clean"), (.broken, "clean")])
    let outcome = try workshop.locklab(
      "check", "locklab.yml", "--time-limit", "3s", "--format", "json", "--progress", "none")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    let scenarios = objects(object["scenarios"])
    // In the order of the job, whatever the order of the search was.
    #expect(scenarios.map { $0["name"] as? String } == ["endless", "idle", "broken"])
    #expect(
      scenarios.map { $0["verdict"] as? String } == ["inconclusive", "clean", "violated"])
    // What the easy ones did not need, the hard one got in a second round.
    #expect((scenarios[0]["seconds"] as? Double ?? 0) > 1.5)
  }
}
