import Foundation

/// Queries kept as SQL files in `Database/Queries`, compiled into the program.
public enum SavedQuery: String, CaseIterable, Sendable {
  case counterexamples, executions, history, inconclusive, occurrences, open, rules, runs, uncertain

  public var sql: String { String(decoding: bytes, as: UTF8.self) }

  /// What it answers: the comment that opens the file, up to its first full stop.
  public var summary: String {
    let comment = sql.split(separator: "\n").prefix { $0.hasPrefix("--") }
      .map { $0.dropFirst(2).trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
    return String(comment.prefix { $0 != "." })
  }

  /// It can be asked by name: it has no parameters.
  public var isComplete: Bool { !sql.contains(/[^:]:[a-z]/) }

  /// Without the semicolon at its end, to be part of another statement.
  var statement: String {
    let text = sql.trimmingCharacters(in: .whitespacesAndNewlines)
    return text.hasSuffix(";") ? String(text.dropLast()) : text
  }

  private var bytes: [UInt8] {
    switch self {
    case .counterexamples: PackageResources.counterexamples_sql
    case .executions: PackageResources.executions_sql
    case .history: PackageResources.history_sql
    case .inconclusive: PackageResources.inconclusive_sql
    case .occurrences: PackageResources.occurrences_sql
    case .open: PackageResources.open_sql
    case .rules: PackageResources.rules_sql
    case .runs: PackageResources.runs_sql
    case .uncertain: PackageResources.uncertain_sql
    }
  }
}
