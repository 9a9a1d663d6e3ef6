import ArgumentParser
import Model

struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List scenarios: what each expects and covers.",
    discussion: """
      EXAMPLES
        locklab list
        locklab list locklab.yml --format json
      """)

  @OptionGroup(title: "What to list") var job: JobOptions
  @OptionGroup var output: FormatOption

  func run() throws {
    let plan = try Plan(job)
    if output.format == .json { return try printJSON(ListJSON(plan)) }
    var table = Table(columns: [
      .init("scenario", limit: 40), .init("image", limit: 24), .init("arch"), .init("expected"),
      .init("covers"),
    ])
    for item in plan.items {
      let scenario = item.scenario
      let rules = scenario.expectedRules
      table.rows.append([
        scenario.name, scenario.image, item.image.record.arch,
        rules.isEmpty ? "clean" : rules.joined(separator: ", "),
        scenario.covers.joined(separator: " "),
      ])
    }
    for line in table.lines(.output) { print(line) }
  }
}
