import Foundation
import GRDB
import Model

extension Store {
  /// Takes over the counterexamples of a file, under a run of their own. The same file twice changes
  /// nothing.
  ///
  /// - Returns: what was added, and the numbers that the counterexamples have here.
  public func take(
    _ file: ExportFile, digest: String, version: String, command: String
  ) throws -> (added: Added, ids: [Int64]) {
    try write { db in
      var added = Added()
      let uid = "import \(digest)"
      let known = try Int64.fetchOne(
        db, sql: "SELECT id FROM run WHERE uid = ?", arguments: [uid])
      if known == nil {
        let now = timestamp()
        try db.execute(
          sql: """
            INSERT INTO run (uid, started, finished, version, command, outcome)
            VALUES (?, ?, ?, ?, ?, 0)
            """, arguments: [uid, now, now, version, command])
        added.runs = 1
      }
      let run = try known ?? Int64.fetchOne(db, sql: "SELECT max(id) FROM run")!
      var images: [String: ImageRecord] = [:]
      for image in file.images {
        let record = ImageRecord(
          digest: image.digest, arch: image.arch, size: image.bytes.count, origin: image.origin)
        images[image.digest] = record
        try Self.keep(record, bytes: image.bytes, in: db)
      }
      var ids: [Int64] = []
      for entry in file.entries {
        let (id, isNew) = try Self.take(
          entry, image: images[entry.image]!, run: known == nil ? run : nil, added: &added, in: db)
        ids.append(id)
        if isNew { added.counterexamples += 1 }
      }
      try Self.retell(ids, in: db)
      return (added, ids)
    }
  }

  /// Keeps an image's bytes, for one that cannot be made again.
  public func keep(_ image: ImageRecord, bytes: [UInt8]) throws {
    try write { db in try Self.keep(image, bytes: Data(bytes), in: db) }
  }

  /// An image's bytes, if the store has them.
  public func imageContent(_ digest: String) throws -> [UInt8]? {
    let bytes = try read { db in
      try Data.fetchOne(
        db,
        sql: """
          SELECT c.bytes FROM image_content c JOIN image i ON i.id = c.image WHERE i.digest = ?
          """, arguments: [digest])
    }
    guard let bytes else { return nil }
    guard Digest.sha256([UInt8](bytes)) == digest else {
      throw StoreError.damaged(path: path, detail: "image \(digest.prefix(12)) is not what it was")
    }
    return [UInt8](bytes)
  }

  /// Remembers an image with its bytes; where a known one was last seen is not forgotten.
  private static func keep(_ image: ImageRecord, bytes: Data, in db: GRDB.Database) throws {
    try db.execute(
      sql: "INSERT OR IGNORE INTO image (digest, arch, size, origin) VALUES (?, ?, ?, ?)",
      arguments: [image.digest, image.arch, image.size, image.origin])
    try db.execute(
      sql: """
        INSERT OR IGNORE INTO image_content (image, bytes)
        SELECT id, ? FROM image WHERE digest = ?
        """, arguments: [bytes, image.digest])
  }

  private static func take(
    _ entry: ExportFile.Entry, image: ImageRecord, run: Int64?, added: inout Added,
    in db: GRDB.Database
  ) throws -> (id: Int64, isNew: Bool) {
    let imageID = try Int64.fetchOne(
      db, sql: "SELECT id FROM image WHERE digest = ?", arguments: [image.digest])!
    var counterexample = entry.counterexample
    let identity = counterexample.identity
    counterexample.identity = .init(
      rule: identity.rule, lockClasses: identity.lockClasses, functions: identity.functions)
    let recorded = try insert(counterexample, in: db)
    let scenario = try entry.definition()
    let before = db.totalChangesCount
    let execution = try insert(
      counterexample, id: recorded.id, scenario: try id(of: scenario, in: db),
      image: imageID, in: db)
    if db.totalChangesCount > before { added.executions += 1 }
    if let run {
      try db.execute(
        sql: """
          INSERT OR IGNORE INTO occurrence (execution, counterexample, run, found)
          VALUES (?, ?, ?, ?)
          """, arguments: [execution, recorded.id, run, timestamp()])
      added.occurrences += db.changesCount
    }
    // What is known here already is not there again because a file from elsewhere has it too.
    if recorded.isNew {
      try observe(
        .found, of: recorded.id, scenario: scenario.name, image: imageID, run: run,
        reason: "Imported; found elsewhere on \(entry.found.prefix(10)).", in: db)
      added.observations += 1
    }
    for decision in entry.triage {
      try db.execute(
        sql: """
          INSERT INTO triage (counterexample, decided, author, decision, duplicate_of, reason)
          SELECT :id, :decided, :author, :decision, NULL, :reason
          WHERE NOT EXISTS (SELECT 1 FROM triage WHERE counterexample = :id AND decided = :decided
            AND author = :author AND decision = :decision AND reason = :reason)
          """,
        arguments: [
          "id": recorded.id, "decided": decision.decided, "author": decision.author,
          "decision": decision.decision.rawValue, "reason": decision.reason,
        ])
      added.decisions += db.changesCount
    }
    return (recorded.id, recorded.isNew)
  }
}
