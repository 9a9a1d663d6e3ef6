import Model

/// What a run means for the gate.
struct Judgement {
  /// Counterexamples that are neither expected nor in the baseline, each once.
  var new: [Examination.Finding] = []
  /// Scenarios that were to break a rule and did not: they have lost their teeth.
  var missing: [String] = []
  var inconclusive: [String] = []
  var status = ExitStatus.met

  init(_ outcomes: [Examination.Outcome], accepted: Baseline) {
    var seen: Set<Int64> = []
    for outcome in outcomes {
      let result = outcome.result
      new += outcome.unexpected.filter {
        !accepted.contains($0.counterexample.identity) && seen.insert($0.id).inserted
      }
      switch result.verdict {
      case .error: status = .failure
      case .inconclusive: inconclusive.append(result.scenario.name)
      case .clean, .violated:
        let broken = Set(result.rules)
        missing += result.scenario.expectedRules.filter { !broken.contains($0) }.map {
          "\(result.scenario.name): \($0)"
        }
      }
    }
    if !new.isEmpty || !missing.isEmpty { status = max(status, .unmet) }
    if !inconclusive.isEmpty { status = max(status, .inconclusive) }
  }
}

extension Examination.Outcome {
  /// Findings whose rule the scenario does not expect to be broken.
  var unexpected: [Examination.Finding] {
    let expected = Set(result.scenario.expectedRules)
    return findings.filter { !expected.contains($0.counterexample.rule) }
  }
}
