import Foundation
import Model
import Testing

@Suite struct RulesTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  @Test func every_rule_and_every_mechanism_is_explained() throws {
    #expect(RuleCatalogue.all.count == 36)
    #expect(Mechanism.all.count == 35)
    #expect(Set(RuleCatalogue.all.map(\.name)).count == RuleCatalogue.all.count)
    for rule in RuleCatalogue.all {
      #expect(rule.name.wholeMatch(of: /[a-z]+(-[a-z]+)*/) != nil)
      #expect(rule.explanation.count > rule.summary.count)
      #expect(RuleCatalogue.info(rule.name) == rule)
    }
    #expect(Mechanism.info("M35")?.summary == "two save areas for each vector")
    #expect(Mechanism.info("M36") == nil)
  }

  @Test func one_rule_is_explained() throws {
    #expect(
      try workshop.locklab("rules", "lock-release-order")
        == Outcome(
          status: 0,
          output: """
            lock-release-order: locks are released in another order than last in, first out

            When each lock carries its own saved flags, releasing the outer lock first
            restores the outer flags, interrupts come on, and the inner lock is still held.
            The first lock taken must be the last one released.

            Severity: warning, because it does harm where the outer release turns interrupts on.

            Needs to know which functions are locks: `locks` in the job file.

            """, errors: ""))
  }

  @Test func a_mechanism_is_explained() throws {
    let outcome = try workshop.locklab("rules", "m14")
    #expect(outcome.output.hasPrefix("M14: the SWAPGS window\n"))
  }

  @Test func all_rules_are_listed() throws {
    let outcome = try workshop.locklab("rules")
    for rule in RuleCatalogue.all { #expect(outcome.output.contains("  \(rule.name) ")) }
    let json = try workshop.locklab("rules", "--format", "json").output
    let list = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]]
    #expect(list?.count == RuleCatalogue.all.count)
  }

  @Test func the_command_explains_itself() throws {
    #expect(try workshop.locklab("--version") == Outcome(status: 0, output: "0.1.0\n", errors: ""))
    for verb in ["check", "list", "query", "show", "replay", "triage", "gate", "rules"] {
      let help = try workshop.locklab(verb, "--help")
      #expect(help.status == 0 && help.errors == "")
      #expect(help.output.contains("EXAMPLES\n  locklab \(verb)"), "\(verb)")
    }
    let completion = try workshop.locklab("--generate-completion-script", "bash")
    #expect(completion.status == 0 && completion.output.contains("locklab"))
  }
}
