import Foundation
import Model

/// JUnit XML: a test suite for each job, a test case for each scenario.
///
/// A scenario that was not examined to its end is an error, or skipped where the policy allows it:
/// never a test that passed.
struct JUnitReport {
  private let report: RunReport
  init(_ report: RunReport) { self.report = report }

  var text: String {
    var suites: [(name: String, outcomes: [Examination.Outcome])] = []
    for outcome in report.outcomes {
      let name = report.place(of: outcome)?.path ?? outcome.result.scenario.image
      if let index = suites.firstIndex(where: { $0.name == name }) {
        suites[index].outcomes.append(outcome)
      } else {
        suites.append((name, [outcome]))
      }
    }
    return #"<?xml version="1.0" encoding="UTF-8"?>"# + "\n"
      + "<testsuites \(attributes("locklab \(report.verb)", report.outcomes))>\n"
      + suites.map(suite).joined() + "</testsuites>\n"
  }

  private func suite(_ name: String, _ outcomes: [Examination.Outcome]) -> String {
    "  <testsuite \(attributes(name, outcomes))>\n" + outcomes.map(testCase).joined()
      + "  </testsuite>\n"
  }

  private func attributes(_ name: String, _ outcomes: [Examination.Outcome]) -> String {
    let results = outcomes.map { ScenarioVerdict($0, report) }
    func count(_ kind: ScenarioVerdict.Kind) -> Int { results.count { $0.kind == kind } }
    let seconds = outcomes.reduce(0) { $0 + $1.result.seconds }
    return
      #"name="\#(Self.escaped(name))" tests="\#(results.count)" failures="\#(count(.failed))" "#
      + #"errors="\#(count(.open) + count(.error))" skipped="\#(count(.skipped))" "#
      + #"time="\#(Self.time(seconds))""#
  }

  private func testCase(_ outcome: Examination.Outcome) -> String {
    let result = outcome.result
    let verdict = ScenarioVerdict(outcome, report)
    var text =
      #"    <testcase name="\#(Self.escaped(result.scenario.name))" "#
      + #"classname="\#(Self.escaped(result.scenario.image))" time="\#(Self.time(result.seconds))">"#
      + "\n"
    func element(_ name: String, type: String) {
      text +=
        #"      <\#(name) type="\#(type)" message="\#(Self.escaped(verdict.summary))">"#
        + verdict.lines.map(Self.escaped).joined(separator: "\n") + "</\(name)>\n"
    }
    switch verdict.kind {
    case .passed: break
    case .failed: element("failure", type: "counterexample")
    case .open: element("error", type: "inconclusive")
    case .error: element("error", type: "error")
    case .skipped: text += #"      <skipped message="\#(Self.escaped(verdict.summary))"/>"# + "\n"
    }
    let remarks = verdict.remarks
    if !remarks.isEmpty {
      text +=
        "      <system-out>" + remarks.map(Self.escaped).joined(separator: "\n")
        + "</system-out>\n"
    }
    return text + "    </testcase>\n"
  }

  private static func time(_ seconds: Double) -> String {
    String(format: "%.3f", locale: Locale(identifier: "en_US_POSIX"), seconds)
  }

  /// Inert in text and in attributes. What XML cannot hold at all, control characters, is written as
  /// an escape that means nothing.
  static func escaped(_ text: String) -> String {
    var result = ""
    for character in printable(text).unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&apos;"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}
