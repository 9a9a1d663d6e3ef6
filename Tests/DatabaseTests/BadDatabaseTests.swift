import Database
import Foundation
import GRDB
import Testing

@Suite struct BadDatabaseTests {
  let folder: Folder
  init() throws { folder = try Folder() }

  @Test func a_file_that_is_no_database_is_left_alone() throws {
    let path = folder.path("notes.txt")
    let text = String(repeating: "These are notes, and no database. ", count: 40)
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    for access in [Store.Access.read, .write] {
      #expect(throws: StoreError.notADatabase(path: path)) {
        try Store(path: path, access: access)
      }
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
  }

  @Test func another_programs_database_is_left_alone() throws {
    let path = folder.path("other.db")
    let other = try DatabaseQueue(path: path)
    try other.write { try $0.execute(sql: "CREATE TABLE song (title TEXT)") }
    try other.close()
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    for access in [Store.Access.read, .write] {
      #expect(throws: StoreError.foreign(path: path)) { try Store(path: path, access: access) }
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
  }

  @Test func a_newer_schema_is_refused() throws {
    let path = folder.path()
    _ = try Store(path: path, access: .write)
    let raw = try DatabaseQueue(path: path)
    try raw.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
    try raw.close()
    for access in [Store.Access.read, .write] {
      #expect(throws: StoreError.newerSchema(path: path, found: 99, known: 2)) {
        try Store(path: path, access: access)
      }
    }
  }

  @Test func a_reader_needs_a_database_that_exists() throws {
    let path = folder.path("none.db")
    #expect(throws: StoreError.noDatabase(path: path)) { try Store(path: path, access: .read) }
    #expect(!FileManager.default.fileExists(atPath: path))
    let empty = folder.path("empty.db")
    try Data().write(to: URL(fileURLWithPath: empty))
    #expect(throws: StoreError.noDatabase(path: empty)) { try Store(path: empty, access: .read) }
  }

  @Test func folders_that_are_missing_or_cannot_be_written_are_named() throws {
    let missing = folder.path("missing/locklab.db")
    #expect(throws: StoreError.noFolder(path: missing)) {
      try Store(path: missing, access: .write)
    }
    #expect(throws: StoreError.isFolder(path: folder.url.path)) {
      try Store(path: folder.url.path, access: .write)
    }
    // Even the superuser makes no files there.
    #expect(throws: StoreError.readOnly(path: "/proc/locklab.db")) {
      try Store(path: "/proc/locklab.db", access: .write)
    }
  }

  @Test func a_damaged_database_says_so() throws {
    let path = folder.path()
    let store = try Store(path: path, access: .write)
    let run = try store.beginRun(version: "0", command: "check")
    for number in 0..<50 {
      _ = try store.record(
        Sample.counterexample(function: "f\(number)"), scenario: Sample.scenario,
        image: Sample.image, run: run)
    }
    let raw = try DatabaseQueue(path: path)
    try raw.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
    try raw.close()
    let handle = try #require(FileHandle(forUpdatingAtPath: path))
    try handle.seek(toOffset: 4096)
    let end = try handle.seekToEnd()
    try handle.seek(toOffset: 4096)
    try handle.write(contentsOf: Data(repeating: 0x55, count: Int(end) - 4096))
    try handle.close()
    let error = #expect(throws: StoreError.self) {
      _ = try Store(path: path, access: .write).beginRun(version: "0", command: "check")
    }
    guard case .damaged = error else {
      Issue.record("not damaged, but \(String(describing: error))")
      return
    }
  }
}
