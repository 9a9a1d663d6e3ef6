import ArgumentParser
import Database

struct History: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print what scenarios saw of a counterexample and what people decided, in order.",
    discussion: """
      The machine's lines say what a scenario had to say, where it was not what it had said before, \
      and the status that followed from all scenarios together; the persons' lines are decisions.

      EXAMPLES
        locklab history 3
        locklab history 9c41f0 --format json
      """)

  @Argument(help: "A counterexample's number, or the start of its fingerprint.") var id: String
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption

  private struct Report: Encodable {
    var id: Int64
    var observations: [Observation]
    var triage: [TriageEntry]
  }

  func run() throws {
    let store = try Store(path: database.path, access: .read)
    let number = try store.identifier(of: id)
    if output.format == .json {
      return try printJSON(
        Report(
          id: number, observations: try store.observations(of: number),
          triage: try store.triage(of: number)))
    }
    let rows = try ReadOnlyQuery(path: database.path).rows(
      of: SavedQuery.history.sql, arguments: ["counterexample": .integer(number)])
    var table = Table(columns: [
      .init("when"), .init("axis"), .init("status"), .init("who"), .init("run", .right),
      .init("image"), .init("reason"),
    ])
    table.rows = rows.rows.map { row in
      var cells = row.map(\.text)
      cells[0] = cells[0].prefix(19) + "Z"
      return cells
    }
    for line in table.lines(.output) { print(line) }
  }
}
