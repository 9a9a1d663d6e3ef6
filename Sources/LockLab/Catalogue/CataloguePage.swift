import Database
import Model

/// `docs/catalogue.md`: row by row, what proves it right and what shows it wrong, with verdict, states and
/// the injected events of the shortest counterexample.
struct CataloguePage {
  /// A scenario with what a run has made of it.
  private struct Line {
    var scenario: Scenario
    var arch: String
    var result: ScenarioResult

    /// The fewest injected events after which a rule is broken; nil: it is not.
    func injected(_ rule: String) -> Int? {
      result.counterexamples.filter { $0.rule == rule }.map(\.injected.count).min()
    }

    var isClean: Bool { scenario.expect == .clean }
  }

  private let lines: [Line]

  init(_ plan: Plan, results: [ScenarioResult]) {
    lines = zip(plan.items, results).map {
      Line(scenario: $0.scenario, arch: $0.image.record.arch, result: $1)
    }
  }

  var text: String {
    var text = """
      # The catalogue, and what covers it

      Made by `make catalogue` from a run of the reference scenarios; `make test` fails when it is out of
      date. Each row has a build that is proven right (`clean`, with the number of states: all that are
      reachable) and one that is wrong and caught, on each machine where the row exists. For a wrong build
      there are the rules that it breaks, each with the smallest number of injected interrupts that it takes
      (0: the tasks' own system calls are enough), and the states that were explored in all.
      `locklab rules M7`, or another row's name, explains it.


      """
    for group in CatalogueRow.Group.allCases {
      text += "## \(group.rawValue)\n\n| row | machine | right | wrong |\n|---|---|---|---|\n"
      for row in CatalogueRow.all where row.group == group {
        for (index, arch) in CatalogueRow.architectures.enumerated() {
          let name = index == 0 ? "**\(row.name)** \(cell(row.summary))" : ""
          text += "| \(name) | \(arch) | \(cells(of: row, arch)) |\n"
        }
      }
      text += "\n"
    }
    let clean = lines.filter(\.isClean).count
    text += """
      ## In all

      \(lines.count) scenarios: \(clean) are clean, \(lines.count - clean) show wrong builds.

      """
    return text
  }

  private func cells(of row: CatalogueRow, _ arch: String) -> String {
    let here = lines.filter { $0.arch == arch && row.isCovered(by: $0.scenario) }
    if here.isEmpty, let absence = row.absence(on: arch) { return "\(absence) | " }
    let right = here.filter(\.isClean).map {
      "`\($0.scenario.name)` \($0.result.verdict.rawValue), \(count($0.result.states)) states"
    }
    let wrong = here.filter { !$0.isClean }.map { line in
      let rules = line.result.rules.map { "\($0) (\(line.injected($0) ?? 0))" }
      let outcome = rules.isEmpty ? line.result.verdict.rawValue : rules.joined(separator: ", ")
      return "`\(line.scenario.name)` \(outcome), \(count(line.result.states)) states"
    }
    return [right, wrong].map { $0.isEmpty ? "–" : $0.joined(separator: "<br>") }
      .joined(separator: " | ")
  }

  private func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }

  /// `12,345`.
  private func count(_ number: Int) -> String {
    String(
      String(number).reversed().enumerated().flatMap { index, digit in
        index > 0 && index % 3 == 0 ? [",", digit] : [digit]
      }.reversed())
  }
}
