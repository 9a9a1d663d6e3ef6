import Model

/// A scenario as a test that passed or did not, for reports of tests.
struct ScenarioVerdict {
  enum Kind { case passed, failed, open, skipped, error }

  var kind: Kind
  /// One line.
  var summary: String
  /// What is wrong, a line each.
  var lines: [String]
  /// What was let pass, and notes.
  var remarks: [String]

  init(_ outcome: Examination.Outcome, _ report: RunReport) {
    let failures = report.failures(of: outcome)
    let missing = report.missing(in: outcome)
    let reason = report.openReason(of: outcome)
    lines = failures.map(Self.line) + missing.map { "Expected, but not found: \($0)." }
    remarks =
      report.accepted(in: outcome).map {
        "Let pass (\($0.standing.acceptance ?? "")): " + Self.line($0)
      } + outcome.result.notes
    if outcome.result.verdict == .error {
      kind = .error
      summary = outcome.result.notes.first ?? "The scenario failed."
    } else if let first = lines.first {
      kind = .failed
      summary = first + (lines.count > 1 ? " And \(lines.count - 1) more." : "")
      if let reason { lines.append("Inconclusive besides: \(reason)") }
    } else if let reason {
      kind = report.judgement.policy.allowsInconclusive ? .skipped : .open
      summary = "Inconclusive: \(reason)"
      lines = [summary]
    } else {
      kind = .passed
      summary = ""
    }
  }

  private static func line(_ item: Judgement.Item) -> String {
    let counterexample = item.finding.counterexample
    return "\(counterexample.rule): \(counterexample.title) "
      + "[\(item.severity.rawValue), \(counterexample.identity.fingerprint)]"
  }
}
