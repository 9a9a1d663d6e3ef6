import Foundation
import GRDB
import Model

extension Store {
  /// What became of a counterexample that was recorded.
  public struct Recorded: Sendable, Equatable {
    public var id: Int64
    /// Not seen before, in any run.
    public var isNew: Bool
  }

  /// Opens a run; `command` is how it was called.
  public func beginRun(version: String, command: String) throws -> Int64 {
    try write { db in
      try db.execute(
        sql: """
          INSERT INTO run (uid, started, version, command)
          VALUES (lower(hex(randomblob(16))), ?, ?, ?)
          """, arguments: [timestamp(), version, command])
      return db.lastInsertedRowID
    }
  }

  public func finishRun(_ run: Int64, outcome: Int32) throws {
    try write { db in
      try db.execute(
        sql: "UPDATE run SET finished = ?, outcome = ? WHERE id = ?",
        arguments: [timestamp(), outcome, run])
    }
  }

  /// Stores what became of a scenario, when its counterexamples are all stored; and what it says
  /// about counterexamples that it had in earlier runs and has not now.
  public func record(_ result: ScenarioResult, image: ImageRecord, run: Int64) throws {
    try write { db in
      let scenario = try Self.id(of: result.scenario, in: db)
      let imageID = try Self.id(of: image, in: db)
      try db.execute(
        sql: """
          INSERT OR REPLACE INTO result (run, scenario, image, verdict, met, states, instructions,
            seconds, peak_memory_bytes, notes, open_ends)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          run, scenario, imageID, result.verdict.rawValue, result.met, result.states,
          Int64(clamping: result.instructions), result.seconds, result.peakMemoryBytes,
          try json(result.notes), try result.openEnds.map { try json($0) },
        ])
      try Self.observeAbsences(in: result, image: image, run: run, db)
    }
  }

  /// Stores a counterexample that a run found. When this returns, it is on the disk: announce it
  /// only then. A defect that is known already gets one occurrence more.
  public func record(
    _ counterexample: Counterexample, scenario: Scenario, image: ImageRecord, run: Int64
  ) throws -> Recorded {
    try write { db in
      let recorded = try Self.insert(counterexample, in: db)
      let imageID = try Self.id(of: image, in: db)
      let execution = try Self.insert(
        counterexample, id: recorded.id, scenario: try Self.id(of: scenario, in: db),
        image: imageID, in: db)
      try db.execute(
        sql: """
          INSERT OR IGNORE INTO occurrence (execution, counterexample, run, found)
          VALUES (?, ?, ?, ?)
          """, arguments: [execution, recorded.id, run, timestamp()])
      try Self.observe(
        .found, of: recorded.id, scenario: scenario.name, image: imageID, run: run,
        reason: "Found.", in: db)
      return recorded
    }
  }

  static func id(of scenario: Scenario, in db: GRDB.Database) throws -> Int64 {
    let definition = try json(scenario)
    let digest = Digest.sha256(definition)
    try db.execute(
      sql: "INSERT OR IGNORE INTO scenario (name, digest, definition) VALUES (?, ?, ?)",
      arguments: [scenario.name, digest, definition])
    return try Int64.fetchOne(
      db, sql: "SELECT id FROM scenario WHERE name = ? AND digest = ?",
      arguments: [scenario.name, digest])!
  }

  static func id(of image: ImageRecord, in db: GRDB.Database) throws -> Int64 {
    try Int64.fetchOne(
      db,
      sql: """
        INSERT INTO image (digest, arch, size, origin) VALUES (?, ?, ?, ?)
        ON CONFLICT (digest) DO UPDATE SET origin = excluded.origin RETURNING id
        """,
      arguments: [image.digest, image.arch, image.size, image.origin])!
  }

  static func insert(
    _ counterexample: Counterexample, in db: GRDB.Database
  ) throws -> Recorded {
    let identity = counterexample.identity
    try db.execute(
      sql: """
        INSERT OR IGNORE INTO counterexample (fingerprint, identity_version, rule, title,
          lock_classes, functions) VALUES (?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        identity.fingerprint, identity.version, counterexample.rule, counterexample.title,
        try json(identity.lockClasses), try json(identity.functions),
      ])
    let isNew = db.changesCount == 1
    let id = try Int64.fetchOne(
      db, sql: "SELECT id FROM counterexample WHERE fingerprint = ?",
      arguments: [identity.fingerprint])!
    return Recorded(id: id, isNew: isNew)
  }

  static func insert(
    _ counterexample: Counterexample, id: Int64, scenario: Int64, image: Int64,
    in db: GRDB.Database
  ) throws -> Int64 {
    let schedule = try json(counterexample.schedule)
    let digest = Digest.sha256(schedule)
    try db.execute(
      sql: """
        INSERT OR IGNORE INTO execution (counterexample, scenario, image, schedule,
          schedule_digest, steps, injected, interrupts, title, holders, waiters)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        id, scenario, image, schedule, digest, counterexample.steps,
        try json(counterexample.injected), counterexample.injected.count, counterexample.title,
        try json(counterexample.holders), try json(counterexample.waiters),
      ])
    let isNew = db.changesCount == 1
    let execution = try Int64.fetchOne(
      db,
      sql: """
        SELECT id FROM execution
        WHERE counterexample = ? AND scenario = ? AND image = ? AND schedule_digest = ?
        """,
      arguments: [id, scenario, image, digest])!
    // The same schedule on the same image yields the same evidence: it is there already.
    if isNew {
      try insert(counterexample.events, execution: execution, in: db)
      try insert(counterexample.stacks, execution: execution, in: db)
    }
    return execution
  }

  static func insert(
    _ events: [TraceEvent], execution: Int64, in db: GRDB.Database
  ) throws {
    let statement = try db.cachedStatement(
      sql: """
        INSERT INTO event (execution, ordinal, kind, step, cpu, context, text, address, function,
          file, line, inlined, disassembly, interrupt_flag, held)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    for (ordinal, event) in events.enumerated() {
      try statement.execute(arguments: [
        execution, ordinal, event.kind.rawValue, event.step, event.cpu, event.context, event.text,
        Int64(bitPattern: event.address), event.function, event.location?.file,
        event.location?.line, try json(event.inlined), event.disassembly, event.interruptFlag,
        try json(event.held),
      ])
    }
  }

  static func insert(
    _ stacks: [ContextStack], execution: Int64, in db: GRDB.Database
  ) throws {
    let statement = try db.cachedStatement(
      sql: """
        INSERT INTO stack_frame (execution, stack, ordinal, context, address, function, file, line,
          inlined) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    for (number, stack) in stacks.enumerated() {
      try statement.execute(arguments: [
        execution, number, -1, stack.context, 0, "", nil, nil, "[]",
      ])
      for (ordinal, frame) in stack.frames.enumerated() {
        try statement.execute(arguments: [
          execution, number, ordinal, stack.context, Int64(bitPattern: frame.address),
          frame.function, frame.location?.file, frame.location?.line, try json(frame.inlined),
        ])
      }
    }
  }
}
