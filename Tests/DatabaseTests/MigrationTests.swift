import Foundation
import GRDB
import Model
import Testing

@testable import Database

/// Databases of earlier versions, made by the migrations of that time.
@Suite struct MigrationTests {
  let folder: Folder
  init() throws { folder = try Folder() }

  /// What version 1 wrote: three counterexamples, two of which the present identity takes for one.
  private func writeVersion1() throws -> String {
    let path = folder.path()
    let old = try DatabaseQueue(path: path)
    try old.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA journal_mode = WAL")
      try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
      try db.execute(sql: String(decoding: Schema.migrations[0], as: UTF8.self))
      try db.execute(sql: "PRAGMA user_version = 1")
      let definition = try json(Sample.scenario)
      try db.execute(
        sql: """
          INSERT INTO run (id, started, version, command) VALUES
            (1, '2026-01-01T00:00:00.000Z', '0', 'check'), (2, '2026-01-02T00:00:00.000Z', '0', 'check');
          INSERT INTO image (id, digest, arch, size, origin) VALUES (1, 'd', 'i386', 1, 'file:/k');
          INSERT INTO counterexample (id, fingerprint, identity_version, rule, title, lock_classes,
              functions, machine_status) VALUES
            (1, 'aa', 1, 'stack-reuse', 'one', '["table+0x40"]', '["f.isra.0"]', 'present'),
            (2, 'bb', 1, 'stack-reuse', 'two', '["table+0x80"]', '["f"]', 'new'),
            (3, 'cc', 1, 'deadlock', 'three', '[]', '["g"]', 'new');
          """)
      try db.execute(
        sql: "INSERT INTO scenario (id, name, digest, definition) VALUES (1, 'reader', 'e', ?)",
        arguments: [definition])
      try db.execute(
        sql: """
          INSERT INTO execution (id, counterexample, scenario, image, schedule, schedule_digest, steps,
              injected, interrupts, title, holders, waiters)
            SELECT id, id, 1, 1, '{"steps":[]}', 's', 7, '[]', id, title, '[]', '[]'
            FROM counterexample;
          INSERT INTO occurrence (execution, run, found) VALUES
            (1, 1, '2026-01-01T00:00:01.000Z'), (1, 2, '2026-01-02T00:00:01.000Z'),
            (2, 2, '2026-01-02T00:00:02.000Z'), (3, 2, '2026-01-02T00:00:03.000Z');
          INSERT INTO triage (counterexample, decided, author, decision, reason)
            VALUES (3, '2026-01-03T00:00:00.000Z', 'ada', 'fixed', 'done');
          """)
    }
    try old.close()
    return path
  }

  @Test func version_1_is_brought_up_to_date_and_nothing_is_lost() throws {
    let path = try writeVersion1()
    // A reader does it too: it needs the present schema.
    let store = try Store(path: path, access: .read)
    let raw = try RawDatabase(path)
    #expect(try raw.text("PRAGMA user_version") == "2")
    #expect(try raw.text("PRAGMA integrity_check") == "ok")
    #expect(try raw.text("PRAGMA foreign_key_check") == nil)
    #expect(try raw.text("SELECT group_concat(occurrences) FROM counterexample") == "2,1,1")
    #expect(
      try raw.text("SELECT last_seen FROM counterexample WHERE id = 1")
        == "2026-01-02T00:00:01.000Z")
    let first = try store.counterexample(1)
    let identity = Counterexample.Identity(
      rule: "stack-reuse", lockClasses: ["table"], functions: ["f"])
    #expect(first.fingerprint == identity.fingerprint && first.counterexample.identity == identity)
    #expect(first.machineStatus == "present" && first.occurrences.count == 2)
    #expect(first.observations.map(\.status) == [.present])
    // What is the same by now is said to be, and stays.
    #expect(try store.counterexample(2).triage.map(\.duplicateOf) == [1])
    #expect(try store.counterexample(3).triage.map(\.author) == ["ada"])

    // Found again, it is the same: and what was fixed has come back.
    let writer = try Store(path: path, access: .write)
    let run = try writer.beginRun(version: "1", command: "check")
    for (names, id) in [(["f"], Int64(1)), (["g"], 3)] {
      let rule = id == 1 ? "stack-reuse" : "deadlock"
      let again = Counterexample(
        rule: rule, title: "again",
        identity: .init(rule: rule, lockClasses: id == 1 ? ["table"] : [], functions: names),
        schedule: Schedule(steps: []))
      let recorded = try writer.record(
        again, scenario: Sample.scenario, image: Sample.image, run: run)
      #expect(recorded.id == id && !recorded.isNew)
    }
    #expect(try writer.counterexample(1).machineStatus == "present")
    #expect(try writer.counterexample(3).machineStatus == "reappeared")
  }

  @Test func two_copies_of_a_version_1_database_know_each_others_runs() throws {
    let path = try writeVersion1()
    let copy = folder.path("copy.db")
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    let store = try Store(path: path, access: .write)
    let added = try store.merge(try Store(path: copy, access: .read))
    #expect(added.runs == 0 && added.counterexamples == 0 && added.occurrences == 0)
    #expect(added.observations == 0)
  }
}
