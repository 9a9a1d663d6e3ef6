import ArgumentParser
import Database
import Foundation

struct Prune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Remove what is old: runs, and counterexamples that are gone if asked to.",
    discussion: """
      Without --counterexamples it removes old runs only. Of each counterexample its last sighting \
      stays, an execution for each image and definition, and its whole history; of each scenario its \
      last result.

      With --counterexamples it also removes those that are gone, were last seen before the time \
      given, and that nobody has decided anything about. Name the baseline files, so that what they \
      list stays, or say --no-baseline.

      EXAMPLES
        locklab prune --before 90d --dry-run
        locklab prune --before 2026-01-31 --vacuum
        locklab prune --before 365d --counterexamples --baseline locklab-baseline.txt
      """)

  @Option(
    help: ArgumentHelp(
      "What was last touched before this: 2026-01-31, or 90d for 90 days ago.", valueName: "time"))
  var before: Moment
  @Flag(help: "Also counterexamples that are gone.") var counterexamples = false
  @Option(
    help: ArgumentHelp(
      "Keep what this baseline file lists; can be given more than once.", valueName: "file"),
    completion: .file())
  var baseline: [String] = []
  @Flag(help: "There is no baseline file.") var noBaseline = false
  @Flag(help: "Also counterexamples that a person decided about.") var triaged = false
  @Flag(help: "Only say what would be removed.") var dryRun = false
  @Flag(help: "Give the space back to the file system afterwards.") var vacuum = false
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption

  func validate() throws {
    if counterexamples, baseline.isEmpty != noBaseline {
      throw ValidationError("With --counterexamples, give --baseline FILE or --no-baseline.")
    }
    if !counterexamples, triaged || noBaseline || !baseline.isEmpty {
      throw ValidationError("--triaged and the baseline go with --counterexamples.")
    }
  }

  func run() throws {
    var pruning = Pruning(before: before.text)
    pruning.counterexamples = counterexamples
    pruning.triaged = triaged
    pruning.isRehearsal = dryRun
    for file in baseline { pruning.kept.formUnion(try Baseline(file: file).lines.keys) }
    _ = try Store(path: database.path, access: .read)
    let store = try Store(path: database.path, access: .write)
    let pruned = try store.prune(pruning)
    if vacuum, !dryRun { try store.compact() }
    if output.format == .json { return try printJSON(pruned) }
    let verb = dryRun ? "would remove" : "removed"
    for line in pruned.counterexamples {
      print(printable("\(verb) counterexample \(line.id): \(line.rule): \(line.title)"))
    }
    print(
      "\(verb) \(grouped(pruned.runs.count)) runs, \(grouped(pruned.occurrences)) occurrences, "
        + "\(grouped(pruned.executions)) executions, "
        + "\(grouped(pruned.counterexamples.count)) counterexamples")
  }
}
