import ArgumentParser
import Database

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare what two runs found: what is new, gone, still there.",
    discussion: """
      Gone is only what the later run excludes: it explored every scenario in which the earlier \
      one had it, to the end, on another image. What it did not find and does not exclude is \
      listed apart.

      EXAMPLES
        locklab diff 3 7
        locklab diff previous last
        locklab diff 3 last --format json
      """)

  @Argument(help: "The earlier run: its number, or previous.") var earlier: String
  @Argument(help: "The later run: its number, or last.") var later: String
  @Option(help: ArgumentHelp("At most so many lines of each kind.", valueName: "n"))
  var limit = 100
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption

  private struct Report: Encodable {
    var earlier: RunLine
    var later: RunLine
    var counts: [String: Int]
    var new: [CounterexampleLine]
    var gone: [CounterexampleLine]
    var notExcluded: [CounterexampleLine]
    var stillThere: [CounterexampleLine]
  }

  func validate() throws {
    if limit < 0 { throw ValidationError("--limit is a number from 0.") }
  }

  func run() throws {
    let store = try Store(path: database.path, access: .read)
    let difference = try store.difference(
      from: try store.run(of: earlier), to: try store.run(of: later))
    func lines(_ ids: [Int64]) throws -> [CounterexampleLine] {
      try store.lines(of: ids.prefix(limit))
    }
    let report = Report(
      earlier: difference.earlier, later: difference.later,
      counts: [
        "new": difference.new.count, "gone": difference.gone.count,
        "notExcluded": difference.open.count, "stillThere": difference.present.count,
      ],
      new: try lines(difference.new), gone: try lines(difference.gone),
      notExcluded: try lines(difference.open), stillThere: try lines(difference.present))
    if output.format == .json { return try printJSON(report) }
    print("earlier  \(words(difference.earlier))")
    print("later    \(words(difference.later))")
    show("New in run \(difference.later.run)", difference.new, report.new)
    show("Gone since run \(difference.earlier.run)", difference.gone, report.gone)
    show(
      "Not found by run \(difference.later.run), nor excluded by it", difference.open,
      report.notExcluded)
    show("Still there", difference.present, report.stillThere)
  }

  /// `run 3, 2026-01-31 12:00:05, 4 scenarios, ended with 1: locklab check locklab.yml`.
  private func words(_ run: RunLine) -> String {
    let time = run.started.prefix(19).replacing("T", with: " ")
    let scenarios = "\(run.scenarios) scenario\(run.scenarios == 1 ? "" : "s")"
    let end = run.outcome.map { "ended with \($0)" } ?? "not ended"
    return printable(
      "run \(run.run), \(time), \(scenarios), \(end): locklab \(run.command)")
  }

  private func show(_ title: String, _ ids: [Int64], _ lines: [CounterexampleLine]) {
    print("")
    print(Terminal.output.styled("\(title): \(ids.isEmpty ? "none" : grouped(ids.count))", .bold))
    guard !lines.isEmpty else { return }
    var table = Table(columns: [
      .init("id", .right), .init("rule"), .init("machine"), .init("person"), .init("what happened"),
    ])
    table.rows = lines.map { [String($0.id), $0.rule, $0.machine, $0.person, $0.title] }
    for line in table.lines(.output) { print("  " + line) }
    if lines.count < ids.count { print("  and \(grouped(ids.count - lines.count)) more (--limit)") }
  }
}
