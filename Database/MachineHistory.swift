import GRDB

/// A counterexample's history, told in order: what its scenarios saw and what people decided yield
/// its machine status.
///
/// The status is a function of the history alone, so that databases which are merged come to the
/// same status whichever was first.
struct MachineHistory {
  private enum Sightings {
    case none
    case inRun(Int64)
    case several
  }

  /// Nil: never observed.
  private(set) var status: MachineStatus?
  /// The time of the last entry.
  private(set) var latest = ""
  /// Each scenario's last word, with the status that it led to, as far as nobody has decided
  /// anything since.
  private var fresh: [String: (Observation.Outcome, MachineStatus)] = [:]
  private var words: [String: Observation.Outcome] = [:]
  private var sightings = Sightings.none
  private var isGoneSinceFound = false
  private var isFixed = false
  /// A person decided something after it had reappeared.
  private var isLookedAt = false

  init() {}

  /// The history as it is stored.
  init(of id: Int64, in db: GRDB.Database) throws {
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT decided AS time, author AS kind, id, decision AS what, NULL AS scenario, NULL AS run
        FROM triage WHERE counterexample = :id
        UNION ALL
        SELECT observed, '', id, outcome, scenario, run FROM observation WHERE counterexample = :id
        ORDER BY 1, 2, 3
        """, arguments: ["id": id])
    while let row = try rows.next() {
      let what: String = row["what"]
      if row["scenario"] == nil {
        decide(Decision(rawValue: what) ?? .unreviewed)
      } else {
        observe(
          Observation.Outcome(rawValue: what) ?? .unknown, scenario: row["scenario"],
          run: row["run"])
      }
      latest = row["time"]
    }
  }

  mutating func decide(_ decision: Decision) {
    isFixed = decision == .fixed
    isLookedAt = true
    fresh = [:]
  }

  /// - Returns: the status from then on, and whether this says anything that was not known.
  @discardableResult
  mutating func observe(
    _ outcome: Observation.Outcome, scenario: String, run: Int64?
  ) -> (status: MachineStatus, isNews: Bool) {
    words[scenario] = outcome
    let now = outcome == .found ? found(by: run) : missed()
    let isNews = fresh[scenario].map { $0 != (outcome, now) } ?? true
    fresh[scenario] = (outcome, now)
    if now == .gone { isGoneSinceFound = true }
    status = now
    return (now, isNews)
  }

  private mutating func found(by run: Int64?) -> MachineStatus {
    let isOneRun: Bool
    switch (sightings, run) {
    case (.none, let run?):
      sightings = .inRun(run)
      isOneRun = true
    case (.inRun(let first), let run?) where first == run: isOneRun = true
    default:
      isOneRun = status == nil
      sightings = .several
    }
    defer { isGoneSinceFound = false }
    if isGoneSinceFound || isFixed {
      isLookedAt = false
      return .reappeared
    }
    // It stays so until somebody has looked at it.
    if status == .reappeared, !isLookedAt { return .reappeared }
    return isOneRun ? .new : .present
  }

  private func missed() -> MachineStatus {
    // One scenario that still has it is enough.
    if words.values.contains(.found), let status { return status }
    return words.values.allSatisfy { $0 == .notFound } ? .gone : .notReachable
  }
}
