import Foundation

/// Queries kept as SQL files in `Database/Queries`, compiled into the program.
public enum SavedQuery: String, CaseIterable, Sendable {
  case counterexamples, executions, occurrences, rules, runs

  public var sql: String { String(decoding: bytes, as: UTF8.self) }

  /// Without the semicolon at its end, to be part of another statement.
  var statement: String {
    let text = sql.trimmingCharacters(in: .whitespacesAndNewlines)
    return text.hasSuffix(";") ? String(text.dropLast()) : text
  }

  private var bytes: [UInt8] {
    switch self {
    case .counterexamples: PackageResources.counterexamples_sql
    case .executions: PackageResources.executions_sql
    case .occurrences: PackageResources.occurrences_sql
    case .rules: PackageResources.rules_sql
    case .runs: PackageResources.runs_sql
    }
  }
}
