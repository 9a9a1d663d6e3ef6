import Model

/// What `gate` prints below its table: what fails, what is let pass and why, what should be looked at.
struct GatePage {
  var judgement: Judgement
  /// `in the baseline`, `in run 3`.
  var comparedWith: [String]
  /// ` --db FILE`, or nothing.
  var databaseHint: String
  var terminal: Terminal

  var lines: [String] {
    var lines: [String] = []
    func add(_ label: String, _ colour: Terminal.Style, _ text: String) {
      lines.append(terminal.styled("\(label): ", colour) + printable(text))
    }
    for item in judgement.new {
      add(newLabel, .red, "\(describe(item)) (locklab show \(item.finding.id)\(databaseHint))")
    }
    for missing in judgement.missing {
      add("expected, but not found", .red, "\(missing.scenario): \(missing.rule)")
    }
    for item in judgement.unexpected {
      guard let acceptance = item.standing.acceptance else { continue }
      add("let pass", .green, "\(describe(item)) (\(acceptance))")
    }
    for suppression in judgement.expired {
      add(
        "suppression expired", .yellow,
        "\(suppression.origin): \(suppression.targetInWords), \(suppression.expiryInWords)")
    }
    for suppression in judgement.unused {
      add(
        "suppression unused", .yellow, "\(suppression.origin): \(suppression.targetInWords)")
    }
    for line in judgement.stale { add("in the baseline, but not found", .yellow, line) }
    for open in judgement.inconclusive {
      let isAllowed = judgement.policy.allowsInconclusive
      add(
        isAllowed ? "inconclusive, let pass" : "inconclusive", .yellow,
        "\(open.scenario): \(open.reason)")
    }
    return lines
  }

  private var newLabel: String {
    switch comparedWith.count {
    case 0: "new"
    case 1: "not \(comparedWith[0])"
    default: "neither " + comparedWith.joined(separator: " nor ")
    }
  }

  private func describe(_ item: Judgement.Item) -> String {
    let counterexample = item.finding.counterexample
    let status = item.machineStatus == "reappeared" ? ", reappeared" : ""
    return "\(counterexample.rule) (\(item.severity.rawValue)\(status)): \(counterexample.title)"
  }
}
