import ArgumentParser
import Database
import Foundation

struct Query: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask the database: by flags, by a saved query's name, or in SQL.",
    discussion: """
      Without SQL it lists counterexamples, filtered by the flags. SQL is one SELECT; it can read \
      everything and change nothing. The view `sighting` joins what is asked for most; saved \
      queries are: rules, runs.

      EXAMPLES
        locklab query
        locklab query --rule 'lock-*' --since 2026-01-31 --format csv
        locklab query runs
        locklab query "SELECT rule, count(*) FROM counterexample GROUP BY rule"
      """)

  enum Form: String, ExpressibleByArgument, CaseIterable {
    case table, text, json, csv
  }

  @Argument(help: "A SELECT, or the name of a saved query.") var sql: String?

  @Option(help: ArgumentHelp("Only this rule.", valueName: "glob")) var rule: String?
  @Option(help: ArgumentHelp("Only seen in this scenario.", valueName: "glob"))
  var scenario: String?
  @Option(
    help: ArgumentHelp(
      "Only seen in this image: start of its digest, or its name.", valueName: "image"))
  var image: String?
  @Option(
    help: ArgumentHelp("Only seen since then: 2026-01-31, or with a time (UTC).", valueName: "time")
  )
  var since: String?
  @Option(help: ArgumentHelp("At most so many rows (default: 100; with SQL: all).", valueName: "n"))
  var limit: Int?
  @Option(help: "How rows are written: table (or text), json or csv.") var format = Form.table
  @OptionGroup var database: DatabaseOption

  /// Saved queries that need no argument.
  private static let named: [SavedQuery] = [.rules, .runs]

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is a number from 1.") }
    if sql != nil, rule != nil || scenario != nil || image != nil || since != nil {
      throw ValidationError("Filter flags go without SQL; write the condition into the SELECT.")
    }
    if let since,
      since.wholeMatch(of: /\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?/) == nil
    {
      throw ValidationError("--since is a date as in 2026-01-31 or 2026-01-31T12:00.")
    }
  }

  func run() throws {
    // Checks that the file is ours and of the present schema.
    _ = try Store(path: database.path, access: .read)
    let query = try ReadOnlyQuery(path: database.path)
    let rows: Rows
    if let sql {
      let saved = Self.named.first { $0.rawValue == sql }
      rows = try query.rows(of: saved?.sql ?? sql, limit: limit)
    } else {
      func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
      let count = limit ?? 100
      rows = try query.rows(
        of: SavedQuery.counterexamples.sql,
        arguments: [
          "rule": text(rule), "scenario": text(scenario), "image": text(image),
          "since": text(since?.replacing(" ", with: "T")), "limit": .integer(Int64(count) + 1),
        ], limit: count)
    }
    write(rows)
  }

  private func write(_ rows: Rows) {
    switch format {
    case .table, .text:
      let numeric = rows.columns.indices.map { column in
        rows.rows.contains { $0[column].isNumber }
      }
      var table = Table(
        columns: zip(rows.columns, numeric).map { .init($0, $1 ? .right : .left) })
      table.rows = rows.rows.map { $0.map(\.text) }
      for line in table.lines(.output) { print(line) }
      if rows.rows.isEmpty { print("(none)") }
      if rows.isCut { writeError("There are more: raise --limit.\n") }
    case .json: print(RowsText.json(rows))
    case .csv: print(RowsText.csv(rows), terminator: "")
    }
  }
}
