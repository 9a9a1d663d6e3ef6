import Emulator
import Synchronization

/// Explores a scenario to the last state.
///
/// Passes: while the search finds out that contexts share bytes which it took for one context's
/// own, it starts again with what it has learned; the last pass is complete under facts that it
/// did not change.
///
/// In a pass, states are expanded in rounds: those that are reached with as many injected events and steps
/// make one. The threads meet between rounds, so that what is known there depends neither on their
/// number nor on their pace.
public final class Explorer {
  let scenario: Scenario
  let image: PreparedImage
  let options: ExplorationOptions
  /// The world of this thread; it knows what all of them know.
  let world: World

  private(set) var shared: SharedSearch
  private(set) var workers: [SearchWorker]
  private let crew = Crew()
  var rounds = Rounds()
  var occurrences: [Violation: Occurrence] = [:]
  var obstacles: [String: Int] = [:]
  /// Values of what is observed where all work is done, each with the first such state.
  var outcomes: [[Int64]: Occurrence] = [:]
  var notes: [String] = []
  var pass = 1
  var progress = SearchProgress()
  private var estimate = EffortEstimate()
  private var estimatedPass = 0
  var peakBytes = 0
  var root = 0
  var cut: String?
  /// Called with each counterexample as soon as it is known to replay.
  public var found: ((Counterexample) -> Void)?
  /// Called with the machine in every new state, by one thread at a time; for tests.
  package var observeState: ((Machine) -> Void)?
  private let observing = Mutex<Int>(0)
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
  /// Asked every few hundred states whether the search should be written down.
  public var isCheckpointDue: (() -> Bool)?
  /// Writes it down (`write(to:)`).
  public var checkpoint: ((Explorer) -> Void)?
  /// Steps that the process found which this search was taken over from, and how long it took.
  var olderSteps: [StepStream] = []
  var secondsBefore = 0.0
  /// The search has been taken over from a checkpoint and not gone on yet.
  var isResumed = false
  /// Threads that may explore.
  private(set) var workerLimit: Int

  /// Where a violation was found: a choice in a state. The order is that in which they are preferred.
  struct Occurrence: Comparable {
    /// Injected events in the upper half, steps in the lower.
    var cost: UInt64
    /// The state's.
    var key: StateTable.Key
    var state: Int
    var choice: Int

    static func < (a: Occurrence, b: Occurrence) -> Bool {
      (a.cost, a.choice, a.key) < (b.cost, b.choice, b.key)
    }
    static func == (a: Occurrence, b: Occurrence) -> Bool {
      (a.cost, a.choice, a.key) == (b.cost, b.choice, b.key)
    }
  }

  /// State 0: stands for every execution that ended with a broken rule.
  static let sink = 0

  public convenience init(
    scenario: Scenario, image: PreparedImage, options: ExplorationOptions
  ) throws {
    var scenario = scenario
    if let bound = options.maxInterrupts { scenario.maxInterrupts = bound }
    let complete = scenario
    let image = options.workers > 1 ? image.forManyThreads() : image
    let make = { try World(scenario: complete, image: image, reductions: $0) }
    self.init(world: try make(options.reductions), options: options, makeWorld: make)
    workerLimit = max(1, options.workers)
  }

  /// A search from where a world is; by one thread, as another world would not be there.
  init(
    world: World, options: ExplorationOptions,
    makeWorld: @escaping (Set<Reduction>) throws -> World
  ) {
    self.world = world
    self.makeWorld = makeWorld
    scenario = world.scenario
    image = world.image
    self.options = options
    workerLimit = 1
    shared = SharedSearch(memoryLimit: options.memoryLimit, contexts: ContextRegistry())
    workers = [
      SearchWorker(world: world, shared: shared, statesPerCheck: options.statesPerCheck)
    ]
  }

  deinit {
    crew.dismiss()
    for stream in olderSteps { stream.deallocate() }
    rounds.deallocate()
  }

  // MARK: Figures

  /// States entered in this pass.
  var stateCount: Int { shared.enteredBefore + workers.reduce(0) { $0 + $1.entered } }
  /// Instructions executed by all threads in this pass.
  var instructions: UInt64 { UInt64(shared.instructions.load(ordering: .relaxed)) }

  var table: StateTable { shared.table }
  var contextCount: Int { shared.contexts.count }

  /// The states found and the steps between them.
  var graph: StateGraph {
    StateGraph(
      kinds: shared.kinds, count: shared.table.numbers, streams: olderSteps + workers.map(\.steps))
  }

  /// Bytes of the states and the steps between them.
  var storedBytes: Int {
    shared.table.bytes + 2 * shared.table.numbers
      + shared.stepBytes.load(ordering: .relaxed) + olderSteps.reduce(0) { $0 + $1.byteCount }
  }

  // MARK: The search

  public func run(
    progress report: (SearchProgress) -> Void = { _ in }, interrupted: () -> Bool = { false }
  ) -> ScenarioResult {
    let clock = ContinuousClock()
    let start = clock.now
    var lastReport = start
    func seconds() -> Double {
      let d = clock.now - start
      return secondsBefore + Double(d.components.seconds)
        + Double(d.components.attoseconds) * 1e-18
    }
    /// Time, memory and signals; looked at every few hundred states.
    func check() -> Bool {
      progress.seconds = seconds()
      let bytes = storedBytes + rounds.bytes + shared.bytes.load(ordering: .relaxed)
      peakBytes = max(peakBytes, bytes)
      let states = shared.entered.load(ordering: .relaxed)
      if interrupted() {
        cut = "The search was interrupted after \(states) states."
      } else if let limit = options.timeLimit, progress.seconds > limit {
        cut = "The time limit of \(limit) s was reached after \(states) states."
      } else if bytes > options.memoryLimit || shared.table.isExhausted {
        cut =
          "The memory limit of \(options.memoryLimit) bytes was reached after \(states) states."
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
    if learned && (!occurrences.isEmpty || world.lockOrder.hasNewInversion) { findAgain() }
  }

  /// The search was cut short in a pass that had learned something: its steps end elsewhere now, and
  /// what it found cannot be walked again. Finds it in a pass that learns nothing, for as long as that
  /// takes about as many states.
  private func findAgain() {
    let reason = cut
    let enough = stateCount * 4 + 10_000
    for _ in 0..<8 where learned {
      pass += 1
      cut = nil
      _ = searchOnce {
        shared.entered.load(ordering: .relaxed) < enough && (learned || occurrences.isEmpty)
      }
    }
    if learned {
      occurrences.removeAll()
      notes.append("A rule was found broken just before the search ended; run it for longer.")
    }
    cut = reason
  }

  private func updateProgress() {
    progress.states = shared.entered.load(ordering: .relaxed)
    progress.transitions = shared.transitions.load(ordering: .relaxed)
    progress.instructions = instructions
    progress.pass = pass
    progress.injected = rounds.layer
    progress.counterexamples = occurrences.count
    progress.storedBytes = storedBytes
    progress.expanded = shared.expanded.load(ordering: .relaxed)
    if estimatedPass != pass {
      estimate.clear()
      estimatedPass = pass
    }
    estimate.note(
      expanded: progress.expanded, found: progress.states, seconds: progress.seconds)
    let done = Double(progress.expanded)
    progress.share = estimate.statesLeft.map {
      done / (done + $0.upperBound)...done / (done + $0.lowerBound)
    }
    progress.secondsLeft = estimate.secondsLeft
    // What waits in the round under way is not counted block by block.
    progress.frontier = max(0, progress.states - progress.expanded)
  }

  /// What comes of a round.
  private enum Course { case goOn, again, cut, paused }

  /// One pass.
  /// - Returns: whether it was complete: nothing learned on the way would have changed it.
  private func searchOnce(check: () -> Bool) -> Bool {
    if !isResumed {
      reset()
      root = workers[0].begin()
      collect()
    }
    isResumed = false
    while let blocks = rounds.next() {
      let course = expand(blocks, check: check)
      collect()
      if course == .cut {
        // Bytes that are shared only as all threads together see it: the steps are no good then.
        join()
        return false
      }
      if course == .paused {
        checkpoint?(self)
        continue
      }
      if course == .again || mustRestart() { return false }
      if !occurrences.isEmpty {
        Knowledge.joinFacts(workers.map(\.world))
        if enoughBroken {
          join()
          if learned {
            cut = nil
            return false
          }
          return true
        }
      }
    }
    _ = check()
    join()
    return !learned
  }

  /// Expands all states of a round, by as many threads as it is worth.
  private func expand(_ blocks: [WaitingBlock], check: () -> Bool) -> Course {
    shared.layer = rounds.layer
    shared.steps = rounds.steps
    shared.blocks = blocks
    for block in blocks { for state in block.tentative { shared.kinds.makeDue(Int(state)) } }
    shared.nextBlock.store(0, ordering: .relaxed)
    shared.halt.store(SharedSearch.Halt.none, ordering: .relaxed)
    var course = Course.goOn
    defer {
      let left = blocks.dropFirst(shared.nextBlock.load(ordering: .relaxed))
      if course == .paused {
        rounds.putBack(workers.flatMap { $0.giveBack() } + left)
      } else {
        for block in left { block.deallocate() }
      }
      shared.blocks = []
    }
    let waiting = blocks.reduce(0) { $0 + $1.states }
    var count = min(workerLimit, max(1, waiting / options.statesPerThread), blocks.count)
    if count > workers.count && shared.entered.load(ordering: .relaxed) < options.statesFoundAlone {
      count = workers.count
    }
    if count > workers.count { hire(count) }
    count = min(count, workers.count)
    withoutActuallyEscaping(check) { check in
      let look = { [shared] in
        if !check() {
          course = .cut
        } else if self.mustRestart() {
          course = .again
        } else if self.isCheckpointDue?() ?? false {
          course = .paused
          shared.halt.store(SharedSearch.Halt.pause, ordering: .relaxed)
          return
        } else {
          return
        }
        shared.halt.store(SharedSearch.Halt.end, ordering: .relaxed)
      }
      while true {
        if count == 1 {
          workers[0].work(look)
        } else {
          crew.run(count) { [workers] in workers[$0].work($0 == 0 ? look : nil) }
        }
        guard shared.halt.load(ordering: .relaxed) == SharedSearch.Halt.grow else { break }
        // Both at once: the checkpoint comes later.
        if course == .paused { course = .goOn }
        shared.table.grow(unused: workers.map(\.reservation.rest))
        shared.halt.store(SharedSearch.Halt.none, ordering: .relaxed)
      }
    }
    return course
  }

  /// Each thread may enter some states more after the table was found nearly full.
  private func makeRoom() {
    while shared.table.capacity < 1024 * workers.count {
      shared.table.grow(unused: workers.map(\.reservation.rest))
    }
  }

  /// Starts more threads, as far as there can be.
  private func hire(_ count: Int) {
    let missing = count - workers.count
    var made = [SearchWorker?](repeating: nil, count: missing)
    made.withUnsafeMutableBufferPointer { made in
      nonisolated(unsafe) let made = made
      crew.run(missing) { [shared, makeWorld, options, reductions = world.reductions] i in
        guard let world = try? makeWorld(reductions) else { return }
        made[i] = SearchWorker(
          world: world, shared: shared, statesPerCheck: options.statesPerCheck)
      }
    }
    for worker in made.compactMap({ $0 }) where worker.beginsLike(workers[0]) {
      worker.world.registry = world.registry
      worker.world.owners = []
      worker.observeState = observer
      worker.reset(shared)
      workers.append(worker)
    }
    if workers.count < count { workerLimit = workers.count }
    makeRoom()
    // What the first one knows.
    _ = Knowledge.join(workers.map(\.world))
    for worker in workers { worker.world.lockOrder.know(as: world.lockOrder) }
  }

  /// Takes up what the threads have found in a round.
  private func collect() {
    for worker in workers {
      rounds.add(plain: worker.plain.take(), injected: worker.injected.take())
      for (violation, place) in worker.occurrences {
        if let known = occurrences[violation], known <= place { continue }
        occurrences[violation] = place
      }
      worker.occurrences.removeAll()
      takeUpOutcomes(of: worker)
      for (what, times) in worker.obstacles { obstacles[what, default: 0] += times }
      worker.obstacles.removeAll()
    }
  }

  /// Joins what the threads have learned.
  func join() {
    if Knowledge.join(workers.map(\.world)) {
      world.machine.observation.newlyShared += 1
      for worker in workers { worker.runs.forget() }
    }
    for message in Set(workers.flatMap(\.internalErrors)).sorted()
    where !internalErrors.contains(message) {
      internalErrors.append(message)
    }
  }

  /// States when the first violation was found.
  var firstBrokenAt: Int?

  /// The scenario is violated; how much longer to look for other rules. A broken kernel can have
  /// many more states than a right one. Asked between rounds, where the answer is the same whatever the
  /// threads.
  private var enoughBroken: Bool {
    let certain = occurrences.keys.contains { v in
      v.unlessSynchronised == nil && world.isConfirmed(v)
    }
    guard certain else { return false }
    let count = stateCount
    if firstBrokenAt == nil { firstBrokenAt = count }
    guard let more = options.statesAfterViolation, count > 4 * (firstBrokenAt ?? 0) + more
    else { return false }
    cut =
      "The search ended \(count - (firstBrokenAt ?? 0)) states after the first broken rule; others may be broken too."
    return true
  }

  /// Whether executions were left at an assumption that is false.
  var hasCutOffs: Bool { workers.contains { $0.world.cutOffs > 0 } }

  /// Whether code read a clock.
  var hasReadClock: Bool { workers.contains { $0.world.machine.observation.clockReads > 0 } }

  /// Whether this pass came upon something that another must begin with.
  var learned: Bool { workers.contains(where: \.hasLearned) }

  /// A pass that learned something is of no use any more, but going on teaches more at the price
  /// of one restart: it goes on for as long again as it took to learn the first.
  private func mustRestart() -> Bool {
    let learnedAt = shared.learnedAt.load(ordering: .relaxed)
    return learnedAt > 0
      && shared.expanded.load(ordering: .relaxed) >= 2 * learnedAt + 512
  }

  func reset() {
    for stream in olderSteps { stream.deallocate() }
    olderSteps = []
    // What an interrupted pass has taught.
    join()
    prepareFutures()
    if pass > 1, let reader = workers.first(where: \.hasReadDeadStack) {
      let what = reader.world.describeDeadStackRead()
      for worker in workers { worker.world.reductions.remove(.stack) }
      notes.append("\(what); the reduction `stack` was switched off for this scenario.")
    }
    if pass > 1 && workers.contains(where: \.hasReadVictim) {
      for worker in workers { worker.world.reductions.remove(.fuse) }
      notes.append(
        "A handler reads registers or the instruction pointer of what it interrupts; the reduction `fuse` was switched off for this scenario."
      )
    }
    firstBrokenAt = nil
    occurrences.removeAll()
    obstacles.removeAll()
    outcomes.removeAll()
    rounds.deallocate()
    for worker in workers { worker.world.lockOrder.know() }
    shared = SharedSearch(memoryLimit: options.memoryLimit, contexts: ContextRegistry())
    for worker in workers {
      worker.observeState = observer
      worker.reset(shared)
    }
    workers[0].expandsInPart = mayExpandInPart
    makeRoom()
    workers[0].enterSink()
  }

  /// `observeState`, for several threads.
  private var observer: ((Machine) -> Void)? {
    guard let observeState else { return nil }
    return { [unowned self] machine in
      nonisolated(unsafe) let machine = machine
      observing.withLock { count in
        count += 1
        observeState(machine)
      }
    }
  }

  func restoreBase() { workers[0].restoreBase() }
}
