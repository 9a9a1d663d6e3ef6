import Emulator

extension Explorer {
  /// From the finished (or cut) search to the result: rules broken, shortest counterexamples, verdict.
  func conclude() -> ScenarioResult {
    var result = ScenarioResult(scenario: scenario, arch: image.arch, verdict: .clean)
    let graph = graph
    result.states = stateCount
    result.transitions = graph.edgeCount
    result.instructions = instructions
    var candidates: [Candidate] = []
    for (violation, place) in occurrences {
      if !world.isConfirmed(violation) { continue }
      candidates.append(Candidate(violation: violation, place: place))
    }
    var judgement = Progress.Judgement()
    if hasReadClock {
      // Nothing is known of progress where code may wait for time to pass.
      let clock =
        "Explored code reads a clock (time-stamp counter, timer or calendar), which stands still here; progress was not judged."
      if cut != nil { notes.append(clock) } else { cut = clock }
    } else if cut == nil && obstacles.isEmpty && contextCount <= 8 && !shared.kinds.isFull {
      judgement = Progress.judge(graph, contexts: contextCount, cpus: world.cpuCount)
    } else if cut == nil && obstacles.isEmpty {
      notes.append(
        contextCount > 8
          ? "More than 8 user contexts: progress was not judged."
          : "The CPUs are in more than 16,000 different situations: progress was not judged.")
      cut = "Progress was not judged."
      judgement = Progress.deadEnds(graph, cpus: world.cpuCount)
    } else {
      judgement = Progress.deadEnds(graph, cpus: world.cpuCount)
    }
    if !candidates.isEmpty || !judgement.findings.isEmpty {
      result.counterexamples = counterexamples(graph, candidates, judgement)
      result.visibleSteps = visibleSteps
    }
    result.outcomes = observedOutcomes(graph)
    describeEnvironment(&result)
    if let cut { notes.append(cut) }
    for (what, times) in obstacles.sorted(by: { $0.key < $1.key }) {
      notes.append("\(what) (\(times) \(times == 1 ? "path" : "paths") not followed).")
    }
    if judgement.undecidedByBound > 0 {
      notes.append(
        "Within the bound on interrupts a context can be left waiting (\(judgement.undecidedByBound) "
          + "states); whether it would ever be woken needs more interrupts.")
    }
    noteStacks()
    noteMarkers()
    for failure in internalErrors { notes.append(failure) }
    result.notes = notes
    result.openEnds = openEnds(candidates, judgement)
    result.peakMemoryBytes = max(peakBytes, storedBytes)
    if !result.counterexamples.isEmpty {
      result.verdict = .violated
    } else if !internalErrors.isEmpty {
      result.verdict = .error
    } else if cut != nil || !obstacles.isEmpty || judgement.undecidedByBound > 0 || stackDoubt {
      result.verdict = .inconclusive
    }
    return result
  }

  /// Why what this search did not find could be there all the same.
  private func openEnds(_ candidates: [Candidate], _ judgement: Progress.Judgement) -> [String] {
    var ends: [String] = []
    if let cut { ends.append(cut) }
    ends += obstacles.keys.sorted().map { "\($0)." }
    if judgement.undecidedByBound > 0 {
      ends.append("What hangs within the bound on interrupts was not decided.")
    }
    if stackDoubt { ends.append("The depth of a stack was not decided.") }
    if isCapped {
      ends.append("More counterexamples were found than are kept of a rule.")
    }
    // A triple fault and a failed assertion end the kernel itself; elsewhere it would have gone on.
    let ended = Set(
      candidates.map(\.violation).filter { v in
        // An assertion's tag is the condition of a job, which ends nothing.
        v.endsPath && v.rule != TripleFault.name
          && (v.rule != AssertionFailed.name || !v.tags.isEmpty)
      }.map(\.rule))
    if !ended.isEmpty {
      ends.append(
        "\(ScenarioResult.beyondABrokenRule) (\(ended.sorted().joined(separator: ", ")))."
      )
    }
    return ends + internalErrors
  }

  struct Candidate {
    var violation: Violation
    var place: Occurrence
  }

  private func counterexamples(
    _ graph: StateGraph, _ candidates: [Candidate], _ judgement: Progress.Judgement
  ) -> [Counterexample] {
    let paths = ShortestPaths(graph: graph, from: root) { table.key($0) }
    var kept: [String: (cost: UInt64, counterexample: Counterexample)] = [:]
    func keep(_ c: Counterexample, _ cost: UInt64) {
      let key = c.identity.text
      if kept[key].map({ cost < $0.cost }) ?? true {
        kept[key] = (cost, c)
        found?(c)
      }
    }
    // Rules found broken by events.
    var perRule: [String: Int] = [:]
    var seen: Set<Counterexample.Identity> = []
    let ordered = candidates.sorted { a, b in
      (a.place.cost, a.violation.rule, a.violation.sites.description, a.place.choice, a.place.key)
        < (
          b.place.cost, b.violation.rule, b.violation.sites.description, b.place.choice, b.place.key
        )
    }
    for candidate in ordered {
      let place = candidate.place
      if place.state != Explorer.sink && paths.cost[place.state] == ShortestPaths.unreachable {
        continue
      }
      if let isWanted, !isWanted(candidate.violation) { continue }
      let identity = world.identity(of: candidate.violation)
      if seen.contains(identity) { continue }
      if perRule[candidate.violation.rule, default: 0] >= options.counterexamplesPerRule {
        isCapped = true
        continue
      }
      let choices =
        place.state == Explorer.sink ? [] : paths.choices(to: place.state) + [place.choice]
      if let c = evidence(choices, violation: candidate.violation) {
        seen.insert(identity)
        perRule[candidate.violation.rule, default: 0] += 1
        keep(c, place.cost)
      }
    }
    // Rules that the graph decides. The cheapest few of each kind of failure are looked at.
    var examined: [Progress.Failure: Int] = [:]
    let failing = judgement.findings
      .filter { paths.cost[$0.state] != ShortestPaths.unreachable }
      .sorted {
        (paths.cost[$0.state], table.key($0.state)) < (paths.cost[$1.state], table.key($1.state))
      }
    var signatures: Set<String> = []
    for finding in failing {
      if examined[finding.failure, default: 0] >= 3 * options.counterexamplesPerRule {
        isCapped = true
        continue
      }
      let key = signature(finding, paths)
      if !signatures.insert(key).inserted { continue }
      examined[finding.failure, default: 0] += 1
      if let c = evidence(paths.choices(to: finding.state), failure: finding.failure) {
        keep(c, paths.cost[finding.state])
      }
    }
    for entry in kept.values {
      visibleSteps[entry.counterexample.identity.fingerprint] = Int(entry.cost & 0xFFFF_FFFF)
    }
    return kept.values.sorted { a, b in
      (Explorer.rank(a.counterexample.rule), a.cost, a.counterexample.identity.text)
        < (Explorer.rank(b.counterexample.rule), b.cost, b.counterexample.identity.text)
    }.map(\.counterexample)
  }

  /// What keeps two failing states apart before they are replayed: where the CPUs are, what they
  /// interrupted, and what is held.
  private func signature(_ finding: Progress.Finding, _ paths: ShortestPaths) -> String {
    guard walk(paths.choices(to: finding.state)) != nil else { return "\(finding.failure)" }
    if let cpu = finding.failure.cpu { world.turn(to: cpu) }
    let calls = pendingCallSites().map { world.function($0) }.joined(separator: ",")
    let places = world.machine.cpus.map { world.function($0.rip) }.joined(separator: ",")
    let t = Ghost.Layout.activations
    let entries = (0..<world.ghost.count(t)).map { row in
      let entry = Activation(ghost: world.ghost, row: row)
      return "\(entry.vector)@"
        + (entry.fromCPL == 3 ? "user" : world.function(entry.interruptedIP))
    }.joined(separator: ",")
    return "\(finding.failure) \(places) \(calls) \(entries) \(heldLocks())"
  }

  /// The known locks that are held, each with the function that took it.
  private func heldLocks() -> String {
    let t = Ghost.Layout.held
    return (0..<world.ghost.count(t)).map { row in
      let held = HeldLock(ghost: world.ghost, row: row)
      return "\(world.lockName(held.address)):\(world.function(held.site))"
    }.joined(separator: ",")
  }

  /// Return addresses of lock operations in flight.
  func pendingCallSites() -> [UInt64] {
    let t = Ghost.Layout.calls
    return (0..<world.ghost.count(t)).map { world.ghost.field(t, $0, 1) }
  }

  /// Findings that say what is wrong come before those that say what could go wrong.
  static func rank(_ rule: String) -> Int {
    switch rule {
    case "triple-fault", "unexpected-exception": return 0
    case "deadlock-on-interrupt", "deadlock-on-nmi", "deadlock-on-preemption": return 1
    case "irq-unsafe-lock", "lock-order-inversion": return 3
    default: return 2
    }
  }

  private func describeEnvironment(_ result: inout ScenarioResult) {
    result.sources = scenario.sources.map { s in
      let times = s.arrivals.map { "\($0) times" } ?? "without limit"
      return "\(s.name) (\(s.kindInWords(cpus: scenario.cpus))) \(times)"
    }
    if scenario.cpus > 1 {
      result.bounds.append("\(scenario.cpus) CPUs, sequentially consistent")
      notes.append(
        "\(scenario.cpus) CPUs, sequentially consistent: a store is seen by all of them at once, and an "
          + "interprocessor interrupt arrives at once.")
    }
    if world.machine.observation.sharedTableWrites > 0 {
      result.bounds.append("page-table changes are seen by all CPUs at once")
      notes.append(
        "A CPU changes page-table entries that are in use while another CPU runs with paging: stale "
          + "translations are not modelled, and what the others access meanwhile is explored only at "
          + "visible instructions.")
    }
    if let n = scenario.maxInterrupts {
      result.bounds.append("at most \(n) interrupts in all")
    }
    for s in scenario.sources where s.arrivals != nil {
      result.bounds.append("\(s.name) at most \(s.arrivals!) times")
    }
    if !scenario.ignore.isEmpty {
      let names = scenario.ignore.map(\.symbol).joined(separator: ", ")
      notes.append("Not part of the state, so that what depends on it can be missed: \(names).")
    }
  }

  /// Slack is added level by level: the sum is an upper bound of what the branching points missed.
  private var stackDoubt: Bool { doubtfulStack != nil }

  private var doubtfulStack: Int? {
    for (i, stack) in world.stacks.enumerated() {
      if let d = world.deepest[i], d >= stack.low, d - stack.low < slack(of: i) { return i }
    }
    return nil
  }

  private func slack(of stack: Int) -> UInt64 {
    world.slack.reduce(0) { $0 + ($1.key >> 8 == stack ? $1.value : 0) }
  }

  private func noteMarkers() {
    if hasCutOffs {
      notes.append(
        "Left out, as `LOCKLAB_ASSUME` says: executions that come to a false assumption.")
    }
    if world.marksInterest {
      notes.append("No interrupt was raised outside the windows of interest that the code marks.")
    }
  }

  private func noteStacks() {
    if let i = doubtfulStack {
      let stack = world.stacks[i]
      notes.append(
        "Stack `\(stack.name)`: \(world.deepest[i]! - stack.low) bytes were left at the deepest state; interrupts at the deepest "
          + "instruction could take up to \(slack(of: i)) more.")
    }
  }
}
