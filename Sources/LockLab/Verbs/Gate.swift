import ArgumentParser
import Database
import Foundation
import Model

struct Gate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check, and fail on what is new: for continuous integration.",
    discussion: """
      Fails on counterexamples that are neither expected by their scenario nor accepted, on expected \
      ones that were not found, and on whatever was not examined to its end. Accepted is what the \
      baseline lists (a text file, committed beside the code), what a stored run has found already, \
      what the policy file suppresses, and what `locklab triage` calls intentional or false-positive.

      With --stored nothing is explored: it judges the last stored result of each scenario, as after \
      `locklab merge` of the databases of several shards.

      EXAMPLES
        locklab gate --baseline locklab-baseline.txt locklab.yml
        locklab gate --baseline locklab-baseline.txt --write-baseline locklab.yml
        locklab gate --policy locklab-gate.yml --report sarif=locklab.sarif locklab.yml
        locklab gate --against-run last --fail-on error locklab.yml
        locklab gate --no-baseline --shard 2/4 locklab.yml
        locklab gate --policy locklab-gate.yml --stored --db merged.db locklab.yml
      """)

  @OptionGroup(title: "What passes") var flags: PolicyFlags
  @Flag(help: "Accept what is found now: write the baseline file.")
  var writeBaseline = false
  @Flag(help: "Judge what the database holds of the scenarios; explore nothing.")
  var stored = false
  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("With --stored: only what this run found; repeatable.", valueName: "run"))
  var runs: [Int64] = []
  @OptionGroup(title: "What to check") var job: JobOptions
  @OptionGroup(title: "How to explore") var exploration: ExplorationFlags
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption
  @OptionGroup(title: "Reports") var reports: ReportFlags
  @OptionGroup var progress: ProgressOption

  func validate() throws {
    if !runs.isEmpty, !stored { throw ValidationError("--run goes with --stored.") }
    if writeBaseline, flags.baseline == nil, flags.policy == nil {
      throw ValidationError("--write-baseline needs --baseline FILE, or a policy that names it.")
    }
  }

  func run() throws {
    let began = Date()
    var policy = try flags.resolved()
    try reports.check(beside: output.format)
    var accepted = try baseline(of: &policy)
    let found = stored ? try judgeStored(&accepted) : try explore(&accepted, policy)
    let standings = try found.store.standings(of: found.outcomes.flatMap(\.findings).map(\.id))
    func judge() -> Judgement {
      Judgement(
        found.outcomes, policy: policy, accepted: accepted, standings: standings,
        isWhole: !job.isPartial && runs.isEmpty)
    }
    var judgement = judge()
    if writeBaseline, judgement.status != .failure {
      for item in judgement.new { accepted.add(item.finding.counterexample.identity) }
      // What no complete look at everything has found is not needed any more.
      for line in judgement.stale { accepted.remove(String(line.prefix(32)).lowercased()) }
      try writeFile(policy.baseline!, accepted.text)
      judgement = judge()
    }
    try found.examination?.finish(judgement.status)
    let json = GateJSON(
      judgement, found.outcomes, run: found.examination?.run, runs: found.runs)
    switch output.format {
    case .json: try printJSON(json)
    case .text: show(judgement, policy, compared: found.compared)
    }
    try reports.write(
      RunReport(
        verb: "gate", runs: found.runs, outcomes: found.outcomes, judgement: judgement,
        status: judgement.status, began: began, ended: Date(),
        paths: SourcePaths(root: reports.sourceRoot), json: json))
    Examination.complainOfErrors(found.outcomes)
    try judgement.status.exit()
  }

  /// What there is to judge.
  private struct Found {
    var outcomes: [Examination.Outcome]
    var runs: [Int64]
    var store: Store
    /// Nil: nothing was explored.
    var examination: Examination?
    /// The run that was compared with.
    var compared: Int64?
  }

  private func baseline(of policy: inout Policy) throws -> Baseline {
    guard let file = policy.baseline else {
      if writeBaseline { throw Failure("the policy file names no baseline to write") }
      return Baseline()
    }
    guard FileManager.default.fileExists(atPath: file) else {
      if writeBaseline {
        try checkWritable(file)
        return Baseline()
      }
      throw Failure("\(file): no such baseline file; --write-baseline makes it")
    }
    if writeBaseline { try checkWritable(file) }
    return try Baseline(file: file)
  }

  private func explore(_ accepted: inout Baseline, _ policy: Policy) throws -> Found {
    let plan = try Plan(job)
    let store = try Store(path: database.path, access: .write)
    // Before this run is the last one itself.
    let compared = try compare(with: &accepted, in: store, before: nil)
    let acceptsAny =
      try !accepted.isEmpty || !policy.suppressions.isEmpty || writeBaseline
      || policy.failOn > .note
      || !policy.severities.isEmpty
      || policy.acceptsDecisions && store.hasAcceptingDecisions()
    let examination = try Examination(
      plan, store: store, flags: exploration, progress: ProgressReport(progress.progress),
      goesOn: acceptsAny)
    let outcomes = try examination.run(showing: output.format == .text)
    return Found(
      outcomes: outcomes, runs: [examination.run], store: store, examination: examination,
      compared: compared)
  }

  private func judgeStored(_ accepted: inout Baseline) throws -> Found {
    let store = try Store(path: database.path, access: .read)
    let (outcomes, used) = try StoredExamination(
      store: store, runs: runs.isEmpty ? nil : runs,
      maxInterrupts: exploration.options.maxInterrupts
    ).outcomes(Plan.jobs(job))
    let compared = try compare(with: &accepted, in: store, before: used.min())
    if output.format == .text {
      let table = ScenarioTable(outcomes.map(\.result.scenario), terminal: .output)
      print(table.heading)
      for outcome in outcomes {
        for line in [table.row(outcome.result)] + table.notes(outcome.result) { print(line) }
      }
    }
    return Found(outcomes: outcomes, runs: used, store: store, compared: compared)
  }

  /// Adds what a stored run has found to what is accepted.
  /// - Parameter before: The first run that is judged; nil: none is in the store yet.
  private func compare(
    with accepted: inout Baseline, in store: Store, before: Int64?
  ) throws -> Int64? {
    guard let reference = flags.againstRun else { return nil }
    let run: Int64
    switch reference {
    case .number(let number):
      guard try store.hasRun(number) else {
        throw Failure("there is no run \(number) to compare with; `locklab query runs` lists them")
      }
      run = number
    case .last:
      guard let last = try store.lastRun(before: before) else {
        throw Failure("there is no earlier run to compare with; `locklab check` makes one")
      }
      run = last
    }
    for identity in try store.identities(foundBy: run) { accepted.add(identity) }
    return run
  }

  private func show(_ judgement: Judgement, _ policy: Policy, compared: Int64?) {
    let terminal = Terminal.output
    print("")
    let page = GatePage(
      judgement: judgement,
      comparedWith: (policy.baseline.map { _ in ["in the baseline"] } ?? [])
        + (compared.map { ["in run \($0)"] } ?? []), databaseHint: database.hint, terminal: terminal
    )
    for line in page.lines { print(line) }
    if writeBaseline, judgement.status != .failure { print("wrote \(printable(policy.baseline!))") }
    print(
      judgement.status == .met
        ? terminal.styled("gate passed", .green) : terminal.styled("gate failed", .red))
  }
}
