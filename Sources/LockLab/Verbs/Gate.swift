import ArgumentParser
import Database
import Foundation
import Model

struct Gate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check, and fail on counterexamples that are not in a baseline file.",
    discussion: """
      For continuous integration. The baseline is a text file, committed beside the code; what a \
      scenario expects to be broken needs no line in it. Inconclusive never passes.

      EXAMPLES
        locklab gate --baseline locklab-baseline.txt locklab.yml
        locklab gate --baseline locklab-baseline.txt --write-baseline locklab.yml
      """)

  @Option(
    help: ArgumentHelp("The accepted counterexamples.", valueName: "file"), completion: .file())
  var baseline: String
  @Flag(help: "Accept what is found now: write the baseline file.")
  var writeBaseline = false
  @OptionGroup(title: "What to check") var job: JobOptions
  @OptionGroup(title: "How to explore") var exploration: ExplorationFlags
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption
  @OptionGroup var progress: ProgressOption

  private struct Report: Encodable {
    var run: Int64
    var passed: Bool
    var new: [ScenarioJSON.Found]
    var missing: [String]
    var inconclusive: [String]
    var scenarios: [ScenarioJSON]
  }

  func run() throws {
    var accepted = Baseline()
    if !writeBaseline {
      guard FileManager.default.fileExists(atPath: baseline) else {
        throw Failure("\(baseline): no such baseline file; --write-baseline makes it")
      }
      accepted = try Baseline(file: baseline)
    }
    let plan = try Plan(job)
    let store = try Store(path: database.path, access: .write)
    let examination = try Examination(
      plan, store: store, flags: exploration, progress: ProgressReport(progress.progress))
    let outcomes = try examination.run(showing: output.format == .text)
    if writeBaseline {
      for finding in outcomes.flatMap(\.unexpected) {
        accepted.add(finding.counterexample.identity)
      }
    }
    let judgement = Judgement(outcomes, accepted: accepted)
    try examination.finish(judgement.status)
    if writeBaseline, judgement.status != .failure { try writeFile(baseline, accepted.text) }
    switch output.format {
    case .json: try printJSON(report(judgement, outcomes, run: examination.run))
    case .text: show(judgement)
    }
    Examination.complainOfErrors(outcomes)
    try judgement.status.exit()
  }

  private func report(
    _ judgement: Judgement, _ outcomes: [Examination.Outcome], run: Int64
  ) -> Report {
    Report(
      run: run, passed: judgement.status == .met,
      new: judgement.new.map {
        .init(
          id: $0.id, rule: $0.counterexample.rule,
          fingerprint: $0.counterexample.identity.fingerprint, title: $0.counterexample.title)
      }, missing: judgement.missing, inconclusive: judgement.inconclusive,
      scenarios: outcomes.map { ScenarioJSON($0) })
  }

  private func show(_ judgement: Judgement) {
    let terminal = Terminal.output
    print("")
    for finding in judgement.new {
      print(
        terminal.styled("not in the baseline: ", .red)
          + "\(finding.counterexample.rule): \(printable(finding.counterexample.title)) "
          + "(locklab show \(finding.id)\(database.hint))")
    }
    for text in judgement.missing {
      print(terminal.styled("expected, but not found: ", .red) + printable(text))
    }
    for name in judgement.inconclusive {
      print(terminal.styled("inconclusive: ", .yellow) + printable(name))
    }
    if writeBaseline, judgement.status != .failure { print("wrote \(printable(baseline))") }
    print(
      judgement.status == .met
        ? terminal.styled("gate passed", .green) : terminal.styled("gate failed", .red))
  }
}
