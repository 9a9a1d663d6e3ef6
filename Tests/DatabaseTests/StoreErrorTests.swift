import GRDB
import Testing

@testable import Database

/// What SQLite's codes mean for a person, and what to do about it.
@Suite struct StoreErrorTests {
  @Test(arguments: [
    (ResultCode.SQLITE_FULL, StoreError.diskFull(path: "a.db")),
    (.SQLITE_NOTADB, .notADatabase(path: "a.db")),
    (.SQLITE_READONLY_DIRECTORY, .readOnly(path: "a.db")),
    (.SQLITE_BUSY_SNAPSHOT, .busy(path: "a.db")),
    (.SQLITE_CORRUPT_INDEX, .damaged(path: "a.db", detail: "why")),
    (.SQLITE_IOERR_WRITE, .other(path: "a.db", detail: "why")),
  ])
  func codes(code: ResultCode, error: StoreError) {
    #expect(StoreError(DatabaseError(resultCode: code, message: "why"), path: "a.db") == error)
    #expect(StoreError(code: code.rawValue, detail: "why", path: "a.db") == error)
    #expect(error.description.hasPrefix("a.db: "))
    #expect(!error.description.contains("\n"))
  }

  @Test func a_store_error_stays_what_it_is() {
    let error = StoreError.newerSchema(path: "b.db", found: 3, known: 1)
    #expect(StoreError(error, path: "a.db") == error)
  }
}
