import Database
import Foundation
import Testing

@Suite struct ReadOnlyQueryTests {
  let folder: Folder
  let query: ReadOnlyQuery

  init() throws {
    folder = try Folder()
    let store = try Store(path: folder.path(), access: .write)
    let run = try store.beginRun(version: "0", command: "check")
    for rule in ["deadlock", "data-race"] {
      _ = try store.record(
        Sample.counterexample(rule: rule), scenario: Sample.scenario, image: Sample.image, run: run)
    }
    query = try ReadOnlyQuery(path: folder.path(), seconds: 1)
  }

  @Test func a_select_yields_columns_and_values() throws {
    let rows = try query.rows(
      of:
        "SELECT id, rule, 1.5 AS half, NULL AS none, x'00ff' AS bytes FROM counterexample ORDER BY id"
    )
    #expect(rows.columns == ["id", "rule", "half", "none", "bytes"])
    #expect(
      rows.rows[0] == [.integer(1), .text("deadlock"), .real(1.5), .null, .blob([0, 0xFF])])
    #expect(try query.rows(of: "SELECT 1 -- one\n;; /* done */ ").rows == [[.integer(1)]])
  }

  @Test(arguments: [
    "DELETE FROM counterexample", "UPDATE run SET command = ''", "DROP TABLE event",
    "INSERT INTO run (started, version, command) VALUES ('', '', '')", "CREATE TABLE t (a)",
    "ATTACH DATABASE 'other.db' AS other", "DETACH DATABASE main", "VACUUM INTO 'copy.db'",
    "PRAGMA query_only = OFF", "PRAGMA writable_schema = ON", "BEGIN", "REINDEX", "ANALYZE",
    "SELECT load_extension('evil')", "SELECT 1; DROP TABLE event", "", "  -- nothing",
    "WITH x AS (SELECT 1) DELETE FROM event", "EXPLAIN DELETE FROM event", "SELECT FROM",
    "ſelect 1",
  ])
  func whatever_is_not_one_select_is_refused(sql: String) throws {
    let error = #expect(throws: StoreError.self) { try query.rows(of: sql) }
    guard case .query = error else {
      Issue.record("not refused as a query, but \(String(describing: error))")
      return
    }
    #expect(
      try query.rows(of: "SELECT count(*) FROM counterexample").rows == [[.integer(2)]])
  }

  @Test func lists_can_be_taken_apart() throws {
    #expect(
      try query.rows(
        of: """
          SELECT DISTINCT value FROM counterexample, json_each(functions) ORDER BY value
          """
      ).rows == [[.text("console_write")], [.text("keyboard")]])
  }

  @Test(arguments: [
    "SELECT zeroblob(1000000000)", "SELECT hex(zeroblob(40000000))",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT zeroblob(60000000) FROM n",
    "SELECT * FROM pragma_table_info('run')", "SELECT writefile('x', 'y')", "SELECT edit('x')",
    "SELECT * FROM fsdir('/')",
  ])
  func a_query_cannot_take_all_the_memory_or_reach_outside(sql: String) throws {
    let error = #expect(throws: StoreError.self) { try query.rows(of: sql) }
    guard case .query = error else {
      Issue.record("not refused as a query, but \(String(describing: error))")
      return
    }
  }

  @Test func a_query_that_runs_away_is_stopped() throws {
    #expect(throws: StoreError.queryTooLong(seconds: 1)) {
      try query.rows(
        of: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
      )
    }
  }

  @Test func rows_over_the_limit_are_cut_and_it_is_said() throws {
    let rows = try query.rows(of: "SELECT id FROM counterexample", limit: 1)
    #expect(rows.rows.count == 1 && rows.isCut)
    #expect(try !query.rows(of: "SELECT id FROM counterexample", limit: 2).isCut)
  }

  @Test func the_list_of_counterexamples_can_be_filtered() throws {
    func ids(_ arguments: [String: SQLValue]) throws -> [SQLValue] {
      var all: [String: SQLValue] = ["limit": .integer(10)]
      all.merge(arguments) { $1 }
      return try query.rows(of: SavedQuery.counterexamples.sql, arguments: all).rows.map { $0[0] }
    }
    #expect(try ids([:]) == [.integer(2), .integer(1)])
    #expect(try ids(["rule": .text("dead*")]) == [.integer(1)])
    #expect(try ids(["scenario": .text("reader*")]).count == 2)
    #expect(try ids(["scenario": .text("nobody")]).isEmpty)
    #expect(try ids(["image": .text(String(Sample.image.digest.prefix(6)))]).count == 2)
    #expect(try ids(["image": .text("core-i386")]).count == 2)
    #expect(try ids(["since": .text("2999-01-01")]).isEmpty)
    #expect(try ids(["rule": .text("' OR 1 --")]).isEmpty)
    #expect(try ids(["function": .text("console_*")]).count == 2)
    #expect(try ids(["function": .text("console")]).isEmpty)
    #expect(try ids(["pattern": .text("%HANDLER waits%")]).count == 2)
    #expect(try ids(["pattern": .text("%data-race%")]) == [.integer(2)])
    #expect(try ids(["pattern": .text("%\\%%")]).isEmpty)
    #expect(try ids(["machine": .text("[\"new\",\"gone\"]")]).count == 2)
    #expect(try ids(["machine": .text("[\"gone\"]")]).isEmpty)
    #expect(try ids(["person": .text("[\"fixed\"]")]).isEmpty)
    #expect(
      try ids(["person": .text("[\"unreviewed\"]"), "rule": .text("deadlock")]) == [.integer(1)])
  }

  @Test func saved_queries_compile() throws {
    for saved in SavedQuery.allCases {
      _ = try query.rows(
        of: saved.sql, arguments: ["counterexample": .integer(1), "limit": .integer(5)])
    }
  }
}
