import GRDB

/// What the machine last saw of a counterexample.
public enum MachineStatus: String, Codable, Sendable, CaseIterable {
  /// Found, and in one run only.
  case new
  /// Found again by a later run.
  case present
  /// Every scenario in which it was found has since explored another image to the end without it.
  case gone
  /// Found again after it was gone, or after a person said that it was fixed.
  case reappeared
  /// No scenario has it now, but at least one could not tell: cut short, or changed since.
  case notReachable = "not-reachable-in-these-bounds"
}

/// What one scenario had to say about a counterexample.
public struct Observation: Codable, Sendable, Equatable {
  public enum Outcome: String, Codable, Sendable {
    case found
    case notFound = "not-found"
    /// Not found, and that proves nothing.
    case unknown
  }

  public var observed: String
  /// Nil: a replay.
  public var run: Int64?
  public var scenario: String
  /// The image's digest.
  public var image: String?
  public var outcome: Outcome
  /// The counterexample's status from then on.
  public var status: MachineStatus
  public var reason: String
}

extension Store {
  /// Adds what a replay has seen of a counterexample: `present`, `gone` or `notReachable`.
  ///
  /// It is taken as the word of one scenario: of the one named, or else of that whose execution
  /// `counterexample(_:)` shows. What the other scenarios said still counts, so that a
  /// counterexample with two scenarios is `gone` only when both have said so; and what is found
  /// after it was gone, or fixed, becomes `reappeared`.
  ///
  /// - Returns: the counterexample's status from now on.
  @discardableResult
  public func recordObservation(
    counterexample: Int64, status: MachineStatus, run: Int64?, reason: String,
    scenario: String? = nil, image: ImageRecord? = nil
  ) throws -> MachineStatus {
    try write { db in
      guard
        let name = try scenario
          ?? Row.fetchOne(
            db,
            sql: """
              SELECT s.name FROM (\(SavedQuery.executions.statement)) AS e
              JOIN scenario s ON s.id = e.scenario LIMIT 1
              """, arguments: ["counterexample": counterexample])?["name"]
      else { throw StoreError.noCounterexample(reference: String(counterexample)) }
      let outcome: Observation.Outcome =
        switch status {
        case .new, .present, .reappeared: .found
        case .gone: .notFound
        case .notReachable: .unknown
        }
      return try Self.observe(
        outcome, of: counterexample, scenario: name,
        image: try image.map { try Self.id(of: $0, in: db) },
        run: run, reason: reason, in: db)
    }
  }

  /// A counterexample's observations, oldest first.
  public func observations(of id: Int64) throws -> [Observation] {
    try read { try Self.observations(of: id, in: $0) }
  }

  static func observations(of id: Int64, in db: GRDB.Database) throws -> [Observation] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT o.*, i.digest FROM observation o LEFT JOIN image i ON i.id = o.image
        WHERE o.counterexample = ? ORDER BY o.observed, o.id
        """, arguments: [id]
    ).map { row in
      Observation(
        observed: row["observed"], run: row["run"], scenario: row["scenario"],
        image: row["digest"], outcome: Observation.Outcome(rawValue: row["outcome"]) ?? .unknown,
        status: MachineStatus(rawValue: row["status"]) ?? .notReachable, reason: row["reason"])
    }
  }

  /// Adds a scenario's word to the history, unless it says what it said before, and brings the
  /// counterexample's status up to date.
  @discardableResult
  static func observe(
    _ outcome: Observation.Outcome, of counterexample: Int64, scenario: String, image: Int64?,
    run: Int64?, reason: String, in db: GRDB.Database
  ) throws -> MachineStatus {
    var history = try MachineHistory(of: counterexample, in: db)
    let (status, isNews) = history.observe(outcome, scenario: scenario, run: run)
    guard isNews else { return status }
    let time = timestamp(after: history.latest)
    try db.execute(
      sql: """
        INSERT INTO observation (counterexample, observed, run, scenario, image, outcome, status,
          reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        counterexample, time, run, scenario, image, outcome.rawValue, status.rawValue, reason,
      ])
    try db.execute(
      sql: "UPDATE counterexample SET machine_status = ? WHERE id = ?",
      arguments: [status.rawValue, counterexample])
    return status
  }
}
