import Database
import Foundation
import Model

/// GitLab's code quality report: a list of findings that a merge request shows beside its changes.
struct GitLabReport {
  private struct Entry: Encodable {
    struct Location: Encodable {
      struct Lines: Encodable { var begin: Int }
      var path: String
      var lines: Lines
    }

    var description: String
    var checkName: String
    var fingerprint: String
    var severity: String
    var location: Location

    enum CodingKeys: String, CodingKey {
      case description, fingerprint, severity, location
      case checkName = "check_name"
    }
  }

  private let report: RunReport
  init(_ report: RunReport) { self.report = report }

  func text() throws -> String { try prettyJSON(findings + tests) }

  /// What was suppressed or decided is not listed: GitLab has no way to show it as such.
  private var findings: [Entry] {
    report.findings.compactMap { item in
      switch item.standing {
      case .suppressed, .decided, .ignored, .expected: return nil
      case .new, .light, .inBaseline: break
      }
      let counterexample = item.finding.counterexample
      let severity =
        switch item.severity {
        case .error: "critical"
        case .warning: "major"
        case .note: "minor"
        }
      return Entry(
        description: printable(counterexample.title), checkName: printable(counterexample.rule),
        fingerprint: counterexample.identity.fingerprint, severity: severity,
        location: location(report.place(of: item)))
    }
  }

  private var tests: [Entry] {
    report.outcomes.flatMap { outcome -> [Entry] in
      let name = outcome.result.scenario.name
      func entry(_ check: String, _ severity: String, _ text: String) -> Entry {
        Entry(
          description: printable("\(name): \(text)"), checkName: check,
          fingerprint: String(
            Digest.sha256("\(check) \(outcome.job.file) \(name) \(text)").prefix(32)),
          severity: severity, location: location(report.place(of: outcome)))
      }
      var entries = report.missing(in: outcome).map {
        entry("expected-counterexample", "major", "expected, but not found: \($0)")
      }
      if let reason = report.openReason(of: outcome) {
        let isAllowed = report.judgement.policy.allowsInconclusive
        entries.append(entry("inconclusive", isAllowed ? "info" : "major", reason))
      }
      if outcome.result.verdict == .error {
        entries.append(entry("error", "blocker", outcome.result.notes.first ?? "it failed"))
      }
      return entries
    }
  }

  /// GitLab wants a place; without one it is the job's, which the program carries.
  private func location(_ place: (path: String, line: Int?)?) -> Entry.Location {
    .init(path: printable(place?.path ?? "reference.yml"), lines: .init(begin: place?.line ?? 1))
  }
}
