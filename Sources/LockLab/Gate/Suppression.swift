import Foundation
import Model

/// A counterexample that the repository asks the gate to let pass: for a reason, and not longer than
/// was said.
struct Suppression {
  enum Target: Equatable {
    /// One counterexample.
    case fingerprint(String)
    /// Every counterexample of a rule in which a function takes part.
    case function(String, rule: String)
  }

  /// Until when it holds.
  enum Expiry: Equatable {
    case never
    /// The last day, in UTC: `2026-12-31`.
    case after(String)
  }

  var target: Target
  var reason: String
  var expiry: Expiry
  var file: String
  var place: JobError.Place?

  func fits(_ identity: Counterexample.Identity) -> Bool {
    switch target {
    case .fingerprint(let fingerprint): identity.fingerprint == fingerprint
    case .function(let function, let rule):
      identity.rule == rule && identity.functions.contains(function)
    }
  }

  /// - Parameter today: `2026-12-31`.
  func isExpired(on today: String) -> Bool {
    switch expiry {
    case .never: false
    case .after(let last): today > last
    }
  }

  /// `locklab-gate.yml:9:5`.
  var origin: String { place.map { "\(file):\($0.line):\($0.column)" } ?? file }

  var targetInWords: String {
    switch target {
    case .fingerprint(let fingerprint): fingerprint
    case .function(let function, let rule): "\(rule) in \(function)"
    }
  }

  var expiryInWords: String {
    switch expiry {
    case .never: "does not expire"
    case .after(let last): "until \(last)"
    }
  }

  /// Today in UTC, as suppressions write days.
  static func today(_ date: Date = Date()) -> String {
    date.formatted(Date.ISO8601FormatStyle().year().month().day())
  }
}
