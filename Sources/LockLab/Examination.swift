import Database
import Foundation
import Model

/// Explores the scenarios of a plan, each within its share of the time, and stores what they find at
/// once.
final class Examination {
  struct Finding {
    var counterexample: Counterexample
    var id: Int64
    var isNew: Bool
  }

  struct Outcome {
    var result: ScenarioResult
    var image: ImageRecord
    var findings: [Finding]
    var job: JobScenario
  }

  let run: Int64
  private let plan: Plan
  private let store: Store
  private let flags: ExplorationFlags
  private let progress: ProgressReport
  private let budget: Budget
  /// Searches go on to their last state though a rule is broken: the gate must see what a
  /// counterexample that it lets pass stands before.
  private let goesOn: Bool
  /// Where the run is written down; nil: nowhere.
  private var checkpoint: CheckpointFile?
  /// The run that this one goes on with, and the search that was under way.
  private var resumed: CheckpointFile.Opened?

  init(
    _ plan: Plan, store: Store, flags: ExplorationFlags, progress: ProgressReport,
    goesOn: Bool = false, checkpoints: CheckpointFlags? = nil, database: String = ""
  ) throws {
    self.plan = plan
    self.store = store
    self.flags = flags
    self.progress = progress
    self.goesOn = goesOn
    budget = Budget(limit: flags.timeLimit?.seconds)
    if let checkpoints {
      let file = CheckpointFile(
        path: checkpoints.checkpoint ?? CheckpointFile.standardPath(database: database),
        identity: try Self.identity(plan, flags, goesOn: goesOn),
        interval: checkpoints.checkpointEvery?.seconds ?? CheckpointFlags.standardInterval)
      checkpoint = file
      if checkpoints.resume {
        let opened = try file.open()
        guard try store.hasRun(opened.run) else {
          throw Failure("\(file.path): is of a run that \(database) does not have")
        }
        resumed = opened
        run = opened.run
        return
      }
    }
    run = try store.beginRun(
      version: LockLab.version, command: CommandLine.arguments.dropFirst().joined(separator: " "))
    do {
      try checkpoint?.write(run: run)
    } catch {
      // Who has named a place wants it there.
      if checkpoints?.checkpoint != nil { throw error }
      checkpoint = nil
    }
  }

  /// What must be the same for a run to be gone on with.
  private static func identity(
    _ plan: Plan, _ flags: ExplorationFlags, goesOn: Bool
  ) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    var lines = [
      "version \(LockLab.version)", "goes on \(goesOn)",
      "reductions "
        + flags.options.reductions.map(\.rawValue).sorted().joined(separator: ","),
    ]
    for item in plan.items {
      let definition = try encoder.encode(item.scenario.with(bound: flags.options.maxInterrupts))
      lines.append(
        "\(item.scenario.name) \(Digest.sha256([UInt8](definition))) \(item.image.record.digest)")
    }
    return lines.joined(separator: "\n")
  }

  /// Explores everything; each scenario's row is written as soon as its outcome is stored.
  /// - Returns: the outcomes in the order of the plan.
  func run(showing isShown: Bool) throws -> [Outcome] {
    Interruption.listen()
    let table = ScenarioTable(plan.items.map(\.scenario), terminal: .output)
    if isShown { print(table.heading) }
    var outcomes: [Int: Outcome] = [:]
    func settle(_ index: Int, _ outcome: Outcome) throws {
      try store.record(outcome.result, image: outcome.image, run: run)
      progress.clear()
      outcomes[index] = outcome
      guard isShown else { return }
      print(([table.row(outcome.result)] + table.notes(outcome.result)).joined(separator: "\n"))
      fflush(nil)
    }

    var round =
      budget.limit == nil
      ? Array(plan.items.indices)
      : Budget.order(plan.items.map(\.scenario.name), earlier: try store.earlierDurations())
    // What ran out of its share, and may get another one.
    var waiting: [Int: (outcome: Outcome, share: Double)] = [:]
    while !round.isEmpty {
      for (position, index) in round.enumerated() {
        let share = budget.share(of: round.count - position)
        if let earlier = waiting[index], Interruption.isRequested || (share ?? 0) <= earlier.share {
          continue
        }
        var outcome = try explore(index, share: share)
        if let earlier = waiting[index] { outcome.keep(earlier.outcome) }
        if isOpen(outcome), let share, share > 0, outcome.result.seconds >= share,
          !Interruption.isRequested
        {
          waiting[index] = (outcome, share)
        } else {
          waiting[index] = nil
          try settle(index, outcome)
        }
      }
      round =
        Interruption.isRequested
        ? [] : Budget.nextRound(waiting.mapValues(\.share), left: budget.left ?? 0)
    }
    for (index, last) in waiting.sorted(by: { $0.key < $1.key }) { try settle(index, last.outcome) }
    return plan.items.indices.map { outcomes[$0]! }
  }

  /// Whether more time could tell more.
  private func isOpen(_ outcome: Outcome) -> Bool {
    switch outcome.result.verdict {
    case .inconclusive: true
    case .violated:
      goesOn && outcome.result.scenario.expect == .clean && outcome.result.cutShort != nil
    case .clean, .error: false
    }
  }

  func finish(_ status: ExitStatus) throws {
    try store.finishRun(run, outcome: status.rawValue)
    checkpoint?.remove()
  }

  /// Says on standard error which scenarios could not be explored.
  static func complainOfErrors(_ outcomes: [Outcome]) {
    for result in outcomes.map(\.result) where result.verdict == .error {
      complain("scenario '\(result.scenario.name)': \(result.notes.first ?? "it failed")")
    }
  }

  /// - Parameter share: Seconds; nil: without limit.
  private func explore(_ index: Int, share: Double?) throws -> Outcome {
    let item = plan.items[index]
    if Interruption.isRequested {
      return unexplored(item, .inconclusive, "Not explored: the run was interrupted before.")
    }
    if let share, share <= 0 {
      return unexplored(item, .inconclusive, "Not explored: the run's time was used up before.")
    }
    var scenario = effective(item.scenario)
    if resumed != nil,
      let stored = try store.lastResult(
        of: scenario, runs: [run], image: item.image.record.digest)
    {
      return StoredExamination.outcome(stored, item.job)
    }
    let options = options(for: scenario, share: share)
    var findings: [String: Finding] = [:]
    var failure: (any Error)?
    func keep(_ counterexample: Counterexample) {
      do {
        let recorded = try store.record(
          counterexample, scenario: scenario, image: item.image.record, run: run)
        if item.image.isLinkedHere {
          try store.keep(item.image.record, bytes: item.image.prepared.bytes)
        }
        let fingerprint = counterexample.identity.fingerprint
        let isNew = recorded.isNew || findings[fingerprint]?.isNew == true
        findings[fingerprint] = Finding(
          counterexample: counterexample, id: recorded.id, isNew: isNew)
      } catch {
        failure = error
      }
    }

    var result: ScenarioResult
    var bootNotes: [String] = []
    do {
      let explorer = try Explorer(
        scenario: scenario, image: item.image.prepared, options: options)
      scenario = explorer.explored
      bootNotes = explorer.bootNotes
      explorer.found = keep
      try prepareCheckpoints(of: explorer, as: "\(index) \(scenario.name)")
      result = explorer.run(
        progress: {
          progress.update(
            $0, scenario: item.scenario.name, ordinal: index + 1, of: plan.items.count)
        },
        interrupted: { Interruption.isRequested || failure != nil })
    } catch {
      return unexplored(item, .error, "\(error)")
    }
    // The search may keep a shorter schedule than the one it announced first.
    for counterexample in result.counterexamples { keep(counterexample) }
    if let failure { throw failure }
    result.scenario = scenario
    if result.sources.isEmpty { result.sources = scenario.sourcesInWords }
    if result.bounds.isEmpty { result.bounds = bounds(of: item) }
    result.notes = bootNotes + result.notes + item.job.notes
    let kept = result.counterexamples.compactMap { findings[$0.identity.fingerprint] }
    return Outcome(result: result, image: item.image.record, findings: kept, job: item.job)
  }

  /// Takes the search up where it was left, if it is the one that the run was killed in; and has it
  /// written down from time to time.
  private func prepareCheckpoints(of explorer: Explorer, as name: String) throws {
    guard let checkpoint else { return }
    if let resumed, resumed.scenario == name { try explorer.resume(from: resumed.input) }
    var last = ContinuousClock.now
    explorer.isCheckpointDue = {
      ContinuousClock.now - last >= .seconds(checkpoint.interval)
    }
    explorer.checkpoint = { [run] explorer in
      do {
        try checkpoint.write(run: run, scenario: name) { try explorer.write(to: $0) }
      } catch {
        complain("no checkpoint was written: \(error)")
      }
      last = .now
    }
  }

  private func effective(_ scenario: Scenario) -> Scenario {
    scenario.with(bound: flags.options.maxInterrupts)
  }

  private func options(for scenario: Scenario, share: Double?) -> ExplorationOptions {
    var options = flags.options
    options.timeLimit = share
    if goesOn, scenario.expect == .clean {
      options.statesAfterViolation = nil
      options.counterexamplesPerRule = 64
    }
    return options
  }

  private func bounds(of item: Plan.Item) -> [String] {
    let scenario = effective(item.scenario)
    return scenario.boundsInWords(maxInterrupts: scenario.maxInterrupts)
  }

  private func unexplored(_ item: Plan.Item, _ verdict: Verdict, _ note: String) -> Outcome {
    Outcome(
      unexplored: item.job, scenario: effective(item.scenario), image: item.image.record, verdict,
      note)
  }
}

extension Examination.Outcome {
  /// Takes over what an earlier, shorter search for the same scenario has found.
  fileprivate mutating func keep(_ earlier: Examination.Outcome) {
    for finding in earlier.findings {
      let fingerprint = finding.counterexample.identity.fingerprint
      if let same = findings.firstIndex(where: {
        $0.counterexample.identity.fingerprint == fingerprint
      }) {
        findings[same].isNew = findings[same].isNew || finding.isNew
      } else {
        findings.append(finding)
        result.counterexamples.append(finding.counterexample)
        if result.verdict != .error { result.verdict = .violated }
      }
    }
  }

  /// A scenario of which nothing is known but why.
  init(
    unexplored job: JobScenario, scenario: Scenario, image: ImageRecord, _ verdict: Verdict,
    _ note: String
  ) {
    result = ScenarioResult(scenario: scenario, arch: image.arch, verdict: verdict)
    result.notes = [note] + job.notes
    result.sources = scenario.sourcesInWords
    result.bounds = scenario.boundsInWords(maxInterrupts: scenario.maxInterrupts)
    self.image = image
    findings = []
    self.job = job
  }
}

extension Scenario {
  /// - Parameter bound: In place of the scenario's own bound on interrupts; nil keeps it,
  ///   `.some(nil)` is without limit.
  func with(bound: Int??) -> Scenario {
    var scenario = self
    if let bound { scenario.maxInterrupts = bound }
    return scenario
  }

  /// `timer: line 0, unlimited`.
  var sourcesInWords: [String] {
    sources.map { source in
      let arrivals = source.arrivals.map { $0 == 1 ? "once" : "\($0) times" } ?? "unlimited"
      return "\(source.name): \(source.kindInWords(cpus: cpus)), \(arrivals)"
    }
  }

  func boundsInWords(maxInterrupts: Int?) -> [String] {
    var bounds: [String] = []
    if cpus > 1 { bounds.append("\(cpus) CPUs, sequentially consistent") }
    if let maxInterrupts { bounds.append("at most \(maxInterrupts) interrupts in all") }
    for range in ignore { bounds.append("\(range.symbol) is not part of the state") }
    return bounds
  }

  var expected: String {
    switch expect {
    case .clean: "clean"
    case .violated: "violated"
    }
  }

  var expectedRules: [String] {
    switch expect {
    case .clean: []
    case .violated(let rules): rules.sorted()
    }
  }
}
