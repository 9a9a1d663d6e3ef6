import ArgumentParser
import Database
import Foundation

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Explore scenarios and store the counterexamples that they have.",
    discussion: """
      Without a job file it checks the reference kernel core that LockLab carries. Ctrl-C stops \
      cleanly: what was found is stored, what is left is inconclusive.

      EXAMPLES
        locklab check
        locklab check locklab.yml --scenario 'mouse-*' --time-limit 5m
        locklab check --image kernel.elf --from scheduler_start
        locklab check --format json > result.json
        locklab check locklab.yml --workers 8 --memory-limit 32G
        locklab check locklab.yml --resume
        locklab check locklab.yml --shard 2/4 --report junit=locklab.xml --report sarif=locklab.sarif
      """)

  @OptionGroup(title: "What to check") var job: JobOptions
  @OptionGroup(title: "How to explore") var exploration: ExplorationFlags
  @OptionGroup(title: "Long runs") var checkpoints: CheckpointFlags
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption
  @OptionGroup(title: "Reports") var reports: ReportFlags
  @OptionGroup var progress: ProgressOption

  func run() throws {
    let began = Date()
    try reports.check(beside: output.format)
    let plan = try Plan(job)
    let store = try Store(path: database.path, access: .write)
    let examination = try Examination(
      plan, store: store, flags: exploration, progress: ProgressReport(progress.progress),
      checkpoints: checkpoints, database: database.path)
    let outcomes = try examination.run(showing: output.format == .text)
    let status = Check.status(of: outcomes)
    try examination.finish(status)
    let json = RunJSON(run: examination.run, outcomes: outcomes)
    switch output.format {
    case .text:
      let summary = Summary(
        outcomes: outcomes, terminal: .output, databaseHint: database.hint, run: examination.run)
      for line in summary.lines { print(line) }
    case .json: try printJSON(json)
    }
    try reports.write(
      RunReport(
        verb: "check", runs: [examination.run], outcomes: outcomes, judgement: Judgement(outcomes),
        status: status, began: began, ended: Date(), paths: SourcePaths(root: reports.sourceRoot),
        json: json))
    Examination.complainOfErrors(outcomes)
    try status.exit()
  }

  static func status(of outcomes: [Examination.Outcome]) -> ExitStatus {
    outcomes.map { outcome -> ExitStatus in
      switch outcome.result.verdict {
      case .error: .failure
      case .inconclusive: .inconclusive
      case .clean, .violated: outcome.result.met ? .met : .unmet
      }
    }.max() ?? .met
  }
}
