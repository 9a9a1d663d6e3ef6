import Foundation
import GRDB
import Model

/// How much a merge or an import added.
public struct Added: Codable, Sendable, Equatable {
  public var runs = 0
  public var counterexamples = 0
  public var executions = 0
  public var occurrences = 0
  public var decisions = 0
  public var observations = 0

  public init() {}

  public var isNothing: Bool { self == Added() }
}

extension Store {
  /// Takes over what another database has and this one has not. Merging the same one again changes
  /// nothing, and in whichever order databases are merged, statuses come out the same.
  ///
  /// A run is known by its uid, a counterexample by its fingerprint, an execution by its schedule,
  /// a decision or an observation by all that it says. The other database is only read; one of an
  /// older schema is refused.
  public func merge(_ other: Store) throws -> Added {
    let here = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    guard URL(fileURLWithPath: other.path).resolvingSymlinksInPath() != here else {
      throw StoreError.other(
        path: other.path, detail: "is the database that it is to be merged into")
    }
    do {
      return try queue.writeWithoutTransaction { db in
        try db.execute(sql: "ATTACH DATABASE ? AS other", arguments: [other.path])
        defer { try? db.execute(sql: "DETACH DATABASE other") }
        var added = Added()
        try db.inTransaction(.immediate) {
          added = try Merging(db: db).run()
          return .commit
        }
        return added
      }
    } catch {
      throw StoreError(error, path: path)
    }
  }

  /// Brings statuses up to what the histories say, after rows were added to them out of order.
  static func retell(_ counterexamples: [Int64], in db: GRDB.Database) throws {
    for id in counterexamples {
      guard let status = try MachineHistory(of: id, in: db).status else { continue }
      try db.execute(
        sql: "UPDATE counterexample SET machine_status = ? WHERE id = ? AND machine_status <> ?",
        arguments: [status.rawValue, id, status.rawValue])
    }
  }
}

/// The statements of a merge, in the order in which rows refer to each other. What has another number
/// here than there is looked up in temporary tables.
private struct Merging {
  let db: GRDB.Database

  func run() throws -> Added {
    var added = Added()
    for name in Self.maps {
      try db.execute(
        sql: """
          DROP TABLE IF EXISTS temp.\(name);
          CREATE TEMP TABLE \(name) (there INTEGER PRIMARY KEY, here INTEGER NOT NULL);
          """)
    }
    try execute(Self.images)
    added.runs = try execute(Self.runs)
    try execute(Self.runMap)
    added.counterexamples = try execute(Self.counterexamples)
    try execute(Self.counterexampleMap)
    let lastExecution = try Int64.fetchOne(db, sql: "SELECT max(id) FROM main.execution") ?? 0
    added.executions = try execute(Self.executions)
    try execute(Self.executionMap)
    for sql in Self.evidence { try execute(sql, ["last": lastExecution]) }
    added.occurrences = try execute(Self.occurrences)
    added.decisions = try execute(Self.decisions)
    added.observations = try execute(Self.observations)
    let touched = try Int64.fetchAll(db, sql: "SELECT here FROM temp.map_counterexample")
    if added.decisions + added.observations > 0 { try Store.retell(touched, in: db) }
    for name in Self.maps { try db.execute(sql: "DROP TABLE temp.\(name)") }
    return added
  }

  /// - Returns: how many rows the last statement added.
  @discardableResult
  private func execute(_ sql: String, _ arguments: StatementArguments = []) throws -> Int {
    if arguments.isEmpty {
      try db.execute(sql: sql)
    } else {
      try db.execute(sql: sql, arguments: arguments)
    }
    return db.changesCount
  }

  private static let maps = [
    "map_image", "map_scenario", "map_run", "map_counterexample", "map_execution",
  ]

  private static let images = """
    INSERT OR IGNORE INTO main.image (digest, arch, size, origin)
      SELECT digest, arch, size, origin FROM other.image ORDER BY id;
    INSERT INTO temp.map_image
      SELECT o.id, i.id FROM other.image o JOIN main.image i ON i.digest = o.digest;
    INSERT OR IGNORE INTO main.image_content (image, bytes)
      SELECT m.here, c.bytes FROM other.image_content c JOIN temp.map_image m ON m.there = c.image;
    INSERT OR IGNORE INTO main.scenario (name, digest, definition)
      SELECT name, digest, definition FROM other.scenario ORDER BY id;
    INSERT INTO temp.map_scenario
      SELECT o.id, s.id FROM other.scenario o
      JOIN main.scenario s ON s.name = o.name AND s.digest = o.digest;
    """

  private static let runs = """
    INSERT OR IGNORE INTO main.run (uid, started, finished, version, command, outcome)
      SELECT uid, started, finished, version, command, outcome FROM other.run ORDER BY id
    """

  /// A run that was under way when it was merged before may have ended since.
  private static let runMap = """
    INSERT INTO temp.map_run
      SELECT o.id, r.id FROM other.run o JOIN main.run r ON r.uid = o.uid;
    UPDATE main.run SET (finished, outcome) =
        (SELECT finished, outcome FROM other.run o WHERE o.uid = main.run.uid)
      WHERE finished IS NULL AND uid IN (SELECT uid FROM other.run WHERE finished IS NOT NULL);
    INSERT OR IGNORE INTO main.result (run, scenario, image, verdict, met, states, instructions,
        seconds, peak_memory_bytes, notes, open_ends)
      SELECT r.here, s.here, i.here, o.verdict, o.met, o.states, o.instructions, o.seconds,
        o.peak_memory_bytes, o.notes, o.open_ends
      FROM other.result o
      JOIN temp.map_run r ON r.there = o.run
      JOIN temp.map_scenario s ON s.there = o.scenario
      JOIN temp.map_image i ON i.there = o.image;
    """

  private static let counterexamples = """
    INSERT OR IGNORE INTO main.counterexample (fingerprint, identity_version, rule, title,
        lock_classes, functions, machine_status)
      SELECT fingerprint, identity_version, rule, title, lock_classes, functions, machine_status
      FROM other.counterexample ORDER BY id
    """

  private static let counterexampleMap = """
    INSERT INTO temp.map_counterexample
      SELECT o.id, c.id FROM other.counterexample o
      JOIN main.counterexample c ON c.fingerprint = o.fingerprint
    """

  private static let executions = """
    INSERT OR IGNORE INTO main.execution (counterexample, scenario, image, schedule,
        schedule_digest, steps, injected, interrupts, title, holders, waiters)
      SELECT c.here, s.here, i.here, o.schedule, o.schedule_digest, o.steps, o.injected,
        o.interrupts, o.title, o.holders, o.waiters
      FROM other.execution o
      JOIN temp.map_counterexample c ON c.there = o.counterexample
      JOIN temp.map_scenario s ON s.there = o.scenario
      JOIN temp.map_image i ON i.there = o.image
      ORDER BY o.id
    """

  private static let executionMap = """
    INSERT INTO temp.map_execution
      SELECT o.id, e.id FROM other.execution o
      JOIN temp.map_counterexample c ON c.there = o.counterexample
      JOIN temp.map_scenario s ON s.there = o.scenario
      JOIN temp.map_image i ON i.there = o.image
      JOIN main.execution e ON e.counterexample = c.here AND e.scenario = s.here
        AND e.image = i.here AND e.schedule_digest = o.schedule_digest
    """

  /// Of executions that are new here.
  private static let evidence = [
    """
    INSERT INTO main.event (execution, ordinal, kind, step, cpu, context, text, address, function,
        file, line, inlined, disassembly, interrupt_flag, held)
      SELECT m.here, ordinal, kind, step, cpu, context, text, address, function, file, line,
        inlined, disassembly, interrupt_flag, held
      FROM other.event o JOIN temp.map_execution m ON m.there = o.execution WHERE m.here > :last
    """,
    """
    INSERT INTO main.stack_frame (execution, stack, ordinal, context, address, function, file, line,
        inlined)
      SELECT m.here, stack, ordinal, context, address, function, file, line, inlined
      FROM other.stack_frame o JOIN temp.map_execution m ON m.there = o.execution
      WHERE m.here > :last
    """,
  ]

  private static let occurrences = """
    INSERT OR IGNORE INTO main.occurrence (execution, counterexample, run, found)
      SELECT e.here, c.here, r.here, o.found FROM other.occurrence o
      JOIN temp.map_execution e ON e.there = o.execution
      JOIN temp.map_counterexample c ON c.there = o.counterexample
      JOIN temp.map_run r ON r.there = o.run
      ORDER BY o.id
    """

  private static let decisions = """
    INSERT INTO main.triage (counterexample, decided, author, decision, duplicate_of, reason)
      SELECT c.here, o.decided, o.author, o.decision, d.here, o.reason
      FROM other.triage o
      JOIN temp.map_counterexample c ON c.there = o.counterexample
      LEFT JOIN temp.map_counterexample d ON d.there = o.duplicate_of
      WHERE NOT EXISTS (SELECT 1 FROM main.triage t WHERE t.counterexample = c.here
        AND t.decided = o.decided AND t.author = o.author AND t.decision = o.decision
        AND t.duplicate_of IS d.here AND t.reason = o.reason)
      ORDER BY o.decided, o.id
    """

  /// A run that was removed from the other database is no run here either.
  private static let observations = """
    INSERT INTO main.observation (counterexample, observed, run, scenario, image, outcome, status,
        reason)
      SELECT c.here, o.observed, r.here, o.scenario, i.here, o.outcome, o.status, o.reason
      FROM other.observation o
      JOIN temp.map_counterexample c ON c.there = o.counterexample
      LEFT JOIN temp.map_run r ON r.there = o.run
      LEFT JOIN temp.map_image i ON i.there = o.image
      WHERE NOT EXISTS (SELECT 1 FROM main.observation h WHERE h.counterexample = c.here
        AND h.observed = o.observed AND h.scenario = o.scenario AND h.outcome = o.outcome
        AND h.status = o.status AND h.reason = o.reason)
      ORDER BY o.observed, o.id
    """
}
