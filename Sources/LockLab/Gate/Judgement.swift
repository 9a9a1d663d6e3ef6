import Database
import Foundation
import Model

/// What a run, or what several stored, means for the gate.
struct Judgement {
  /// Why a counterexample passes, or that it does not.
  enum Standing {
    /// Fails.
    case new
    /// New, but of less weight than the policy fails on.
    case light
    /// Its rule is ignored by the policy.
    case ignored
    case inBaseline
    case suppressed(Suppression)
    case decided(TriageEntry)
    /// Every scenario in which it was found expects its rule to be broken.
    case expected
  }

  /// A counterexample, once for all the scenarios in which it was found.
  struct Item {
    var finding: Examination.Finding
    var outcome: Examination.Outcome
    /// Scenarios that show it, without those that expect it if others do not.
    var scenarios: [String]
    var standing: Standing
    var severity: RuleInfo.Severity
    /// In the baseline file or in the run that is compared with.
    var isKnown: Bool
    /// What the machine saw, as the database has it.
    var machineStatus: String
  }

  struct Missing {
    var scenario: String
    var rule: String
  }

  /// A scenario that was not examined to its end, and why.
  struct Open {
    var outcome: Examination.Outcome
    var scenario: String { outcome.result.scenario.name }
    var reason: String
  }

  private(set) var items: [Item] = []
  /// Scenarios that were to break a rule and did not: they have lost their teeth.
  private(set) var missing: [Missing] = []
  private(set) var inconclusive: [Open] = []
  /// Suppressions that are past their day.
  private(set) var expired: [Suppression] = []
  /// Suppressions that fit nothing that was found.
  private(set) var unused: [Suppression] = []
  /// Lines of the baseline that nothing fits any more.
  private(set) var stale: [String] = []
  let policy: Policy
  private(set) var status = ExitStatus.met

  var new: [Item] { items.filter { if case .new = $0.standing { true } else { false } } }
  /// Found where it was not expected, whatever the gate makes of it.
  var unexpected: [Item] {
    items.filter { if case .expected = $0.standing { false } else { true } }
  }

  /// - Parameters:
  ///   - accepted: the baseline, by fingerprint.
  ///   - standings: what the database knows of a counterexample, by its number.
  ///   - isWhole: every scenario of the jobs was to be examined, so that what was not found is gone.
  init(
    _ outcomes: [Examination.Outcome], policy: Policy = Policy(), accepted: Baseline = Baseline(),
    standings: [Int64: Store.Standing] = [:], isWhole: Bool = true,
    today: String = Suppression.today()
  ) {
    self.policy = policy
    collect(outcomes)
    var used: Set<Int> = []
    for index in items.indices {
      let identity = items[index].finding.counterexample.identity
      let known = standings[items[index].finding.id]
      items[index].machineStatus = known?.machine ?? "new"
      items[index].isKnown = accepted.contains(identity)
      if let rank = policy.severity(of: identity.rule) { items[index].severity = rank }
      if case .expected = items[index].standing { continue }
      let fitting = policy.suppressions.indices.filter { policy.suppressions[$0].fits(identity) }
      used.formUnion(fitting)
      let valid = fitting.first { !policy.suppressions[$0].isExpired(on: today) }
      if policy.severity(of: identity.rule) == nil {
        items[index].standing = .ignored
      } else if let valid {
        items[index].standing = .suppressed(policy.suppressions[valid])
      } else if items[index].isKnown || known.map({ accepted.contains($0.fingerprints) }) == true {
        items[index].standing = .inBaseline
      } else if policy.acceptsDecisions, let decision = known?.acceptance {
        items[index].standing = .decided(decision)
      } else if items[index].severity < policy.failOn {
        items[index].standing = .light
      }
    }
    for outcome in outcomes { look(at: outcome) }
    expired = policy.suppressions.filter { $0.isExpired(on: today) }
    if isWhole, inconclusive.isEmpty, status != .failure {
      unused = policy.suppressions.indices.filter { !used.contains($0) }
        .map { policy.suppressions[$0] }.filter { !$0.isExpired(on: today) }
      let found = Set(unexpected.map(\.finding.counterexample.identity.fingerprint))
      stale = accepted.lines.filter { !found.contains($0.key) }.values.sorted()
    }
    if !new.isEmpty || !missing.isEmpty { status = max(status, .unmet) }
    if !inconclusive.isEmpty, !policy.allowsInconclusive { status = max(status, .inconclusive) }
  }

  /// Every counterexample once, what weighs most first.
  private mutating func collect(_ outcomes: [Examination.Outcome]) {
    var places: [String: Int] = [:]
    for outcome in outcomes {
      let expected = Set(outcome.result.scenario.expectedRules)
      for finding in outcome.findings {
        let identity = finding.counterexample.identity
        let isExpected = expected.contains(identity.rule)
        let name = outcome.result.scenario.name
        guard let place = places[identity.fingerprint] else {
          places[identity.fingerprint] = items.count
          items.append(
            Item(
              finding: finding, outcome: outcome, scenarios: [name],
              standing: isExpected ? .expected : .new,
              severity: RuleCatalogue.info(identity.rule)?.severity ?? .error, isKnown: false,
              machineStatus: ""))
          continue
        }
        var isOnlyExpected = false
        if case .expected = items[place].standing { isOnlyExpected = true }
        if isOnlyExpected, !isExpected {
          // The scenario that does not expect it is the one to show.
          items[place].finding = finding
          items[place].outcome = outcome
          items[place].scenarios = [name]
          items[place].standing = .new
        } else if isOnlyExpected == isExpected {
          items[place].scenarios.append(name)
        }
      }
    }
  }

  private mutating func look(at outcome: Examination.Outcome) {
    let result = outcome.result
    switch result.verdict {
    case .error: status = .failure
    case .inconclusive:
      let reason = result.openEnds.flatMap { _ in result.cutShort } ?? result.notes.first
      inconclusive.append(Open(outcome: outcome, reason: reason ?? "No reason is known."))
    case .clean, .violated:
      let broken = Set(result.rules)
      missing += result.scenario.expectedRules.filter { !broken.contains($0) }.map {
        Missing(scenario: result.scenario.name, rule: $0)
      }
      // What is let pass, or expected, must not hide what the search did not come to any more.
      let open = result.scenario.expect == .clean ? result.cutShort : result.ranOut
      if result.verdict == .violated, let reason = open {
        inconclusive.append(Open(outcome: outcome, reason: reason))
      }
    }
  }
}

extension Baseline {
  fileprivate func contains(_ fingerprints: [String]) -> Bool {
    fingerprints.contains { lines[$0] != nil }
  }
}

extension Examination.Outcome {
  /// Findings whose rule the scenario does not expect to be broken.
  var unexpected: [Examination.Finding] {
    let expected = Set(result.scenario.expectedRules)
    return findings.filter { !expected.contains($0.counterexample.rule) }
  }
}
