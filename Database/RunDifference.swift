import GRDB
import Model

/// One line of a list of counterexamples.
public struct CounterexampleLine: Codable, Sendable, Equatable {
  public var id: Int64
  public var rule: String
  public var fingerprint: String
  public var title: String
  public var machine: String
  public var person: String
}

/// A run, as a list shows it.
public struct RunLine: Codable, Sendable, Equatable {
  public var run: Int64
  public var started: String
  public var command: String
  public var version: String
  public var scenarios: Int
  /// Nil: it is under way, or was killed.
  public var outcome: Int?
}

/// What two runs found, compared.
public struct RunDifference: Sendable, Equatable {
  public var earlier: RunLine
  public var later: RunLine
  /// In the later run only.
  public var new: [Int64] = []
  /// In the earlier run only, and every scenario that had them says that they are gone.
  public var gone: [Int64] = []
  /// In the earlier run only, but the later one does not exclude them.
  public var open: [Int64] = []
  /// In both.
  public var present: [Int64] = []
}

extension Store {
  /// The run that a person means: its number, `last`, or `previous`.
  public func run(of reference: String) throws -> Int64 {
    try read { db in
      let found: Int64?
      switch reference {
      case "last": found = try Int64.fetchOne(db, sql: "SELECT max(id) FROM run")
      case "previous":
        found = try Int64.fetchOne(db, sql: "SELECT id FROM run ORDER BY id DESC LIMIT 1 OFFSET 1")
      default:
        found = try Int64(reference).flatMap {
          try Int64.fetchOne(db, sql: "SELECT id FROM run WHERE id = ?", arguments: [$0])
        }
      }
      guard let found else { throw StoreError.noRun(reference: reference) }
      return found
    }
  }

  public func difference(from earlier: Int64, to later: Int64) throws -> RunDifference {
    try read { db in
      var difference = RunDifference(
        earlier: try Self.run(earlier, in: db), later: try Self.run(later, in: db))
      let before = try Self.found(by: earlier, in: db)
      let after = try Self.found(by: later, in: db)
      // Both are sorted: one walk over the two.
      var (i, j) = (0, 0)
      var missing: [Int64] = []
      while i < before.count || j < after.count {
        if j == after.count || (i < before.count && before[i] < after[j]) {
          missing.append(before[i])
          i += 1
        } else if i == before.count || after[j] < before[i] {
          difference.new.append(after[j])
          j += 1
        } else {
          difference.present.append(before[i])
          i += 1
          j += 1
        }
      }
      for id in missing {
        if try Self.isGone(id, from: earlier, in: later, db) {
          difference.gone.append(id)
        } else {
          difference.open.append(id)
        }
      }
      return difference
    }
  }

  /// The lines of these counterexamples, in this order.
  public func lines(of ids: some Sequence<Int64>) throws -> [CounterexampleLine] {
    try read { db in
      let statement = try db.cachedStatement(
        sql: """
          SELECT id, rule, fingerprint, title, machine_status, person_status FROM counterexample
          WHERE id = ?
          """)
      return try ids.compactMap { id in
        try Row.fetchOne(statement, arguments: [id]).map { row in
          CounterexampleLine(
            id: row["id"], rule: row["rule"], fingerprint: row["fingerprint"],
            title: row["title"], machine: row["machine_status"], person: row["person_status"])
        }
      }
    }
  }

  private static func run(_ id: Int64, in db: GRDB.Database) throws -> RunLine {
    guard
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT *, (SELECT count(*) FROM result WHERE run = run.id) AS scenarios FROM run
          WHERE id = ?
          """, arguments: [id])
    else { throw StoreError.noRun(reference: String(id)) }
    return RunLine(
      run: id, started: row["started"], command: row["command"], version: row["version"],
      scenarios: row["scenarios"], outcome: row["outcome"])
  }

  private static func found(by run: Int64, in db: GRDB.Database) throws -> [Int64] {
    try Int64.fetchAll(
      db,
      sql: "SELECT DISTINCT counterexample FROM occurrence WHERE run = ? ORDER BY counterexample",
      arguments: [run])
  }

  /// Whether every scenario in which the one run found it was explored by the other run, and had
  /// said by its end that it is not there.
  private static func isGone(
    _ id: Int64, from earlier: Int64, in later: Int64, _ db: GRDB.Database
  ) throws -> Bool {
    let statement = try db.cachedStatement(
      sql: """
        SELECT NOT EXISTS (
          SELECT 1 FROM (
            SELECT DISTINCT s.name FROM execution e
            JOIN occurrence o ON o.execution = e.id AND o.run = :earlier
            JOIN scenario s ON s.id = e.scenario
            WHERE e.counterexample = :id) AS seen
          WHERE NOT EXISTS (SELECT 1 FROM result r JOIN scenario s ON s.id = r.scenario
              WHERE r.run = :later AND s.name = seen.name AND r.open_ends IS NOT NULL)
            OR 'not-found' IS NOT (SELECT outcome FROM observation
              WHERE counterexample = :id AND scenario = seen.name
                AND observed <= coalesce((SELECT finished FROM run WHERE id = :later), '9')
              ORDER BY observed DESC, observation.id DESC LIMIT 1))
        """)
    return try Bool.fetchOne(
      statement, arguments: ["id": id, "earlier": earlier, "later": later]) ?? false
  }
}
