import Foundation
import GRDB
import Model
import Testing

@testable import Database

/// Processes that are killed, disks that fill up: what was announced is there.
@Suite(.serialized) struct CrashTests {
  let folder: Folder
  /// In memory where there is such a folder: a kill does not lose what the system has to write yet,
  /// and nothing waits for a disk.
  init() throws { folder = try Folder(in: "/dev/shm") }

  private static let writer: URL = {
    var folder = Bundle.main.bundleURL
    while folder.path != "/" {
      let candidate = folder.appendingPathComponent("store-writer")
      if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
      folder.deleteLastPathComponent()
    }
    return URL(fileURLWithPath: "/no/store-writer")
  }()

  private struct Writer {
    var process: Process
    var output: Pipe
    var errors: Pipe

    init(_ path: String, _ name: String) throws {
      process = Process()
      output = Pipe()
      errors = Pipe()
      process.executableURL = CrashTests.writer
      process.arguments = [path, name]
      process.standardOutput = output
      process.standardError = errors
      try process.run()
    }

    func kill() { Foundation.kill(process.processIdentifier, SIGKILL) }

    /// The fingerprints that it announced; a line that was not finished is none.
    func announced() -> [String] {
      let text = String(
        decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      lines.removeLast()
      return lines
    }
  }

  @Test func whoever_is_killed_at_whatever_moment_loses_nothing_announced() throws {
    let path = folder.path()
    _ = try Store(path: path, access: .write)
    var generator = Seeded(
      seed: UInt64(ProcessInfo.processInfo.environment["LOCKLAB_SEED"] ?? "") ?? 7)
    let rounds = Int(ProcessInfo.processInfo.environment["LOCKLAB_KILLS"] ?? "") ?? 240
    var announced: Set<String> = []
    var kills = 0
    var round = 0
    while kills < rounds {
      round += 1
      // Three at once, so that a kill falls on every kind of moment of the others too.
      let writers = try (0..<3).map { try Writer(path, "w\(round)_\($0)") }
      // Some die before they have begun, most while they write.
      usleep(UInt32.random(in: 0...60_000, using: &generator))
      for writer in writers {
        usleep(UInt32.random(in: 0...20_000, using: &generator))
        writer.kill()
        kills += 1
      }
      for writer in writers { announced.formUnion(writer.announced()) }
      if round % 20 == 0 {
        let raw = try RawDatabase(path)
        #expect(try raw.text("PRAGMA integrity_check") == "ok", "after \(kills) kills")
      }
    }
    let stored = try Store(path: path, access: .read).read { db in
      try Set(String.fetchAll(db, sql: "SELECT fingerprint FROM counterexample"))
    }
    #expect(announced.count > 100, "only \(announced.count) were announced: it proves nothing")
    #expect(announced.isSubset(of: stored), "\(announced.subtracting(stored).count) are lost")
    let raw = try RawDatabase(path)
    #expect(try raw.text("PRAGMA integrity_check") == "ok")
    #expect(try raw.text("PRAGMA foreign_key_check") == nil)
    // Each is whole: with its execution, its evidence and its sighting.
    #expect(
      try raw.text(
        """
        SELECT count(*) FROM counterexample c
        WHERE occurrences <> (SELECT count(*) FROM occurrence o WHERE o.counterexample = c.id)
          OR occurrences = 0
          OR (SELECT count(*) FROM event v JOIN execution e ON e.id = v.execution
            WHERE e.counterexample = c.id) <> 20
          OR NOT EXISTS (SELECT 1 FROM observation o WHERE o.counterexample = c.id)
        """) == "0")
  }

  @Test func two_processes_that_write_and_one_that_reads_do_not_get_in_each_others_way() throws {
    let path = folder.path()
    let reader = try Store(path: path, access: .write)
    let writers = try ["a", "b"].map { try Writer(path, $0) }
    let end = Date(timeIntervalSinceNow: 1.5)
    var reads = 0
    while Date() < end {
      _ = try ReadOnlyQuery(path: path).rows(of: "SELECT * FROM sighting LIMIT 50")
      _ = try reader.lines(of: [1, 2, 3])
      reads += 1
    }
    for writer in writers { writer.kill() }
    for (writer, name) in zip(writers, ["a", "b"]) {
      let announced = Set(writer.announced())
      let stored = try reader.read { db in
        try Set(
          String.fetchAll(
            db,
            sql: """
              SELECT c.fingerprint FROM counterexample c JOIN occurrence o ON o.counterexample = c.id
              JOIN run r ON r.id = o.run WHERE r.command = ?
              """, arguments: [name]))
      }
      #expect(!announced.isEmpty && announced.isSubset(of: stored))
      let errors = String(
        decoding: writer.errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      #expect(errors == "")
    }
    #expect(reads > 5)
  }

  @Test func a_disk_that_fills_up_gives_one_error_and_nothing_is_lost() throws {
    try SmallDisk.with(kilobytes: 2000) { disk in
      let path = disk + "/locklab.db"
      let writer = try Writer(path, "w")
      let announced = writer.announced()
      let errors = String(
        decoding: writer.errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      #expect(writer.process.terminationStatus == 3)
      #expect(errors == StoreError.diskFull(path: path).description + "\n")
      #expect(announced.count > 10)
      // Nothing can be written, but what is there can be read, and saved elsewhere.
      let copy = folder.path("copy.db")
      let store = try Store(path: path, access: .read)
      try store.backUp(to: copy, overwrite: false)
      for file in [path, copy] {
        let raw = try RawDatabase(file)
        #expect(try raw.text("PRAGMA integrity_check") == "ok")
        #expect(try raw.text("SELECT count(*) FROM counterexample") == "\(announced.count)")
      }
      #expect(throws: StoreError.diskFull(path: path)) {
        let full = try Store(path: path, access: .write)
        let run = try full.beginRun(version: "0", command: "check")
        for number in 0..<1000 {
          _ = try full.record(
            Sample.counterexample(function: "f\(number)"), scenario: Sample.scenario,
            image: Sample.image, run: run)
        }
      }
    }
  }

  @Test func a_database_on_a_read_only_disk_says_so() throws {
    let path = folder.path()
    do {
      let store = try Store(path: path, access: .write)
      _ = try store.beginRun(version: "0", command: "check")
    }
    try ReadOnlyMount.with(path) { mounted in
      // Readers too write beside it: the index of what is being written.
      for access in [Store.Access.write, .read] {
        #expect(throws: StoreError.readOnly(path: mounted)) {
          try Store(path: mounted, access: access)
        }
      }
    }
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a seed repeats a run.
private struct Seeded: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
