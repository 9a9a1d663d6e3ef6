import GRDB
import Model

extension Store {
  /// What machine and people make of a counterexample, as far as a gate is concerned.
  public struct Standing: Sendable, Equatable {
    public var machine: String
    /// The fingerprints of what it is a duplicate of, nearest first.
    public var fingerprints: [String]
    /// The decision that lets it pass (`intentional`, `false-positive`): its own, or that on the
    /// counterexample of which it is a duplicate.
    public var acceptance: TriageEntry?
  }

  /// Whether a decision lets any counterexample pass.
  public func hasAcceptingDecisions() throws -> Bool {
    try read { db in
      try Bool.fetchOne(
        db,
        sql: """
          SELECT EXISTS (SELECT 1 FROM triage
          WHERE decision IN ('intentional', 'false-positive', 'duplicate'))
          """) ?? false
    }
  }

  /// - Parameter ids: Counterexamples' numbers.
  public func standings(of ids: [Int64]) throws -> [Int64: Standing] {
    try read { db in
      var result: [Int64: Standing] = [:]
      for id in Set(ids) { result[id] = try Self.standing(of: id, in: db) }
      return result
    }
  }

  private static func standing(of id: Int64, in db: GRDB.Database) throws -> Standing? {
    guard
      let machine = try String.fetchOne(
        db, sql: "SELECT machine_status FROM counterexample WHERE id = ?", arguments: [id])
    else { return nil }
    var standing = Standing(machine: machine, fingerprints: [])
    var passed: Set<Int64> = []
    var current = id
    // Duplicates of duplicates; people can write a circle.
    while passed.insert(current).inserted, let last = try triage(of: current, in: db).last {
      switch last.decision {
      case .intentional, .falsePositive:
        standing.acceptance = last
        return standing
      case .duplicate:
        guard let original = last.duplicateOf else { return standing }
        current = original
        standing.fingerprints += try String.fetchAll(
          db, sql: "SELECT fingerprint FROM counterexample WHERE id = ?", arguments: [original])
      case .unreviewed, .confirmed, .fixed: return standing
      }
    }
    return standing
  }
}
