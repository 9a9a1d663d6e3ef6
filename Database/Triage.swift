import GRDB

/// What a person decided about a counterexample.
public enum Decision: String, Codable, Sendable, CaseIterable {
  case unreviewed, confirmed, intentional, fixed, duplicate
  case falsePositive = "false-positive"
}

public struct TriageEntry: Codable, Sendable, Equatable {
  public var decided: String
  public var author: String
  public var decision: Decision
  public var duplicateOf: Int64?
  public var reason: String
}

extension Store {
  /// Adds a decision to a counterexample's history; nothing that was decided before is lost.
  public func decide(
    _ decision: Decision, duplicateOf: Int64? = nil, about counterexample: Int64, author: String,
    reason: String
  ) throws {
    try write { db in
      let last = try MachineHistory(of: counterexample, in: db).latest
      try db.execute(
        sql: """
          INSERT INTO triage (counterexample, decided, author, decision, duplicate_of, reason)
          VALUES (?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          counterexample, timestamp(after: last), author, decision.rawValue, duplicateOf, reason,
        ])
    }
  }

  /// A counterexample's decisions, oldest first.
  public func triage(of id: Int64) throws -> [TriageEntry] {
    try read { try Self.triage(of: id, in: $0) }
  }

  static func triage(of id: Int64, in db: GRDB.Database) throws -> [TriageEntry] {
    try Row.fetchAll(
      db, sql: "SELECT * FROM triage WHERE counterexample = ? ORDER BY decided, author, id",
      arguments: [id]
    ).map { row in
      TriageEntry(
        decided: row["decided"], author: row["author"],
        decision: Decision(rawValue: row["decision"]) ?? .unreviewed,
        duplicateOf: row["duplicate_of"], reason: row["reason"])
    }
  }
}
