import GRDB

/// What is to be removed.
public struct Pruning: Sendable {
  /// Only what was last touched before this time (UTC, ISO 8601).
  public var before: String
  /// Counterexamples that are gone too, not only old runs.
  public var counterexamples = false
  /// Even those that a person decided about.
  public var triaged = false
  /// Fingerprints that stay, whatever else is said.
  public var kept: Set<String> = []
  public var isRehearsal = false

  public init(before: String) { self.before = before }
}

/// What was removed, or would be.
public struct Pruned: Codable, Sendable, Equatable {
  public var runs: [Int64] = []
  public var occurrences = 0
  public var executions = 0
  public var counterexamples: [CounterexampleLine] = []
  public var images = 0

  public init() {}
}

extension Store {
  /// Removes what is old and said again elsewhere.
  ///
  /// Of every counterexample that stays, its last sighting stays, and one execution for each image
  /// and definition that it was seen with; of every scenario its last result; and the histories.
  /// Counterexamples go only if asked for, if they are gone, if nobody decided anything about them
  /// and none is a duplicate of them, and if they are not among those to be kept. The last run
  /// stays, and so does one that may be under way.
  public func prune(_ pruning: Pruning) throws -> Pruned {
    do {
      return try queue.writeWithoutTransaction { db in
        var pruned = Pruned()
        try db.inTransaction(.immediate) {
          pruned = try Self.prune(pruning, in: db)
          // Nothing is as true as doing it, and taking it back.
          return pruning.isRehearsal ? .rollback : .commit
        }
        return pruned
      }
    } catch {
      throw StoreError(error, path: path)
    }
  }

  /// Gives the space of what was removed back to the file system; needs as much again meanwhile.
  public func compact() throws {
    do {
      try queue.writeWithoutTransaction { try $0.execute(sql: "VACUUM") }
    } catch {
      throw StoreError(error, path: path)
    }
  }

  private static func prune(_ pruning: Pruning, in db: GRDB.Database) throws -> Pruned {
    var pruned = Pruned()
    if pruning.counterexamples { pruned.counterexamples = try removeGone(pruning, in: db) }

    // Old sightings, but for the last one of each counterexample.
    let old: StatementArguments = ["before": pruning.before]
    try db.execute(
      sql: """
        CREATE TEMP TABLE old_run AS SELECT id FROM run
        WHERE started < :before AND id <> (SELECT max(id) FROM run)
          AND (finished IS NOT NULL
            OR started < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days'))
        """, arguments: old)
    try db.execute(
      sql: """
        DELETE FROM occurrence WHERE run IN (SELECT id FROM old_run) AND id NOT IN
          (SELECT id FROM (SELECT id, max(found) FROM occurrence GROUP BY counterexample))
        """)
    pruned.occurrences = db.changesCount
    try db.execute(
      sql: """
        DELETE FROM execution WHERE id NOT IN (SELECT execution FROM occurrence) AND EXISTS
          (SELECT 1 FROM execution o WHERE o.counterexample = execution.counterexample
            AND o.scenario = execution.scenario AND o.image = execution.image
            AND (o.interrupts, o.steps, o.id)
              < (execution.interrupts, execution.steps, execution.id))
        """)
    pruned.executions = db.changesCount
    // Results, but for the last one of each scenario.
    try db.execute(
      sql: """
        DELETE FROM result WHERE run IN (SELECT id FROM old_run) AND run < (SELECT max(r.run)
          FROM result r JOIN scenario s ON s.id = r.scenario
          WHERE s.name = (SELECT name FROM scenario WHERE id = result.scenario))
        """)
    pruned.runs = try Int64.fetchAll(
      db,
      sql: """
        DELETE FROM run WHERE id IN (SELECT id FROM old_run)
          AND id NOT IN (SELECT run FROM occurrence) AND id NOT IN (SELECT run FROM result)
        RETURNING id
        """
    ).sorted()
    try db.execute(sql: "DROP TABLE old_run")
    try db.execute(
      sql: """
        DELETE FROM image WHERE id NOT IN (SELECT image FROM execution)
          AND id NOT IN (SELECT image FROM result)
          AND id NOT IN (SELECT image FROM observation WHERE image IS NOT NULL)
        """)
    pruned.images = db.changesCount
    try db.execute(
      sql: """
        DELETE FROM scenario WHERE id NOT IN (SELECT scenario FROM execution)
          AND id NOT IN (SELECT scenario FROM result)
        """)
    return pruned
  }

  private static func removeGone(
    _ pruning: Pruning, in db: GRDB.Database
  ) throws -> [CounterexampleLine] {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT c.id, c.rule, c.fingerprint, c.title, c.machine_status, c.person_status
        FROM counterexample c
        WHERE c.machine_status = 'gone' AND c.last_seen < :before
          AND NOT EXISTS (SELECT 1 FROM observation
            WHERE counterexample = c.id AND observed >= :before)
          AND (:triaged OR NOT EXISTS (SELECT 1 FROM triage WHERE counterexample = c.id))
          AND NOT EXISTS (SELECT 1 FROM triage WHERE duplicate_of = c.id)
        ORDER BY c.id
        """, arguments: ["before": pruning.before, "triaged": pruning.triaged])
    let lines = rows.map { row in
      CounterexampleLine(
        id: row["id"], rule: row["rule"], fingerprint: row["fingerprint"], title: row["title"],
        machine: row["machine_status"], person: row["person_status"])
    }.filter { !pruning.kept.contains($0.fingerprint) }
    for line in lines {
      try db.execute(sql: "INSERT INTO pruned VALUES (?)", arguments: [line.id])
      for table in ["observation", "triage"] {
        try db.execute(
          sql: "DELETE FROM \(table) WHERE counterexample = ?", arguments: [line.id])
      }
      try db.execute(sql: "DELETE FROM counterexample WHERE id = ?", arguments: [line.id])
    }
    try db.execute(sql: "DELETE FROM pruned")
    return lines
  }
}
