import Foundation
import Model

/// Markdown for the page of a run at GitHub: what fails, what is open, what was let pass.
struct StepSummary {
  private let report: RunReport
  /// GitHub drops a summary that is longer than a megabyte.
  private static let limit = 900_000
  init(_ report: RunReport) { self.report = report }

  var text: String {
    let judgement = report.judgement
    var text = "## LockLab \(report.verb): \(result)\n\n"
    text += table(
      "New counterexamples", ["rule", "severity", "scenarios", "what happened", "where"],
      judgement.new.map { item in
        [
          item.finding.counterexample.rule, item.severity.rawValue,
          item.scenarios.joined(separator: ", "), item.finding.counterexample.title, place(item),
        ]
      })
    text += table(
      "Expected, but not found", ["scenario", "rule"],
      judgement.missing.map { [$0.scenario, $0.rule] })
    text += table(
      judgement.policy.allowsInconclusive ? "Inconclusive, let pass by the policy" : "Inconclusive",
      ["scenario", "why"], judgement.inconclusive.map { [$0.scenario, $0.reason] })
    text += table(
      "Let pass", ["rule", "what happened", "why"],
      judgement.unexpected.filter { $0.standing.acceptance != nil }.map {
        [$0.finding.counterexample.rule, $0.finding.counterexample.title, $0.standing.acceptance!]
      })
    text += table(
      "Suppressions to look at", ["suppression", "of", "what"],
      judgement.expired.map { [$0.origin, $0.targetInWords, "expired, \($0.expiryInWords)"] }
        + judgement.unused.map { [$0.origin, $0.targetInWords, "unused"] })
    let states = report.outcomes.reduce(0) { $0 + $1.result.states }
    text += "\(report.outcomes.count) scenarios, \(grouped(states)) states.\n"
    guard text.utf8.count > Self.limit else { return text }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var short = ""
    for line in lines {
      if short.utf8.count + line.utf8.count > Self.limit { break }
      short += line + "\n"
    }
    return short + "\nThe rest is left out here; the other reports have it.\n"
  }

  private var result: String {
    switch report.status {
    case .met: "passed"
    case .unmet: "failed"
    case .inconclusive: "inconclusive"
    case .failure: "error"
    }
  }

  private func place(_ item: Judgement.Item) -> String {
    report.place(of: item).map { $0.path + ($0.line.map { ":\($0)" } ?? "") } ?? ""
  }

  private func table(_ title: String, _ columns: [String], _ rows: [[String]]) -> String {
    guard !rows.isEmpty else { return "" }
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    return "### \(title)\n\n" + line(columns) + line(columns.map { _ in "---" })
      + rows.map { line($0.map(Self.escaped)) }.joined() + "\n"
  }

  /// Neither Markdown nor HTML: everything but letters, digits, blanks and a few marks is a
  /// character reference.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in printable(text).unicodeScalars {
      let isPlain =
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        || " ,;.".unicodeScalars.contains(scalar)
      if isPlain {
        result.unicodeScalars.append(scalar)
      } else {
        result += "&#\(scalar.value);"
      }
    }
    return result
  }
}
