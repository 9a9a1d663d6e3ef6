import Emulator

/// Explores a scenario to the last state.
///
/// Passes: while the search finds out that contexts share bytes which it took for one context's
/// own, it starts again with what it has learned; the last pass is complete under facts that it
/// did not change.
public final class Explorer {
  let scenario: Scenario
  let image: PreparedImage
  let options: ExplorationOptions
  let world: World

  var table = StateTable()
  var graph = StateGraph()
  var occurrences: [Violation: [Occurrence]] = [:]
  var obstacles: [String: Int] = [:]
  var contextIndex: [UInt64] = []
  var notes: [String] = []
  var pass = 1
  var progress = SearchProgress()
  var peakBytes = 0
  var root = 0
  var cut: String?
  /// Called with each counterexample as soon as it is known to replay.
  public var found: ((Counterexample) -> Void)?
  /// Called with the machine in every new state; for tests.
  package var observeState: ((Machine) -> Void)?
  /// Failures of ours, in words: a counterexample that does not replay.
  var internalErrors: [String] = []
  /// The way from the start to where this search begins.
  var prefix = Schedule()
  /// Look for evidence of these violations only; nil: of all. Rules on progress are always looked into.
  var isWanted: ((Violation) -> Bool)?
  /// More was found than is kept, or looked at.
  var isCapped = false
  /// Steps on the way of each counterexample, by the fingerprint of its identity.
  var visibleSteps: [String: Int] = [:]
  /// Makes another world like this one, with a machine of its own.
  let makeWorld: (Set<Reduction>) throws -> World

  /// Where a violation was found: a choice in a state.
  struct Occurrence {
    var state: Int
    var choice: Int
    var injected: Int
  }

  /// State 0: stands for every execution that ended with a broken rule.
  static let sink = 0

  public convenience init(
    scenario: Scenario, image: PreparedImage, options: ExplorationOptions
  ) throws {
    var scenario = scenario
    if let bound = options.maxInterrupts { scenario.maxInterrupts = bound }
    let complete = scenario
    let make = { try World(scenario: complete, image: image, reductions: $0) }
    self.init(world: try make(options.reductions), options: options, makeWorld: make)
  }

  init(
    world: World, options: ExplorationOptions,
    makeWorld: @escaping (Set<Reduction>) throws -> World
  ) {
    self.world = world
    self.makeWorld = makeWorld
    scenario = world.scenario
    image = world.image
    self.options = options
    baseCPUs = world.machine.cpus.map { cpu in
      Array(UnsafeBufferPointer(start: cpu.words, count: CPU.wordCount))
    }
    baseFingerprint = world.memory.fingerprint
    snapshot = Snapshot(world.machine)
    runs = RunCache(
      memory: world.memory, cpuCount: world.machine.cpus.count, capacity: Explorer.runCacheBytes)
  }

  deinit {
    snapshot.deallocate()
    table.deallocate()
    graph.deallocate()
    current.deallocate()
    next.deallocate()
  }

  let baseCPUs: [[UInt64]]
  let baseFingerprint: Fingerprint
  var snapshot: Snapshot
  let runs: RunCache
  static let runCacheBytes = 32 << 20

  // MARK: The search

  /// States that wait to be expanded, with as many events injected as the present ones, and with one
  /// more.
  var current = StateQueue()
  var next = StateQueue()
  private var scratch: [DifferingWord] = []
  /// The state that the machine is in, when it is to be expanded next.
  private var inPlace: (id: Int, choices: UInt32)?

  public func run(
    progress report: (SearchProgress) -> Void = { _ in }, interrupted: () -> Bool = { false }
  ) -> ScenarioResult {
    let clock = ContinuousClock()
    let start = clock.now
    var lastReport = start
    func seconds() -> Double {
      let d = clock.now - start
      return Double(d.components.seconds) + Double(d.components.attoseconds) * 1e-18
    }
    /// Time, memory and signals; looked at every few hundred states.
    func check() -> Bool {
      progress.seconds = seconds()
      let bytes = table.bytes + graph.bytes + current.bytes + next.bytes + runs.bytes
      peakBytes = max(peakBytes, bytes)
      if interrupted() {
        cut = "The search was interrupted after \(table.count) states."
      } else if let limit = options.timeLimit, progress.seconds > limit {
        cut = "The time limit of \(limit) s was reached after \(table.count) states."
      } else if bytes > options.memoryLimit {
        cut =
          "The memory limit of \(options.memoryLimit) bytes was reached after \(table.count) states."
      }
      if clock.now - lastReport > .milliseconds(100) {
        lastReport = clock.now
        updateProgress()
        report(progress)
      }
      return cut == nil
    }
    explore(check: check)
    var result = conclude()
    result.seconds = seconds()
    updateProgress()
    report(progress)
    return result
  }

  /// Passes until one is complete, or `check` says no.
  func explore(check: () -> Bool) {
    while true {
      let complete = searchOnce(check: check)
      if cut != nil || complete { break }
      pass += 1
    }
    if learned && !occurrences.isEmpty { findAgain() }
  }

  /// The search was cut short in a pass that had learned something: its steps end elsewhere now, and
  /// what it found cannot be walked again. Finds it in a pass that learns nothing, for as long as that
  /// takes about as many states.
  private func findAgain() {
    let reason = cut
    let enough = table.count * 4 + 10_000
    for _ in 0..<8 where learned {
      pass += 1
      cut = nil
      _ = searchOnce { table.count < enough && (learned || occurrences.isEmpty) }
    }
    if learned {
      occurrences.removeAll()
      notes.append("A rule was found broken just before the search ended; run it for longer.")
    }
    cut = reason
  }

  private func updateProgress() {
    progress.states = table.count
    progress.transitions = graph.edgeCount
    progress.frontier = current.count + next.count + (inPlace == nil ? 0 : 1)
    progress.instructions = world.machine.instructions - world.instructionsAtStart
    progress.pass = pass
    progress.counterexamples = occurrences.count
    progress.storedBytes = table.bytes + graph.bytes
    let waiting = progress.frontier
    progress.estimatedStates = table.count...(table.count + waiting * 12)
  }

  /// One pass.
  /// - Returns: whether it was complete: nothing learned on the way would have changed it.
  private func searchOnce(check: () -> Bool) -> Bool {
    reset()
    world.machine.observation.newlyShared = 0
    world.machine.observation.readsBelowStack = 0
    let outcome = world.begin()
    root = settle(outcome, from: Explorer.sink, choice: 0, injected: 0)
    var layer = 0
    var expanded = 0
    while true {
      while let state = takeNext() {
        progress.injected = layer
        expand(state.id, state.choices, layer: layer)
        expanded += 1
        if expanded & 127 == 0 {
          if !check() { return false }
          if enoughBroken { return true }
          if shouldRestart(expanded: expanded) { return false }
        }
      }
      if next.isEmpty { break }
      current.deallocate()
      swap(&current, &next)
      layer += 1
    }
    _ = check()
    return !learned
  }

  /// States when the first violation was found.
  private var firstBrokenAt: Int?

  /// The scenario is violated; how much longer to look for other rules. A broken kernel can have
  /// many more states than a right one.
  private var enoughBroken: Bool {
    let certain = occurrences.keys.contains { v in
      v.unlessSynchronised == nil && world.isConfirmed(v)
    }
    guard certain else { return false }
    if firstBrokenAt == nil { firstBrokenAt = table.count }
    guard let more = options.statesAfterViolation,
      table.count > 4 * (firstBrokenAt ?? 0) + more
    else { return false }
    cut =
      "The search ended \(table.count - (firstBrokenAt ?? 0)) states after the first broken rule; others may be broken too."
    return true
  }

  private var firstLearnedAt: Int?

  /// Whether this pass came upon something that another must begin with.
  var learned: Bool {
    world.machine.observation.newlyShared > 0 || deadStackRead || victimRead
  }

  /// Grows with whatever is learned.
  private var learnedCount: Int {
    let o = world.machine.observation
    return o.newlyShared &+ o.readsBelowStack &+ o.victimReads &+ (world.victimSeen ? 1 : 0)
      &+ world.lockOrder.count
  }

  /// A handler looks at where, or with what in its registers, it interrupted.
  private var victimRead: Bool {
    world.reductions.contains(.fuse)
      && (world.victimSeen || world.machine.observation.victimReads > 0)
  }

  private var deadStackRead: Bool {
    world.reductions.contains(.stack) && world.machine.observation.readsBelowStack > 0
  }

  /// A pass that learned something is of no use any more, but going on teaches more at the price
  /// of one restart: it goes on for as long again as it took to learn the first.
  private func shouldRestart(expanded: Int) -> Bool {
    guard learned else { return false }
    if firstLearnedAt == nil { firstLearnedAt = expanded }
    return expanded >= 2 * (firstLearnedAt ?? 0) + 512
  }

  private func reset() {
    if pass > 1 && deadStackRead {
      world.reductions.remove(.stack)
      notes.append(
        "Code reads below its stack pointer; the reduction `stack` was switched off for this scenario."
      )
    }
    if pass > 1 && victimRead {
      world.reductions.remove(.fuse)
      notes.append(
        "A handler reads registers or the instruction pointer of what it interrupts; the reduction `fuse` was switched off for this scenario."
      )
    }
    firstLearnedAt = nil
    firstBrokenAt = nil
    table.deallocate()
    graph.deallocate()
    table = StateTable()
    graph = StateGraph()
    occurrences.removeAll()
    obstacles.removeAll()
    current.deallocate()
    next.deallocate()
    inPlace = nil
    graph.add(StateGraph.Info.sink)
    _ = table.insert(Fingerprint(low: 1, high: 1))
    runs.forget()
    restoreBase()
  }

  func restoreBase() {
    world.memory.restore(UnsafeBufferPointer(start: nil, count: 0))
    world.memory.fingerprint = baseFingerprint
    for (cpu, words) in zip(world.machine.cpus, baseCPUs) {
      for i in 0..<CPU.wordCount { cpu.words[i] = words[i] }
    }
    world.turn(to: 0)
  }

  /// The state to be expanded next, in place; nil when none waits.
  private func takeNext() -> (id: Int, choices: UInt32)? {
    if let state = inPlace {
      inPlace = nil
      return state
    }
    guard let header = current.next(into: &scratch) else { return nil }
    restore(header.fingerprint)
    return (header.id, header.choices)
  }

  private func expand(_ id: Int, _ choices: UInt32, layer: Int) {
    world.memory.clearJournal()
    snapshot.take(world.machine)
    let cpuKey = world.reuses ? world.cpuKey() : Fingerprint()
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 32) { targets in
      let goesOn = choices & 1 != 0
      let count = choices.nonzeroBitCount
      // Going on comes last: the state that it leads to is then expanded where it is.
      var rest = choices & ~1
      var at = goesOn ? 1 : 0
      while rest != 0 {
        let choice = rest.trailingZeroBitCount
        rest &= rest - 1
        targets[at] = take(choice, cpuKey, from: id, injected: layer)
        at += 1
        if rest != 0 || goesOn { snapshot.putBack(world.machine) }
      }
      if goesOn { targets[0] = take(0, cpuKey, from: id, injected: layer) }
      graph.addEdges(
        from: id, choices: choices,
        targets: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(targets)[..<count]))
    }
  }

  private func take(_ choice: Int, _ cpuKey: Fingerprint, from state: Int, injected: Int) -> Int {
    world.reuses
      ? reuse(choice, cpuKey, from: state, injected: injected)
      : settle(world.advance(choice), from: state, choice: choice, injected: injected)
  }

  /// Takes a step, by executing it only if none like it was executed before.
  private func reuse(_ choice: Int, _ cpuKey: Fingerprint, from state: Int, injected: Int) -> Int {
    let machine = world.machine
    if machine.codeVaries {
      return settle(world.advance(choice), from: state, choice: choice, injected: injected)
    }
    if let done = runs.repeatStep(choice, cpuKey, machine) {
      machine.observation.lowestSP = world.cpu.rsp
      return enter(
        choices: done.choices, cpuKey: done.cpuKey, after: choice)
    }
    let learned = learnedCount
    runs.begin(machine)
    let outcome = world.advance(choice)
    // What becomes visible ends steps earlier than those that are kept.
    if learned != learnedCount { runs.forget() }
    memoize: if case .choices(let mask) = outcome, world.violations.isEmpty, !machine.codeVaries,
      learned == learnedCount, !world.memory.recordedCodeWrite
    {
      let same = runs.end(
        choice, cpuKey, choices: mask, cpuKeyAfter: world.cpuKey(), machine)
      if same { break memoize }
      internalErrors.append(
        "A step of context `\(world.image.symbols.describe(world.cpu.rip))` is not a function of what it was seen to read; please report this, and use `--reduce` without `reuse`."
      )
    } else {
      runs.abandon()
    }
    return settle(outcome, from: state, choice: choice, injected: injected)
  }

  /// Takes up the outcome of a step: violations, and the state that it led to.
  /// - Returns: the number of the state.
  private func settle(_ outcome: Outcome, from state: Int, choice: Int, injected: Int) -> Int {
    let layer = injected + (Choice.isInjection(choice) ? 1 : 0)
    for v in world.violations {
      let o = Occurrence(state: state, choice: choice, injected: layer)
      if let known = occurrences[v] {
        // Those with more injected events cannot be shorter.
        if layer < known[0].injected {
          occurrences[v] = [o]
        } else if known[0].injected == layer && known.count < 1024 {
          occurrences[v]!.append(o)
        }
      } else {
        occurrences[v] = [o]
      }
    }
    if world.obstacle != nil || isObstacle(outcome) {
      obstacles[world.obstacle ?? "unknown", default: 0] += 1
      return Explorer.sink
    }
    switch outcome {
    case .ended, .obstacle: return Explorer.sink
    case .choices(let mask):
      return enter(
        choices: mask, cpuKey: world.cpuKey(), after: choice)
    case .terminal(let terminal):
      var key = world.key()
      key.low &+= 0x5851_F42D_4C95_7F2D &* (UInt64(terminal.rawValue) + 1)
      let (id, isNew) = table.insert(key)
      if isNew {
        observeState?(world.machine)
        var flags = stateInfo()
        switch terminal {
        case .halted: flags |= StateGraph.Info.halted
        case .spinning: flags |= StateGraph.Info.spinning
        case .exited: flags |= StateGraph.Info.exited
        }
        graph.add(flags)
      }
      return id
    }
  }

  /// Enters the present state, at which there are choices.
  private func enter(choices: UInt32, cpuKey: Fingerprint, after choice: Int) -> Int {
    let (id, isNew) = table.insert(world.key(cpus: cpuKey))
    if isNew {
      observeState?(world.machine)
      graph.add(stateInfo())
      if Choice.isInjection(choice) {
        save(id, choices: choices, in: &next)
      } else if choice == 0 {
        // The last one to be taken: see `expand`.
        inPlace = (id, choices)
      } else {
        save(id, choices: choices, in: &current)
      }
    }
    return id
  }

  private func isObstacle(_ outcome: Outcome) -> Bool {
    if case .obstacle = outcome { return true }
    return false
  }

  /// Puts the present state into a queue: that of the next layer, or that of this one.
  private func save(_ id: Int, choices: UInt32, in queue: inout StateQueue) {
    scratch.removeAll(keepingCapacity: true)
    world.memory.difference(into: &scratch)
    for c in 0..<baseCPUs.count {
      let words = world.machine.cpus[c].words
      baseCPUs[c].withUnsafeBufferPointer { base in
        for i in 0..<CPU.wordCount where words[i] != base[i] {
          scratch.append(
            DifferingWord(number: Explorer.cpuWords | UInt32(c) << 8 | UInt32(i), value: words[i]))
        }
      }
    }
    queue.append(
      StateQueue.Header(id: id, choices: choices, fingerprint: world.memory.fingerprint), scratch)
  }

  /// Words of CPUs, among the numbers of differing words.
  private static let cpuWords: UInt32 = 0xFFF0_0000

  /// Puts the state in `scratch` in place.
  private func restore(_ fingerprint: Fingerprint) {
    scratch.withUnsafeBufferPointer { words in
      var n = words.count
      while n > 0 && words[n - 1].number >= Explorer.cpuWords { n -= 1 }
      world.memory.restore(UnsafeBufferPointer(rebasing: words[..<n]))
      for (cpu, base) in zip(world.machine.cpus, baseCPUs) {
        base.withUnsafeBufferPointer {
          cpu.words.update(from: $0.baseAddress!, count: CPU.wordCount)
        }
      }
      for w in words[n...] {
        let number = Int(w.number & 0xFFFF)
        world.machine.cpus[number >> 8].words[number & 0xFF] = w.value
      }
    }
    world.memory.fingerprint = fingerprint
    world.machine.observation.lowestSP = world.cpu.rsp
  }

  /// What the graph keeps of the present state.
  private func stateInfo() -> StateGraph.Flags {
    var flags: StateGraph.Flags = 0
    for (index, cpu) in world.machine.cpus.enumerated() {
      let activity = cpu[CPU.Word.activity]
      // Nobody waits for a CPU that was not started.
      let isAbsent = activity == CPU.Activity.waitForSIPI
      let halted = activity == CPU.Activity.halted
      if isAbsent || cpu.cpl == 3 || (halted && cpu.interruptsEnabled) {
        flags |= StateGraph.Info.userOrIdle(index)
      }
      if isAbsent || cpu.interruptsEnabled { flags |= StateGraph.Info.interruptsOn(index) }
    }
    if world.isBlockedByBound() { flags |= StateGraph.Info.bounded }
    let t = Ghost.Layout.activations
    for row in 0..<world.ghost.count(t) {
      let packed = world.ghost.field(t, row, 1)
      guard packed >> 24 & 3 == 3 else { continue }
      // SYSCALL before, or SYSRET after, the kernel's own stack: on the way.
      if world.ghost.field(t, row, 2) & World.userStrandBit != 0 { continue }
      let top = world.ghost.field(t, row, 0) + 5 * world.slot
      let index = contextIndex.firstIndex(of: top) ?? contextIndex.count
      if index == contextIndex.count { contextIndex.append(top) }
      if index < 8 { flags |= 1 << StateGraph.Flags(StateGraph.Info.contextShift + index) }
    }
    return flags
  }
}

/// What must be put back to take another choice in the same state.
struct Snapshot {
  private let words: UnsafeMutablePointer<UInt64>
  private let cpus: [CPU]
  private var journal = 0
  private var fingerprint = Fingerprint()

  init(_ machine: Machine) {
    cpus = machine.cpus
    words = .allocate(capacity: CPU.wordCount * cpus.count)
  }

  func deallocate() { words.deallocate() }

  mutating func take(_ machine: Machine) {
    for c in 0..<cpus.count {
      (words + c * CPU.wordCount).update(from: cpus[c].words, count: CPU.wordCount)
    }
    journal = machine.memory.journalCount
    fingerprint = machine.memory.fingerprint
  }

  func putBack(_ machine: Machine) {
    machine.memory.undo(to: journal)
    machine.memory.fingerprint = fingerprint
    for c in 0..<cpus.count {
      cpus[c].words.update(from: words + c * CPU.wordCount, count: CPU.wordCount)
    }
    machine.observation.lowestSP = cpus[0].rsp
  }
}
