import Foundation
import GRDB
import Model

/// A counterexample as the store keeps it: the defect, one execution that shows it, its history.
public struct StoredCounterexample {
  public var id: Int64
  public var fingerprint: String
  public var machineStatus: String
  public var personStatus: String
  /// The execution that is easiest to understand, on the image that was seen last: fewest injected
  /// interrupts, then fewest steps.
  public var counterexample: Counterexample
  public var scenario: Scenario
  public var image: ImageRecord
  public var occurrences: [Occurrence]
  public var triage: [TriageEntry]
  public var observations: [Observation]
}

public struct Occurrence: Codable, Sendable, Equatable {
  public var run: Int64
  public var found: String
  public var scenario: String
  public var image: String
}

extension Store {
  /// The counterexample that a person means: its number, or the start of its fingerprint (four
  /// digits or more).
  public func identifier(of reference: String) throws -> Int64 {
    try read { db in
      if let number = Int64(reference),
        try Bool.fetchOne(
          db, sql: "SELECT EXISTS (SELECT 1 FROM counterexample WHERE id = ?)",
          arguments: [number]) == true
      {
        return number
      }
      let prefix = reference.lowercased()
      guard prefix.count >= 4, prefix.allSatisfy(\.isHexDigit) else {
        throw StoreError.noCounterexample(reference: reference)
      }
      let found = try Int64.fetchAll(
        db,
        sql: """
          SELECT id FROM counterexample WHERE fingerprint >= ? AND fingerprint < ?
          ORDER BY id LIMIT 9
          """, arguments: [prefix, prefix + "g"])
      guard let first = found.first else { throw StoreError.noCounterexample(reference: reference) }
      guard found.count == 1 else {
        throw StoreError.ambiguous(reference: reference, candidates: found)
      }
      return first
    }
  }

  public func counterexample(_ id: Int64) throws -> StoredCounterexample {
    try read { db in
      guard
        let row = try Row.fetchOne(
          db, sql: SavedQuery.executions.sql, arguments: ["counterexample": id]),
        let head = try Row.fetchOne(
          db, sql: "SELECT * FROM counterexample WHERE id = ?", arguments: [id])
      else { throw StoreError.noCounterexample(reference: String(id)) }
      let execution: Int64 = row["id"]
      let identity = try Self.identity(row)
      return StoredCounterexample(
        id: id, fingerprint: head["fingerprint"], machineStatus: head["machine_status"],
        personStatus: head["person_status"],
        counterexample: Counterexample(
          rule: row["rule"], title: row["title"], identity: identity,
          schedule: try value(Schedule.self, ofJSON: row["schedule"]),
          injected: try value([String].self, ofJSON: row["injected"]),
          events: try Self.events(of: execution, in: db),
          stacks: try Self.stacks(of: execution, in: db),
          holders: try value([String].self, ofJSON: row["holders"]),
          waiters: try value([String].self, ofJSON: row["waiters"])),
        scenario: try Self.scenario(ofJSON: row["definition"]),
        image: try Row.fetchOne(
          db, sql: "SELECT * FROM image WHERE id = ?", arguments: [row["image"]]
        )
        .map(Self.image)!,
        occurrences: try Row.fetchAll(
          db, sql: SavedQuery.occurrences.sql, arguments: ["counterexample": id]
        ).map {
          Occurrence(
            run: $0["run"], found: $0["found"], scenario: $0["scenario"], image: $0["digest"])
        },
        triage: try Self.triage(of: id, in: db),
        observations: try Self.observations(of: id, in: db))
    }
  }

  static func identity(of id: Int64, in db: GRDB.Database) throws -> Counterexample.Identity {
    guard
      let row = try Row.fetchOne(
        db, sql: "SELECT rule, lock_classes, functions FROM counterexample WHERE id = ?",
        arguments: [id])
    else { throw StoreError.noCounterexample(reference: String(id)) }
    return try identity(row)
  }

  static func identity(_ row: Row) throws -> Counterexample.Identity {
    Counterexample.Identity(
      rule: row["rule"], lockClasses: try value([String].self, ofJSON: row["lock_classes"]),
      functions: try value([String].self, ofJSON: row["functions"]))
  }

  static func image(_ row: Row) -> ImageRecord {
    ImageRecord(digest: row["digest"], arch: row["arch"], size: row["size"], origin: row["origin"])
  }

  private static func location(_ row: Row) -> SourceLocation? {
    guard let file: String = row["file"], let line: Int = row["line"] else { return nil }
    return SourceLocation(file: file, line: line)
  }

  static func events(of execution: Int64, in db: GRDB.Database) throws -> [TraceEvent] {
    try Row.fetchAll(
      db, sql: "SELECT * FROM event WHERE execution = ? ORDER BY ordinal", arguments: [execution]
    ).map { row in
      TraceEvent(
        kind: TraceEvent.Kind(rawValue: row["kind"]) ?? .access, step: row["step"],
        cpu: row["cpu"], context: row["context"], text: row["text"],
        address: UInt64(bitPattern: row["address"]), function: row["function"],
        location: location(row), inlined: try value([String].self, ofJSON: row["inlined"]),
        disassembly: row["disassembly"], interruptFlag: row["interrupt_flag"],
        held: try value([String].self, ofJSON: row["held"]))
    }
  }

  static func stacks(of execution: Int64, in db: GRDB.Database) throws -> [ContextStack] {
    var stacks: [ContextStack] = []
    let rows = try Row.fetchAll(
      db, sql: "SELECT * FROM stack_frame WHERE execution = ? ORDER BY stack, ordinal",
      arguments: [execution])
    for row in rows {
      if row["ordinal"] == -1 {
        stacks.append(ContextStack(context: row["context"], frames: []))
      } else if !stacks.isEmpty {
        stacks[stacks.count - 1].frames.append(
          StackFrame(
            address: UInt64(bitPattern: row["address"]), function: row["function"],
            location: location(row), inlined: try value([String].self, ofJSON: row["inlined"])))
      }
    }
    return stacks
  }
}
