import GRDB
import Model

/// What became of a scenario in a run, as the store keeps it.
public struct StoredResult {
  public var run: Int64
  /// When the run began.
  public var started: String
  public var result: ScenarioResult
  public var image: ImageRecord
  /// With their numbers; of each, the execution that is easiest to understand.
  public var counterexamples: [(id: Int64, counterexample: Counterexample)]
}

extension Store {
  /// The result that was stored last for exactly this scenario: same name, same definition.
  ///
  /// - Parameters:
  ///   - runs: Only of these runs; nil: of any.
  ///   - image: Only on this image (its digest); nil: on any.
  public func lastResult(
    of scenario: Scenario, runs: [Int64]? = nil, image: String? = nil
  ) throws -> StoredResult? {
    try read { db in
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT r.*, run.started, i.digest, i.arch, i.size, i.origin
          FROM result r
          JOIN scenario s ON s.id = r.scenario
          JOIN image i ON i.id = r.image
          JOIN run ON run.id = r.run
          WHERE s.name = :name AND s.digest = :digest AND (:image IS NULL OR i.digest = :image)
            AND (:runs IS NULL OR r.run IN (SELECT value FROM json_each(:runs)))
          ORDER BY run.started DESC, run.id DESC
          LIMIT 1
          """,
        arguments: [
          "name": scenario.name, "digest": Digest.sha256(try json(scenario)), "image": image,
          "runs": try runs.map { try json($0) },
        ])
      return try row.map { try Self.result($0, of: scenario, in: db) }
    }
  }

  private static func result(
    _ row: Row, of scenario: Scenario, in db: GRDB.Database
  ) throws -> StoredResult {
    let image = image(row)
    var result = ScenarioResult(
      scenario: scenario, arch: image.arch, verdict: Verdict(rawValue: row["verdict"]) ?? .error)
    result.states = row["states"]
    result.instructions = UInt64(clamping: row["instructions"] as Int64)
    result.seconds = row["seconds"]
    result.peakMemoryBytes = row["peak_memory_bytes"]
    result.notes = try value([String].self, ofJSON: row["notes"])
    result.openEnds = try (row["open_ends"] as String?).map {
      try value([String].self, ofJSON: $0)
    }
    let executions = try Row.fetchAll(
      db,
      sql: """
        SELECT e.*, c.rule, c.lock_classes, c.functions
        FROM occurrence o
        JOIN execution e ON e.id = o.execution
        JOIN counterexample c ON c.id = e.counterexample
        WHERE o.run = ? AND e.scenario = ? AND e.image = ?
        ORDER BY e.counterexample, e.interrupts, e.steps, e.id
        """, arguments: [row["run"], row["scenario"], row["image"]])
    var found: [(id: Int64, counterexample: Counterexample)] = []
    for execution in executions where found.last?.id != execution["counterexample"] {
      found.append((execution["counterexample"], try counterexample(execution, in: db)))
    }
    result.counterexamples = found.map(\.counterexample)
    return StoredResult(
      run: row["run"], started: row["started"], result: result, image: image, counterexamples: found
    )
  }

  private static func counterexample(_ row: Row, in db: GRDB.Database) throws -> Counterexample {
    let id: Int64 = row["id"]
    return Counterexample(
      rule: row["rule"], title: row["title"], identity: try identity(row),
      schedule: try value(Schedule.self, ofJSON: row["schedule"]),
      injected: try value([String].self, ofJSON: row["injected"]),
      events: try events(of: id, in: db), stacks: try stacks(of: id, in: db),
      holders: try value([String].self, ofJSON: row["holders"]),
      waiters: try value([String].self, ofJSON: row["waiters"]))
  }

  /// The run that ended last before `run` began, among those that examined something; nil as `run`:
  /// of all. Nil: there is none.
  public func lastRun(before run: Int64? = nil) throws -> Int64? {
    try read { db in
      try Int64.fetchOne(
        db,
        sql: """
          SELECT id FROM run
          WHERE (:run IS NULL OR id < :run) AND finished IS NOT NULL
            AND EXISTS (SELECT 1 FROM result WHERE result.run = run.id)
          ORDER BY started DESC, id DESC LIMIT 1
          """, arguments: ["run": run])
    }
  }

  public func hasRun(_ run: Int64) throws -> Bool {
    try read { db in
      try Bool.fetchOne(
        db, sql: "SELECT EXISTS (SELECT 1 FROM run WHERE id = ?)", arguments: [run]) ?? false
    }
  }

  /// The identities of what a run has found.
  public func identities(foundBy run: Int64) throws -> [Counterexample.Identity] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT DISTINCT c.rule, c.lock_classes, c.functions
          FROM occurrence o
          JOIN execution e ON e.id = o.execution
          JOIN counterexample c ON c.id = e.counterexample
          WHERE o.run = ?
          """, arguments: [run]
      ).map(Self.identity)
    }
  }

  /// How long scenarios took when they were explored last, by name: seconds, and whether that was
  /// to the end.
  public func earlierDurations() throws -> [String: (seconds: Double, isComplete: Bool)] {
    try read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT s.name, r.seconds, r.verdict <> 'inconclusive' AS complete, max(r.run)
          FROM result r JOIN scenario s ON s.id = r.scenario
          WHERE r.verdict <> 'error' AND r.states > 0
          GROUP BY s.name
          """)
      return Dictionary(
        uniqueKeysWithValues: rows.map { ($0["name"], ($0["seconds"], $0["complete"])) })
    }
  }
}
