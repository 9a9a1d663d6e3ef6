import Foundation
import Model
import Testing

@testable import LockLab

@Suite struct BudgetTests {
  @Test func easy_ones_come_first_and_those_that_did_not_end_before_last() {
    let order = Budget.order(
      ["hard", "unknown", "easy", "long", "other"],
      earlier: ["hard": (1, false), "easy": (0.5, true), "long": (60, true)])
    #expect(order == [2, 3, 1, 4, 0])
  }

  @Test func the_next_round_gives_as_many_as_can_get_a_share_that_is_worth_it() {
    // Four ran out of ten seconds each.
    let ranOut = [0: 10.0, 1: 10, 2: 10, 3: 10]
    #expect(Budget.nextRound(ranOut, left: 60) == [0, 1, 2, 3])
    #expect(Budget.nextRound(ranOut, left: 45) == [0, 1, 2])
    #expect(Budget.nextRound(ranOut, left: 16) == [0])
    #expect(Budget.nextRound(ranOut, left: 14) == [])
    #expect(Budget.nextRound([:], left: 14) == [])
    // Those that had least come first.
    #expect(Budget.nextRound([7: 30, 8: 5], left: 20) == [8])
  }

  @Test func rounds_come_to_an_end() {
    var ranOut = [Int: Double]()
    for index in 0..<20 { ranOut[index] = 1 }
    var left = 1000.0
    var rounds = 0
    while true {
      let round = Budget.nextRound(ranOut, left: left)
      if round.isEmpty { break }
      for (position, index) in round.enumerated() {
        let share = left / Double(round.count - position)
        ranOut[index] = share
        left -= share
      }
      rounds += 1
      #expect(left >= -0.001)
    }
    #expect(rounds == 1 && left < 0.001)
  }
}

@Suite struct ShardTests {
  private let names = (0..<500).map { "scenario-\($0)" }

  private func part(_ number: Int, of count: Int) throws -> Set<String> {
    let shard = try #require(Shard(argument: "\(number)/\(count)"))
    return Set(names.filter(shard.contains))
  }

  @Test(arguments: [1, 2, 3, 7])
  func together_they_are_everything_and_none_has_what_another_has(count: Int) throws {
    var seen: Set<String> = []
    for number in 1...count {
      let part = try part(number, of: count)
      #expect(seen.isDisjoint(with: part))
      // None is much larger than the others.
      #expect(part.count < 2 * names.count / count + 1)
      seen.formUnion(part)
    }
    #expect(seen == Set(names))
  }

  /// The assignment is part of what a store means to another machine: it must not change.
  @Test func a_scenario_stays_where_it_is() throws {
    // The first eight bytes of SHA-256, big-endian, modulo three.
    let expected = ["console": 3, "idle": 2, "mouse": 1, "timer": 2, "reader": 3]
    for (name, part) in expected {
      let found = try (1...3).filter { try #require(Shard(argument: "\($0)/3")).contains(name) }
      #expect(found == [part], "\(name)")
    }
  }

  @Test(arguments: ["0/3", "4/3", "1", "1/", "/3", "a/b", "1/2/3", "-1/3", "1/2000"])
  func no_shards(text: String) { #expect(Shard(argument: text) == nil) }
}

@Suite struct SuppressionTests {
  private func suppression(_ target: Suppression.Target, until day: String) -> Suppression {
    Suppression(target: target, reason: "known", expiry: .after(day), file: "f.yml", place: nil)
  }

  @Test func it_holds_on_its_last_day_and_no_longer() {
    let known = suppression(.fingerprint(""), until: "2026-11-23")
    #expect(!known.isExpired(on: "2026-11-22"))
    #expect(!known.isExpired(on: "2026-11-23"))
    #expect(known.isExpired(on: "2026-11-24"))
    #expect(Suppression.today(Date(timeIntervalSince1970: 86_399)) == "1970-01-01")
  }

  @Test func it_fits_by_fingerprint_or_by_rule_and_function() {
    let identity = Counterexample.Identity(
      rule: "deadlock", lockClasses: ["a"], functions: ["f", "g"])
    #expect(suppression(.fingerprint(identity.fingerprint), until: "").fits(identity))
    #expect(suppression(.function("g", rule: "deadlock"), until: "").fits(identity))
    #expect(!suppression(.function("h", rule: "deadlock"), until: "").fits(identity))
    #expect(!suppression(.function("g", rule: "livelock"), until: "").fits(identity))
  }

  @Test func every_rule_says_how_bad_it_is_and_why() {
    for rule in RuleCatalogue.all {
      #expect(!rule.severityReason.isEmpty && !rule.severityReason.hasSuffix("."), "\(rule.name)")
    }
    #expect(RuleCatalogue.info("deadlock")?.severity == .error)
    #expect(RuleCatalogue.info("irq-unsafe-lock")?.severity == .warning)
  }
}
