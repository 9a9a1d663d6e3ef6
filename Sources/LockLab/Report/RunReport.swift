import Database
import Foundation
import Model

/// What reports are made of: a run, or results that were stored, and what was made of it.
struct RunReport {
  /// `check` or `gate`.
  var verb: String
  /// Runs of the database.
  var runs: [Int64]
  var outcomes: [Examination.Outcome]
  var judgement: Judgement
  var status: ExitStatus
  var began: Date
  var ended: Date
  var paths: SourcePaths
  /// What `--format json` writes.
  var json: any Encodable

  /// Whether new counterexamples are told from known ones.
  var hasBaseline: Bool { verb == "gate" }

  /// What a report of findings lists: everything that was not expected, and that the policy does not
  /// ignore.
  var findings: [Judgement.Item] {
    judgement.unexpected.filter { if case .ignored = $0.standing { false } else { true } }
  }

  /// What stands against a scenario, for reports of tests.
  func failures(of outcome: Examination.Outcome) -> [Judgement.Item] {
    let fingerprints = Set(outcome.unexpected.map(\.counterexample.identity.fingerprint))
    return judgement.new.filter {
      fingerprints.contains($0.finding.counterexample.identity.fingerprint)
    }
  }

  /// What a scenario found and the policy lets pass.
  func accepted(in outcome: Examination.Outcome) -> [Judgement.Item] {
    let fingerprints = Set(outcome.unexpected.map(\.counterexample.identity.fingerprint))
    return judgement.unexpected.filter {
      if case .new = $0.standing { return false }
      return fingerprints.contains($0.finding.counterexample.identity.fingerprint)
    }
  }

  func missing(in outcome: Examination.Outcome) -> [String] {
    judgement.missing.filter { $0.scenario == outcome.result.scenario.name }.map(\.rule)
  }

  func openReason(of outcome: Examination.Outcome) -> String? {
    judgement.inconclusive.first {
      $0.scenario == outcome.result.scenario.name && $0.outcome.job.file == outcome.job.file
    }?.reason
  }

  /// Where in the sources a counterexample is best looked at: as near to the end as a function goes
  /// that is part of its identity, and not one that it merely called, such as the lock's own; without
  /// one, the last place that is known, or where the job defines the scenario.
  func place(of item: Judgement.Item) -> (path: String, line: Int?)? {
    let counterexample = item.finding.counterexample
    let functions = Set(counterexample.identity.functions)
    let events = counterexample.events.reversed().map { ($0.function, $0.location) }
    let frames = counterexample.stacks.first?.frames.map { ($0.function, $0.location) } ?? []
    let places = (events.prefix(1) + frames + events.dropFirst()).compactMap {
      function, location -> (isOwn: Bool, path: String, line: Int)? in
      guard let location, let path = paths.relative(location.file) else { return nil }
      let name =
        function.firstRange(of: "+0x").map { String(function[..<$0.lowerBound]) } ?? function
      return (functions.contains(name), path, max(location.line, 1))
    }
    if let best = places.first(where: \.isOwn) ?? places.first { return (best.path, best.line) }
    return place(of: item.outcome)
  }

  /// Where a job defines a scenario.
  func place(of outcome: Examination.Outcome) -> (path: String, line: Int?)? {
    guard !outcome.job.isCarried, let path = paths.relative(outcome.job.file) else { return nil }
    return (path, outcome.job.place?.line)
  }
}

extension Judgement.Standing {
  /// Why a counterexample passes; nil: it does not.
  var acceptance: String? {
    switch self {
    case .new: nil
    case .light: "of less weight than the gate fails on"
    case .ignored: "its rule is ignored by the policy"
    case .inBaseline: "in the baseline"
    case .suppressed(let suppression):
      "suppressed by \(suppression.origin), \(suppression.expiryInWords): \(suppression.reason)"
    case .decided(let entry): "\(entry.decision.rawValue), says \(entry.author): \(entry.reason)"
    case .expected: "expected by its scenarios"
    }
  }
}
