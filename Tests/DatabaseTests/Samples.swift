import Database
import Foundation
import GRDB
import Model

/// A folder of its own for a test's files.
final class Folder {
  let url: URL

  init(in place: String? = nil) throws {
    let usable = place.flatMap { FileManager.default.isWritableFile(atPath: $0) ? $0 : nil }
    url = (usable.map { URL(fileURLWithPath: $0) } ?? FileManager.default.temporaryDirectory)
      .appendingPathComponent("locklab-database-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String = "locklab.db") -> String { url.appendingPathComponent(name).path }
}

enum Sample {
  static let image = ImageRecord(
    digest: Digest.sha256("image"), arch: "i386", size: 4096, origin: "builtin:core-i386")

  static var scenario: Scenario {
    var scenario = Scenario(name: "reader-and-writer", image: "core")
    scenario.sources = [Source(name: "keyboard", line: 1)]
    return scenario
  }

  static func counterexample(
    rule: String = "deadlock-on-interrupt", function: String = "console_write", after count: Int = 7
  ) -> Counterexample {
    Counterexample(
      rule: rule, title: "A handler waits for console_lock.",
      identity: .init(
        rule: rule, lockClasses: ["console_lock"], functions: [function, "keyboard"]),
      schedule: Schedule(steps: [
        .init(raise: nil, instructions: count), .init(raise: 0, instructions: 5),
      ]),
      injected: ["keyboard"],
      events: [
        TraceEvent(
          kind: .acquire, step: 7, cpu: 0, context: "task reader", text: "acquires console_lock",
          address: 0xFFFF_FFFF_8010_0000, function: function,
          location: SourceLocation(file: "console.swift", line: 41),
          inlined: ["acquire (inlined at console.swift:41)"], disassembly: "xchg [ecx], eax",
          interruptFlag: true, held: ["console_lock"]),
        TraceEvent(
          kind: .violation, step: 12, cpu: 0, context: "interrupt 33 (keyboard)", text: "waits",
          address: 0x10_0010),
      ],
      stacks: [
        ContextStack(
          context: "task reader",
          frames: [
            StackFrame(
              address: 0x10_0000, function: "\(function)+0x1c",
              location: SourceLocation(file: "console.swift", line: 41), inlined: ["acquire"])
          ]),
        ContextStack(context: "interrupt 33 (keyboard)", frames: []),
      ],
      holders: ["task reader holds console_lock."], waiters: ["the keyboard handler waits for it."])
  }
}

/// A database as any program opens it.
struct RawDatabase {
  private let queue: DatabaseQueue

  init(_ path: String) throws { queue = try DatabaseQueue(path: path) }

  func execute(_ sql: String) throws { try queue.write { try $0.execute(sql: sql) } }

  func text(_ sql: String) throws -> String? {
    try queue.read { try String.fetchOne($0, sql: sql) }
  }
}

extension Store {
  /// Every row of every table, as text; what a merge must not change when it is done again.
  static func dump(_ path: String) throws -> String {
    let queue = try DatabaseQueue(path: path)
    defer { try? queue.close() }
    return try queue.read { db in
      let tables = try String.fetchAll(
        db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      return try tables.flatMap { table in
        [table]
          + (try Row.fetchAll(db, sql: "SELECT * FROM \(table) ORDER BY 1").map(\.description))
      }.joined(separator: "\n")
    }
  }
}
