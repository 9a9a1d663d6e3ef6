import Database
import Foundation
import Model

/// Explores the scenarios of a plan one after the other, and stores what they find at once.
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
  }

  let run: Int64
  private let plan: Plan
  private let store: Store
  private let flags: ExplorationFlags
  private let progress: ProgressReport
  private let begun = ContinuousClock.now

  init(_ plan: Plan, store: Store, flags: ExplorationFlags, progress: ProgressReport) throws {
    self.plan = plan
    self.store = store
    self.flags = flags
    self.progress = progress
    run = try store.beginRun(
      version: LockLab.version, command: CommandLine.arguments.dropFirst().joined(separator: " "))
  }

  /// Explores everything; each scenario's row is written as soon as its outcome is stored.
  func run(showing isShown: Bool) throws -> [Outcome] {
    Interruption.listen()
    let table = ScenarioTable(plan.items.map(\.scenario), terminal: .output)
    if isShown { print(table.heading) }
    var outcomes: [Outcome] = []
    for (index, item) in plan.items.enumerated() {
      let outcome = try explore(item, index: index)
      try store.record(outcome.result, image: item.image.record, run: run)
      progress.clear()
      outcomes.append(outcome)
      guard isShown else { continue }
      print(([table.row(outcome.result)] + table.notes(outcome.result)).joined(separator: "\n"))
      fflush(nil)
    }
    return outcomes
  }

  func finish(_ status: ExitStatus) throws {
    try store.finishRun(run, outcome: status.rawValue)
  }

  /// Says on standard error which scenarios could not be explored.
  static func complainOfErrors(_ outcomes: [Outcome]) {
    for result in outcomes.map(\.result) where result.verdict == .error {
      complain("scenario '\(result.scenario.name)': \(result.notes.first ?? "it failed")")
    }
  }

  private func explore(_ item: Plan.Item, index: Int) throws -> Outcome {
    if Interruption.isRequested {
      return unexplored(item, .inconclusive, "Not explored: the run was interrupted before.")
    }
    guard let options = options(left: plan.items.count - index) else {
      return unexplored(item, .inconclusive, "Not explored: the run's time was used up before.")
    }
    var findings: [String: Finding] = [:]
    var failure: (any Error)?
    func keep(_ counterexample: Counterexample) {
      do {
        let recorded = try store.record(
          counterexample, scenario: item.scenario, image: item.image.record, run: run)
        let fingerprint = counterexample.identity.fingerprint
        let isNew = recorded.isNew || findings[fingerprint]?.isNew == true
        findings[fingerprint] = Finding(
          counterexample: counterexample, id: recorded.id, isNew: isNew)
      } catch {
        failure = error
      }
    }

    var result: ScenarioResult
    do {
      let explorer = try Explorer(
        scenario: item.scenario, image: item.image.prepared, options: options)
      explorer.found = keep
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
    if result.sources.isEmpty { result.sources = item.scenario.sourcesInWords }
    if result.bounds.isEmpty { result.bounds = bounds(of: item) }
    result.notes += item.job.notes
    let kept = result.counterexamples.compactMap { findings[$0.identity.fingerprint] }
    return Outcome(result: result, image: item.image.record, findings: kept)
  }

  /// Every scenario gets an equal share of the time that is left; what one does not use is the
  /// others'. Nil: there is none.
  private func options(left scenarios: Int) -> ExplorationOptions? {
    var options = flags.options
    guard let limit = flags.timeLimit else { return options }
    let used = ContinuousClock.now - begun
    let left =
      limit.seconds - Double(used.components.seconds) - Double(used.components.attoseconds) / 1e18
    guard left > 0 else { return nil }
    options.timeLimit = left / Double(scenarios)
    return options
  }

  private func bounds(of item: Plan.Item) -> [String] {
    let limit = flags.options.maxInterrupts ?? item.scenario.maxInterrupts
    return item.scenario.boundsInWords(maxInterrupts: limit)
  }

  private func unexplored(_ item: Plan.Item, _ verdict: Verdict, _ note: String) -> Outcome {
    var result = ScenarioResult(
      scenario: item.scenario, arch: item.image.record.arch, verdict: verdict)
    result.notes = [note] + item.job.notes
    result.sources = item.scenario.sourcesInWords
    result.bounds = bounds(of: item)
    return Outcome(result: result, image: item.image.record, findings: [])
  }
}

extension Scenario {
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
