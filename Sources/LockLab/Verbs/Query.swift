import ArgumentParser
import Database
import Foundation

struct Query: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask the database: by flags, by a saved query's name, or in SQL.",
    discussion: """
      Without SQL it lists counterexamples, filtered by the flags. SQL is one SELECT; it can read \
      everything and change nothing. The view `sighting` joins what is asked for most.

      EXAMPLES
        locklab query
        locklab query --status new --status reappeared --rule 'lock-*'
        locklab query --function 'console_*' --since 2026-01-31 --format csv
        locklab query --text console_lock
        locklab query --saved open
        locklab query --list-saved
        locklab query "SELECT rule, count(*) FROM counterexample GROUP BY rule"
      """)

  enum Form: String, ExpressibleByArgument, CaseIterable {
    case table, text, json, csv
  }

  @Argument(help: "A SELECT, or the name of a saved query.") var sql: String?

  @Option(help: ArgumentHelp("Only this rule.", valueName: "glob")) var rule: String?
  @Option(
    help: ArgumentHelp(
      "Only of this status, the machine's or a person's; can be given more than once.",
      valueName: "status"), completion: .list(StatusFilter.allValueStrings))
  var status: [StatusFilter] = []
  @Option(help: ArgumentHelp("Only seen in this scenario.", valueName: "glob"))
  var scenario: String?
  @Option(
    help: ArgumentHelp(
      "Only seen in this image: start of its digest, or its name.", valueName: "image"))
  var image: String?
  @Option(help: ArgumentHelp("Only with this function in conflict.", valueName: "glob"))
  var function: String?
  @Option(
    help: ArgumentHelp("Only seen since then: 2026-01-31, or with a time (UTC).", valueName: "time")
  )
  var since: Moment?
  @Option(
    help: ArgumentHelp("Only with this in title, rule, locks or functions.", valueName: "text"))
  var text: String?
  @Option(
    help: ArgumentHelp("Ask a saved query.", valueName: "name"),
    completion: .list(SavedQuery.named.map(\.rawValue)))
  var saved: String?
  @Flag(help: "List the saved queries.") var listSaved = false
  @Option(
    help: ArgumentHelp(
      "At most so many rows (default: 100; with SQL: 100,000).", valueName: "n"))
  var limit: Int?
  @Option(help: "How rows are written: table (or text), json or csv.") var format = Form.table
  @OptionGroup var database: DatabaseOption

  private var hasFilter: Bool {
    !status.isEmpty || [rule, scenario, image, function, text].contains { $0 != nil }
      || since != nil
  }

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is a number from 1.") }
    if sql != nil || saved != nil, hasFilter {
      throw ValidationError("Filter flags go without SQL; write the condition into the SELECT.")
    }
    if sql != nil, saved != nil { throw ValidationError("Give SQL or --saved, not both.") }
  }

  func run() throws {
    if listSaved { return write(Self.list) }
    // Checks that the file is ours and of the present schema.
    _ = try Store(path: database.path, access: .read)
    let query = try ReadOnlyQuery(path: database.path)
    if let saved = try savedQuery() {
      write(try query.rows(of: saved.sql, limit: limit ?? 100_000))
    } else if let sql {
      write(try query.rows(of: sql, limit: limit ?? 100_000))
    } else {
      let count = limit ?? 100
      let filter = try filter(limit: count + 1)
      write(
        try query.rows(of: SavedQuery.counterexamples.sql, arguments: filter, limit: count))
    }
  }

  private func savedQuery() throws -> SavedQuery? {
    guard let name = saved else { return SavedQuery.named.first { $0.rawValue == sql } }
    if let found = SavedQuery.named.first(where: { $0.rawValue == name }) { return found }
    let hint = Suggestion.hint(for: name, among: SavedQuery.named.map(\.rawValue))
    throw Failure(
      "there is no saved query '\(name)'\(hint.isEmpty ? "; --list-saved lists them" : hint)")
  }

  private func filter(limit: Int) throws -> [String: SQLValue] {
    func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
    func list(_ values: [String]) -> SQLValue {
      values.isEmpty ? .null : .text("[\(values.map { "\"\($0)\"" }.joined(separator: ","))]")
    }
    return [
      "rule": text(rule), "scenario": text(scenario), "image": text(image),
      "function": text(function), "pattern": text(pattern), "since": text(since?.text),
      "machine": list(status.compactMap(\.machine?.rawValue)),
      "person": list(status.compactMap(\.person?.rawValue)), "limit": .integer(Int64(limit)),
    ]
  }

  /// The text anywhere; what would be a wildcard in it is none.
  private var pattern: String? {
    text.map { "%" + $0.replacing(/[\\%_]/) { "\\" + $0.output } + "%" }
  }

  private static var list: Rows {
    Rows(
      columns: ["name", "what it lists"],
      rows: SavedQuery.named.map { [.text($0.rawValue), .text($0.summary)] })
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
    case .json: print(RowsText.json(rows))
    case .csv:
      print(RowsText.csv(rows, forTerminal: Terminal.output.isInteractive), terminator: "")
    }
    if rows.isCut { writeError("There are more: raise --limit.\n") }
  }
}

extension SavedQuery {
  /// Those that need no argument.
  static let named = allCases.filter(\.isComplete)
}

/// A status on either axis.
struct StatusFilter: ExpressibleByArgument {
  var machine: MachineStatus?
  var person: Decision?

  init?(argument: String) {
    machine = MachineStatus(rawValue: argument)
    person = Decision(rawValue: argument)
    if machine == nil, person == nil { return nil }
  }

  static var allValueStrings: [String] {
    MachineStatus.allCases.map(\.rawValue) + Decision.allCases.map(\.rawValue)
  }
}
