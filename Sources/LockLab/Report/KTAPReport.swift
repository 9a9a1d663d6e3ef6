import Model

/// KTAP, the kernel's own dialect of the Test Anything Protocol: a line for each scenario, with
/// diagnostics before it.
struct KTAPReport {
  private let report: RunReport
  init(_ report: RunReport) { self.report = report }

  var text: String {
    var lines = ["KTAP version 1", "1..\(report.outcomes.count)"]
    for (index, outcome) in report.outcomes.enumerated() {
      let verdict = ScenarioVerdict(outcome, report)
      lines += (verdict.lines + verdict.remarks).map { "# \(printable($0))" }
      let isOK = verdict.kind == .passed || verdict.kind == .skipped
      var line =
        "\(isOK ? "ok" : "not ok") \(index + 1) - \(Self.escaped(outcome.result.scenario.name))"
      if verdict.kind == .skipped { line += " # SKIP \(Self.escaped(verdict.summary))" }
      lines.append(line)
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// In a description a `#` begins a directive, and not every reader knows an escape for it.
  static func escaped(_ text: String) -> String {
    printable(text).replacing("#", with: "\\x23")
  }
}
