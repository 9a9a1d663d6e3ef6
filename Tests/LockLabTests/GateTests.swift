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
    #expect(failed.output.contains("\nnot in the baseline: interrupts-lost: "))
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
    #expect(passed.output.hasSuffix("gate passed\n"))
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

  @Test func inconclusive_never_passes() throws {
    try workshop.writeJob([(.idle, "clean")])
    try workshop.write("baseline.txt", "")
    let outcome = try gate("--time-limit", "0")
    #expect(outcome.status == 2)
    #expect(outcome.output.hasSuffix("inconclusive: idle\ngate failed\n"))
  }

  @Test func json_says_what_is_new() throws {
    try workshop.writeJob([(.broken, "clean")])
    try workshop.write("baseline.txt", "")
    let outcome = try gate("--format", "json")
    #expect(outcome.status == 1)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(object["passed"] as? Bool == false)
    #expect(
      (object["new"] as? [[String: Any]])?.map { $0["rule"] as? String } == ["interrupts-lost"])
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
  }
}
