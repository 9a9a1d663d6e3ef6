import Foundation
import Model

/// The table of scenarios that `check` and `gate` write, a row as soon as a scenario is done.
struct ScenarioTable {
  private let terminal: Terminal
  private let nameWidth: Int

  init(_ scenarios: [Scenario], terminal: Terminal) {
    self.terminal = terminal
    nameWidth = min(max(scenarios.map { printable($0.name).count }.max() ?? 0, 8), 40)
  }

  var heading: String {
    terminal.styled(
      "   " + "scenario".padded(to: nameWidth) + "  verdict       " + "states".rightAligned(to: 12)
        + "time".rightAligned(to: 13) + "  rules broken", .bold)
  }

  func row(_ result: ScenarioResult) -> String {
    let verdict = result.verdict.rawValue.padded(to: 12)
    let colour: Terminal.Style =
      switch result.verdict {
      case .clean, .violated: result.met ? .green : .red
      case .inconclusive: .yellow
      case .error: .red
      }
    return terminal.styled(result.met ? " ✓ " : " ✗ ", colour)
      + printable(result.scenario.name).cut(to: nameWidth).padded(to: nameWidth) + "  "
      + terminal.styled(verdict, colour) + "  " + grouped(result.states).rightAligned(to: 12)
      + span(result.seconds).rightAligned(to: 13) + "  " + rules(result)
  }

  /// The rules that are broken, and what was expected instead.
  private func rules(_ result: ScenarioResult) -> String {
    // From a database of others they can be anything.
    let broken =
      result.rules.isEmpty ? "none" : result.rules.map(printable).joined(separator: ", ")
    if result.met { return broken }
    let expected = result.scenario.expectedRules
    return broken + " (expected: "
      + (expected.isEmpty ? "clean" : expected.joined(separator: ", ")) + ")"
  }

  /// Notes below a row: under which bound a verdict holds, what was assumed, what is open or wrong.
  func notes(_ result: ScenarioResult) -> [String] {
    var notes = result.notes
    if let bound = result.scenario.maxInterrupts {
      notes.insert("Explored with at most \(bound) interrupts in all.", at: 0)
    }
    return outcomes(result)
      + notes.flatMap { note in
        printable(note).wrapped(to: max(terminal.width - 6, 30)).enumerated().map { index, line in
          "     " + terminal.styled(line, .dim)
        }
      }
  }

  /// A row for each outcome, a column for each observed value.
  private func outcomes(_ result: ScenarioResult) -> [String] {
    guard let outcomes = result.outcomes else { return [] }
    guard !outcomes.isEmpty else { return ["     No outcome: the work was never done."] }
    let limit = 100
    var table = Table(
      columns: (result.scenario.observe ?? []).map { .init(printable($0.name), .right) })
    for outcome in outcomes.prefix(limit) {
      table.rows.append(outcome.values.map { String($0) })
    }
    var lines = table.lines(terminal).map { "     " + $0 }
    if outcomes.count > limit {
      lines.append("     … and \(outcomes.count - limit) more; --format json lists them")
    }
    return lines
  }
}

/// What follows the table: the counterexamples, how to see one, and the sum.
struct Summary {
  var outcomes: [Examination.Outcome]
  var terminal: Terminal
  /// ` --db FILE`, or nothing.
  var databaseHint: String
  var run: Int64

  var lines: [String] {
    var lines: [String] = []
    var seen: Set<Int64> = []
    let findings = outcomes.flatMap { outcome in
      outcome.findings.map { (outcome.result.scenario.name, $0) }
    }.filter { seen.insert($0.1.id).inserted }
    if !findings.isEmpty {
      lines.append("")
      var table = Table(columns: [
        .init("id", .right), .init(""), .init("rule"), .init("scenario", limit: 40),
        .init("what happened"),
      ])
      for (scenario, finding) in findings {
        table.rows.append([
          String(finding.id), finding.isNew ? "new" : "", finding.counterexample.rule, scenario,
          finding.counterexample.title,
        ])
      }
      lines += table.lines(terminal)
      let id = findings.first { $0.1.isNew }?.1.id ?? findings[0].1.id
      lines += ["", "Show one: " + terminal.styled("locklab show \(id)\(databaseHint)", .bold)]
    }
    return lines + ["", sum]
  }

  private var sum: String {
    let met = outcomes.count { $0.result.met }
    let states = outcomes.reduce(0) { $0 + $1.result.states }
    let seconds = outcomes.reduce(0) { $0 + $1.result.seconds }
    let scenarios = "\(outcomes.count) scenario\(outcomes.count == 1 ? "" : "s")"
    return
      "\(scenarios), \(met) as expected; \(grouped(states)) states in \(span(seconds)); run \(run)"
  }
}
