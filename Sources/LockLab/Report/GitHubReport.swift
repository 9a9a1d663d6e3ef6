import Foundation
import Model

/// GitHub's workflow commands: each line on a step's standard output becomes an annotation.
struct GitHubReport {
  private let report: RunReport
  init(_ report: RunReport) { self.report = report }

  var text: String {
    (findings + tests + policy).map { $0 + "\n" }.joined()
  }

  private var findings: [String] {
    report.findings.map { item in
      let counterexample = item.finding.counterexample
      let level: String
      var message = counterexample.title
      if let acceptance = item.standing.acceptance {
        level = "notice"
        message += " (\(acceptance))"
      } else {
        level =
          switch item.severity {
          case .error: "error"
          case .warning: "warning"
          case .note: "notice"
          }
      }
      message += "\nScenarios: \(item.scenarios.joined(separator: ", "))"
      message += "\nFingerprint: \(counterexample.identity.fingerprint)"
      return command(
        level, at: report.place(of: item), title: counterexample.rule, message: message)
    }
  }

  private var tests: [String] {
    let level = report.judgement.policy.allowsInconclusive ? "notice" : "warning"
    return report.outcomes.flatMap { outcome -> [String] in
      let name = outcome.result.scenario.name
      let place = report.place(of: outcome)
      var lines = report.missing(in: outcome).map {
        command("error", at: place, title: "\(name): expected, but not found", message: $0)
      }
      if let reason = report.openReason(of: outcome) {
        lines.append(command(level, at: place, title: "\(name): inconclusive", message: reason))
      }
      if outcome.result.verdict == .error {
        let note = outcome.result.notes.first ?? "The scenario failed."
        lines.append(command("error", at: place, title: name, message: note))
      }
      return lines
    }
  }

  private var policy: [String] {
    func line(_ suppression: Suppression, _ what: String) -> String {
      let place = report.paths.relative(suppression.file).map { ($0, suppression.place?.line) }
      return command(
        "warning", at: place, title: "Suppression \(what)",
        message: "\(suppression.targetInWords): \(suppression.reason)")
    }
    return report.judgement.expired.map { line($0, "expired (\($0.expiryInWords))") }
      + report.judgement.unused.map { line($0, "unused") }
  }

  private func command(
    _ level: String, at place: (path: String, line: Int?)?, title: String, message: String
  ) -> String {
    var properties: [String] = []
    if let place {
      properties.append("file=\(Self.property(place.path))")
      if let line = place.line { properties.append("line=\(line)") }
    }
    properties.append("title=\(Self.property("LockLab: \(title)"))")
    let lines = message.split(separator: "\n").map { printable(String($0)) }
    return
      "::\(level) \(properties.joined(separator: ","))::\(Self.data(lines.joined(separator: "\n")))"
  }

  /// What the runner decodes in a message.
  static func data(_ text: String) -> String {
    text.replacing("%", with: "%25").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
  }

  /// What the runner decodes in a property.
  static func property(_ text: String) -> String {
    data(printable(text)).replacing(":", with: "%3A").replacing(",", with: "%2C")
  }
}
