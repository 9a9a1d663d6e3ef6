import Emulator
import Synchronization

/// One thread's part of a search: a machine of its own, and what it has found since the last round.
final class SearchWorker: @unchecked Sendable {
  let world: World
  let runs: RunCache
  private(set) var shared: SharedSearch
  var snapshot: Snapshot
  private let baseCPUs: [[UInt64]]
  let baseFingerprint: Fingerprint

  private(set) var reservation = StateTable.Reservation()
  var steps = StepStream()
  /// Whether this pass expands states in part: see `expandInPart`.
  var expandsInPart = false
  private var kindCache = StateKinds.Cache()
  private var contextTops: [UInt64] = []
  /// Found in this round: to be expanded in the next one, and in the next layer.
  var plain = WaitingWriter()
  var injected = WaitingWriter()
  private var reader: WaitingReader?
  private var scratch: [DifferingWord] = []

  /// A bit for each word of memory that some restored state has had otherwise than the first one.
  private let met: UnsafeMutablePointer<UInt64>

  var occurrences: [Violation: Explorer.Occurrence] = [:]
  var obstacles: [String: Int] = [:]
  /// What is observed where all work is done, each with the preferred state among those of this round.
  var outcomes: [[Int64]: Explorer.Occurrence] = [:]
  var internalErrors: Set<String> = []
  /// Called with the machine in every new state.
  var observeState: ((Machine) -> Void)?

  static let runCacheBytes = 32 << 20

  init(world: World, shared: SharedSearch, statesPerCheck: Int) {
    self.world = world
    self.statesPerCheck = statesPerCheck
    self.shared = shared
    baseCPUs = world.machine.cpus.map { cpu in
      Array(UnsafeBufferPointer(start: cpu.words, count: CPU.wordCount))
    }
    baseFingerprint = world.memory.fingerprint
    met = .allocate(capacity: world.memory.frameCount * 8)
    met.initialize(repeating: 0, count: world.memory.frameCount * 8)
    snapshot = Snapshot(world.machine)
    runs = RunCache(
      memory: world.memory, cpuCount: world.machine.cpus.count, capacity: Self.runCacheBytes)
  }

  deinit {
    met.deallocate()
    snapshot.deallocate()
    steps.deallocate()
    reader?.deallocate()
    for block in plain.take() + injected.take() { block.deallocate() }
  }

  /// Whether another one begins where this one does.
  func beginsLike(_ other: SearchWorker) -> Bool {
    baseFingerprint == other.baseFingerprint && baseCPUs == other.baseCPUs
  }

  // MARK: Passes

  /// Begins a pass.
  func reset(_ shared: SharedSearch) {
    self.shared = shared
    world.machine.observation.newlyShared = 0
    world.machine.observation.readsBelowStack = 0
    world.machine.observation.readsOfFilling = 0
    world.slack = [:]
    world.deepest = [:]
    reservation = StateTable.Reservation()
    steps.deallocate()
    steps = StepStream()
    kindCache = StateKinds.Cache()
    contextTops = []
    reader?.deallocate()
    reader = nil
    for block in plain.take() + injected.take() { block.deallocate() }
    occurrences.removeAll()
    obstacles.removeAll()
    outcomes.removeAll()
    published = Figures()
    figures = Figures()
    instructionsBefore = world.machine.instructions
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

  /// Enters the state that stands for executions that ended; it must be the first.
  func enterSink() {
    let (sink, _) = shared.table.insert(Fingerprint(low: 1, high: 1), &reservation)
    shared.kinds.set(sink, StateGraph.Info.sink, waits: false, &kindCache)
  }

  /// Takes the first state.
  /// - Returns: its number.
  func begin() -> Int {
    let outcome = world.begin()
    let root = settle(outcome, from: Explorer.sink, choice: 0)
    publish()
    return root
  }

  // MARK: What was learned

  /// Whether this world came upon something that another pass must begin with.
  var hasLearned: Bool {
    world.machine.observation.newlyShared > 0 || hasReadDeadStack || hasReadVictim
      || world.lockOrder.hasNewInversion || world.futures.mistakes > 0
  }

  /// A handler looks at where, or with what in its registers, it interrupted.
  var hasReadVictim: Bool {
    world.fuses && (world.victimSeen || world.machine.observation.victimReads > 0)
  }

  var hasReadDeadStack: Bool { world.scrubs && world.readsDeadStack }

  /// Grows with whatever is learned.
  private var learnedCount: Int {
    let o = world.machine.observation
    return o.newlyShared &+ o.readsBelowStack &+ o.readsOfFilling &+ o.victimReads &+ (world.victimSeen ? 1 : 0)
  }

  // MARK: Figures

  private struct Figures {
    var expanded = 0
    var entered = 0
    var transitions = 0
    var instructions = 0
    var stepBytes = 0
    var bytes = 0
  }
  private var figures = Figures()
  private var published = Figures()
  private var instructionsBefore: UInt64 = 0

  /// States entered in this pass.
  var entered: Int { figures.entered }

  /// Tells the others how far this one has come.
  func publish() {
    figures.instructions = Int(world.machine.instructions &- instructionsBefore)
    figures.transitions = steps.edgeCount
    figures.stepBytes = steps.byteCount
    figures.bytes = runs.bytes + plain.bytes + injected.bytes
    shared.expanded.add(figures.expanded - published.expanded, ordering: .relaxed)
    shared.entered.add(figures.entered - published.entered, ordering: .relaxed)
    shared.transitions.add(figures.transitions - published.transitions, ordering: .relaxed)
    shared.instructions.add(figures.instructions - published.instructions, ordering: .relaxed)
    shared.stepBytes.add(figures.stepBytes - published.stepBytes, ordering: .relaxed)
    shared.bytes.add(figures.bytes - published.bytes, ordering: .relaxed)
    published = figures
    if shared.learnedAt.load(ordering: .relaxed) == 0, hasLearned {
      shared.learnedAt.store(
        max(1, shared.expanded.load(ordering: .relaxed)), ordering: .relaxed)
    }
  }

  // MARK: Rounds

  /// States expanded since time and memory were looked at.
  private var sinceCheck = 0
  private let statesPerCheck: Int

  /// What this thread has taken of the round and not expanded, as blocks of its own.
  func giveBack() -> [WaitingBlock] {
    var writer = WaitingWriter()
    while let header = reader?.next(into: &scratch) { writer.append(header, scratch) }
    reader?.deallocate()
    reader = nil
    return writer.take()
  }

  /// Gives no more of the numbers that were reserved.
  func abandonReservation() { reservation = StateTable.Reservation() }

  /// Expands states of the present round until there are no more, or the search halts.
  /// - Parameter check: looks at time and memory every few hundred states, where this thread is to.
  func work(_ check: (() -> Void)?) {
    while shared.halt.load(ordering: .relaxed) == SharedSearch.Halt.none,
      let header = takeNext()
    {
      expand(header.id, header.choices)
      figures.expanded += 1
      if shared.table.isNearlyFull {
        shared.halt.store(SharedSearch.Halt.grow, ordering: .relaxed)
      }
      sinceCheck += 1
      if sinceCheck >= statesPerCheck {
        sinceCheck = 0
        publish()
        check?()
      }
    }
    publish()
  }

  /// The state to be expanded next, in place; nil when none waits.
  private func takeNext() -> WaitingHeader? {
    while true {
      if let header = reader?.next(into: &scratch) {
        // Another way may have led there in the meantime, with fewer events or steps.
        if header.isTentative && !shared.kinds.takeDue(header.id) { continue }
        restore(header.fingerprint)
        return header
      }
      reader?.deallocate()
      reader = nil
      let next = shared.nextBlock.add(1, ordering: .relaxed).oldValue
      guard next < shared.blocks.count else { return nil }
      reader = WaitingReader(shared.blocks[next])
    }
  }

  private func expand(_ id: Int, _ choices: UInt32) {
    world.memory.clearJournal()
    snapshot.take(world.machine)
    let cpuKey = world.reuses ? world.cpuKey() : Fingerprint()
    if expandsInPart { return expandInPart(id, choices, cpuKey) }
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 32) { targets in
      var rest = choices
      var count = 0
      while rest != 0 {
        let choice = rest.trailingZeroBitCount
        rest &= rest - 1
        targets[count] = take(choice, cpuKey, from: id)
        count += 1
        if rest != 0 { snapshot.putBack(world.machine) }
      }
      steps.add(
        from: id, choices: choices,
        targets: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(targets)[..<count]))
    }
  }

  /// Takes a step.
  /// - Returns: the number of the state that it leads to.
  func take(_ choice: Int, _ cpuKey: Fingerprint, from id: Int) -> Int {
    world.reuses
      ? reuse(choice, cpuKey, from: id)
      : settle(world.advance(choice), from: id, choice: choice)
  }

  /// Takes a step, by executing it only if none like it was executed before.
  private func reuse(_ choice: Int, _ cpuKey: Fingerprint, from state: Int) -> Int {
    let machine = world.machine
    if machine.codeVaries { return settle(world.advance(choice), from: state, choice: choice) }
    if let done = runs.repeatStep(choice, cpuKey, machine) {
      machine.observation.lowestSP = world.cpu.rsp
      return enter(choices: done.choices, cpuKey: done.cpuKey, after: choice)
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
      internalErrors.insert(
        "A step of context `\(world.image.symbols.describe(world.cpu.rip))` is not a function of what it was seen to read; please report this, and use `--reduce` without `reuse`."
      )
    } else {
      runs.abandon()
    }
    return settle(outcome, from: state, choice: choice)
  }

  /// Takes up the outcome of a step: violations, and the state that it led to.
  /// - Returns: the number of the state.
  private func settle(_ outcome: Outcome, from state: Int, choice: Int) -> Int {
    if !world.violations.isEmpty { note(world.violations, from: state, choice: choice) }
    if case .obstacle = outcome {
      obstacles[world.obstacle ?? "unknown", default: 0] += 1
      return Explorer.sink
    }
    if let obstacle = world.obstacle {
      obstacles[obstacle, default: 0] += 1
      return Explorer.sink
    }
    switch outcome {
    case .ended, .obstacle: return Explorer.sink
    case .choices(let mask): return enter(choices: mask, cpuKey: world.cpuKey(), after: choice)
    case .terminal(let terminal):
      var key = world.key()
      key.low &+= 0x5851_F42D_4C95_7F2D &* (UInt64(terminal.rawValue) + 1)
      let (id, isNew) = shared.table.insert(key, &reservation)
      if isNew {
        figures.entered += 1
        observeState?(world.machine)
        noteOutcome(id, after: choice)
        var flags = stateInfo()
        switch terminal {
        case .halted: flags |= StateGraph.Info.halted
        case .spinning: flags = flagsAround(flags) | StateGraph.Info.spinning
        case .exited: flags |= StateGraph.Info.exited
        }
        shared.kinds.set(id, flags, waits: false, &kindCache)
      }
      return id
    }
  }

  /// Injected events and steps up to behind a choice in a state.
  func cost(after choice: Int) -> UInt64 {
    UInt64(shared.layer + (Choice.isInjection(choice) ? 1 : 0)) << 32 | UInt64(shared.steps + 1)
  }

  private func note(_ violations: [Violation], from state: Int, choice: Int) {
    let here = Explorer.Occurrence(
      cost: state == Explorer.sink ? 0 : cost(after: choice), key: shared.table.key(state),
      state: state, choice: choice)
    for v in violations {
      if let known = occurrences[v], known <= here { continue }
      occurrences[v] = here
    }
  }

  /// Enters the present state, at which there are choices.
  @inline(__always) private func enter(
    choices: UInt32, cpuKey: Fingerprint, after choice: Int
  ) -> Int {
    // A step that was repeated, not executed, says nothing of that.
    world.isAtEnd = false
    let (id, isNew) = shared.table.insert(world.key(cpus: cpuKey), &reservation)
    let isInjection = Choice.isInjection(choice)
    if isNew {
      figures.entered += 1
      observeState?(world.machine)
      noteOutcome(id, after: choice)
      shared.kinds.set(id, stateInfo(), waits: isInjection, &kindCache)
      let header = WaitingHeader(
        id: id, choices: choices, fingerprint: world.memory.fingerprint, isTentative: isInjection)
      if isInjection { save(header, in: &injected) } else { save(header, in: &plain) }
    } else if !isInjection && shared.kinds.claim(id) {
      // It waited for the next layer, or a later round.
      noteOutcome(id, after: choice)
      save(
        WaitingHeader(
          id: id, choices: choices, fingerprint: world.memory.fingerprint, isTentative: false),
        in: &plain)
    }
    return id
  }

  // MARK: Saving and restoring

  private func save(_ header: WaitingHeader, in writer: inout WaitingWriter) {
    scratch.removeAll(keepingCapacity: true)
    world.memory.difference(into: &scratch)
    for c in 0..<baseCPUs.count {
      let words = world.machine.cpus[c].words
      baseCPUs[c].withUnsafeBufferPointer { base in
        for i in 0..<CPU.wordCount where words[i] != base[i] {
          scratch.append(
            DifferingWord(
              number: SearchWorker.cpuWords | UInt32(c) << 8 | UInt32(i), value: words[i]))
        }
      }
    }
    writer.append(header, scratch)
  }

  /// Words of CPUs, among the numbers of differing words.
  private static let cpuWords: UInt32 = 0xFFF0_0000

  /// Puts the state in `scratch` in place.
  private func restore(_ fingerprint: Fingerprint) {
    scratch.withUnsafeBufferPointer { words in
      var n = words.count
      while n > 0 && words[n - 1].number >= SearchWorker.cpuWords { n -= 1 }
      world.memory.restore(UnsafeBufferPointer(rebasing: words[..<n]))
      takeUpForeignWords(UnsafeBufferPointer(rebasing: words[..<n]))
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

  /// Where another machine has written what this one has decoded as code, this one must know.
  private func takeUpForeignWords(_ words: UnsafeBufferPointer<DifferingWord>) {
    var isNew = false
    for w in words {
      let bit: UInt64 = 1 << UInt64(w.number & 63)
      if met[Int(w.number >> 6)] & bit != 0 { continue }
      met[Int(w.number >> 6)] |= bit
      // The value that is there: a write all the same, to what watches.
      world.memory.setWord(at: UInt64(w.number) << 3, w.value)
      isNew = true
    }
    // Notices writes to code before it executes nothing.
    if isNew { _ = world.machine.run(cpu: 0, limit: 0) }
  }

  /// What the graph keeps of the present state.
  func stateInfo() -> StateGraph.Flags {
    var flags: StateGraph.Flags = 0
    for (index, cpu) in world.machine.cpus.enumerated() {
      let activity = cpu[CPU.Word.activity]
      // Nobody waits for a CPU that was not started.
      let isAbsent = activity == CPU.Activity.waitForSIPI
      let halted = activity == CPU.Activity.halted
      if isAbsent || cpu.cpl == 3 || (halted && cpu.interruptsEnabled && world.hasReturned(index)) {
        flags |= StateGraph.Info.userOrIdle(index)
      }
      if isAbsent || cpu.interruptsEnabled { flags |= StateGraph.Info.interruptsOn(index) }
    }
    if world.isBlockedByBound() { flags |= StateGraph.Info.bounded }
    let t = Ghost.Layout.activations
    for row in 0..<world.ghost.count(t) {
      let packed = world.ghost.field(t, row, 1)
      guard packed >> 24 & 3 == 3, packed & Activation.endedBit == 0 else { continue }
      // SYSCALL before, or SYSRET after, the kernel's own stack: on the way.
      if world.ghost.field(t, row, 2) & World.userStrandBit != 0 { continue }
      let top = world.ghost.field(t, row, 0) + 5 * world.slot
      if !contextTops.contains(top) { contextTops = shared.contexts.enter(top) }
      let index = contextTops.firstIndex(of: top)!
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
