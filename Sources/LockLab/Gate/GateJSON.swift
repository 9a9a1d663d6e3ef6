import Model

/// What `gate --format json` writes.
struct GateJSON: Encodable {
  struct Suppressed: Encodable {
    var origin: String
    var target: String
    var reason: String
    var expires: String
  }

  struct Passed: Encodable {
    var found: ScenarioJSON.Found
    /// Why it passes, in words.
    var because: String
  }

  /// The run that this was; none where stored results were judged.
  var run: Int64?
  /// The runs that were judged.
  var runs: [Int64]
  var passed: Bool
  var new: [ScenarioJSON.Found]
  /// Found where it was not expected, and let pass.
  var accepted: [Passed]
  /// `SCENARIO: RULE`.
  var missing: [String]
  var inconclusive: [String]
  var inconclusiveAllowed: Bool
  var expiredSuppressions: [Suppressed]
  var unusedSuppressions: [Suppressed]
  /// Lines of the baseline.
  var unusedBaseline: [String]
  var scenarios: [ScenarioJSON]

  init(_ judgement: Judgement, _ outcomes: [Examination.Outcome], run: Int64?, runs: [Int64]) {
    self.run = run
    self.runs = runs
    passed = judgement.status == .met
    new = judgement.new.map(Self.found)
    accepted = judgement.unexpected.compactMap { item in
      item.standing.acceptance.map { Passed(found: Self.found(item), because: $0) }
    }
    missing = judgement.missing.map { "\($0.scenario): \($0.rule)" }
    inconclusive = judgement.inconclusive.map(\.scenario)
    inconclusiveAllowed = judgement.policy.allowsInconclusive
    expiredSuppressions = judgement.expired.map(Self.suppressed)
    unusedSuppressions = judgement.unused.map(Self.suppressed)
    unusedBaseline = judgement.stale
    scenarios = outcomes.map { ScenarioJSON($0) }
  }

  private static func found(_ item: Judgement.Item) -> ScenarioJSON.Found {
    let counterexample = item.finding.counterexample
    return .init(
      id: item.finding.id, rule: counterexample.rule,
      fingerprint: counterexample.identity.fingerprint, title: counterexample.title)
  }

  private static func suppressed(_ suppression: Suppression) -> Suppressed {
    .init(
      origin: suppression.origin, target: suppression.targetInWords, reason: suppression.reason,
      expires: suppression.expiryInWords)
  }
}
