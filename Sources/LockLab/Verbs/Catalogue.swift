import ArgumentParser
import Database
import Model

struct Catalogue: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print what the reference scenarios cover, as docs/catalogue.md has it.",
    discussion: """
      Takes the results from the database's last run of each reference scenario, so `locklab check` \
      comes first. Without results, --lacks prints which rows lack a clean scenario or a wrong build, \
      one a line, and ends with status 1 if there is one.

      EXAMPLES
        locklab catalogue > docs/catalogue.md
        locklab catalogue --lacks
      """,
    shouldDisplay: false)

  @Flag(help: "Print what is missing instead.") var lacks = false
  @OptionGroup var job: JobOptions
  @OptionGroup var database: DatabaseOption

  func run() throws {
    let plan = try Plan(job)
    if lacks {
      let lacks = plan.lacks()
      for lack in lacks { print(lack) }
      return try (lacks.isEmpty ? ExitStatus.met : .unmet).exit()
    }
    let store = try Store(path: database.path, access: .read)
    let results = try plan.items.map { item in
      guard let stored = try store.lastResult(of: item.scenario, image: item.image.record.digest)
      else {
        throw Failure(
          "\(database.path) has no result of scenario '\(item.scenario.name)': run 'locklab check' first"
        )
      }
      return stored.result
    }
    print(CataloguePage(plan, results: results).text, terminator: "")
  }
}
