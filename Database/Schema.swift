import GRDB
import Model

/// The database's layout: an SQLite file marked as LockLab's, brought up to date by numbered
/// migrations. `user_version` is the number of the last one that was applied.
enum Schema {
  /// "LLab" in ASCII.
  static let applicationID: Int32 = 0x4C4C_6162

  /// The SQL of each migration, in order. It is compiled into the program, which can therefore be
  /// moved without its files.
  static let migrations: [[UInt8]] = [
    PackageResources._001_initial_sql, PackageResources._002_observations_sql,
  ]

  static var version: Int { migrations.count }

  enum Found: Equatable {
    case empty
    case current
    case older(Int)
  }

  /// Looks at a database without changing it.
  static func inspect(_ db: GRDB.Database, path: String) throws -> Found {
    let mark = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
    let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    if mark == 0, try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") == 0 {
      return .empty
    }
    guard mark == applicationID else { throw StoreError.foreign(path: path) }
    guard found <= version else {
      throw StoreError.newerSchema(path: path, found: found, known: version)
    }
    return found == version ? .current : .older(found)
  }

  /// Applies what is missing, in one transaction; another process may have done so meanwhile.
  static func migrate(_ db: GRDB.Database, path: String) throws {
    guard try inspect(db, path: path) != .current else { return }
    try db.inTransaction(.immediate) {
      let applied: Int
      switch try inspect(db, path: path) {
      case .current: return .commit
      case .empty:
        try db.execute(sql: "PRAGMA application_id = \(applicationID)")
        applied = 0
      case .older(let found): applied = found
      }
      for (index, sql) in migrations.enumerated().dropFirst(applied) {
        try db.execute(sql: String(decoding: sql, as: UTF8.self))
        try db.execute(sql: "PRAGMA user_version = \(index + 1)")
      }
      try bringIdentitiesUpToDate(db)
      return .commit
    }
  }

  /// Counterexamples that an earlier algorithm identified are known by the present one from now on.
  /// Two that turn out to be one defect stay, the later as a duplicate of the earlier.
  private static func bringIdentitiesUpToDate(_ db: GRDB.Database) throws {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT id, rule, lock_classes, functions, person_status FROM counterexample
        WHERE identity_version < ? ORDER BY id
        """, arguments: [Counterexample.Identity.currentVersion])
    for row in rows {
      let identity = try Store.identity(row)
      let original = try Int64.fetchOne(
        db, sql: "SELECT id FROM counterexample WHERE fingerprint = ?",
        arguments: [identity.fingerprint])
      if let original {
        guard row["person_status"] == Decision.unreviewed.rawValue else { continue }
        try db.execute(
          sql: """
            INSERT INTO triage (counterexample, decided, author, decision, duplicate_of, reason)
            VALUES (?, ?, 'locklab', 'duplicate', ?, ?)
            """,
          arguments: [
            row["id"], timestamp(), original,
            "They differ only in what an identity has left out since version \(identity.version).",
          ])
      } else {
        try db.execute(
          sql: """
            UPDATE counterexample SET fingerprint = ?, identity_version = ?, lock_classes = ?,
              functions = ? WHERE id = ?
            """,
          arguments: [
            identity.fingerprint, identity.version, try json(identity.lockClasses),
            try json(identity.functions), row["id"],
          ])
      }
    }
  }
}
