import Emulator

/// Finds out which rule a state without progress breaks, and who waits for whom.
struct Diagnosis {
  let world: World
  let failure: Progress.Failure
  let writers: [UInt64: Trace.Writer]
  let earlierWriters: [UInt64: Trace.Writer]
  let enabledAt: [Trace.Level: UInt64]

  struct Result {
    var identity: Counterexample.Identity
    var title: String
    var holders: [String] = []
    var waiters: [String] = []
  }

  var names: Names { Names(world: world) }

  func diagnose() -> Result {
    if let cpu = failure.cpu { world.turn(to: cpu) }
    if case .busy(let cpu) = failure, world.machine.isHalted(cpu: cpu), !world.hasReturned(cpu) {
      let rip = world.cpu.rip
      return Result(
        identity: identity("lost-wakeup", [], [rip]),
        title: "CPU \(cpu) is halted at \(names.site(rip)), and nothing wakes it for good")
    }
    switch failure {
    case .spinning, .busy, .interruptsOff: return world.cpuCount > 1 ? together() : running()
    case .halted: return halted()
    case .contexts(let mask): return asleep(mask)
    }
  }

  // MARK: A loop

  func running() -> Result {
    let rip = world.cpu.rip
    if world.cpu.cpl == 3 {
      // A program may run for ever; what is stuck then is a task in the kernel, elsewhere.
      let waiting = contextsInKernel()
      if world.cpu.interruptsEnabled && waiting > 0 { return asleep(1 << min(waiting, 8) - 1) }
      return Result(
        identity: identity("interrupts-lost", [], [rip]),
        title: "user code runs with IF=0 for ever, at \(names.site(rip))")
    }
    let reads = awaitedBytes()
    if reads.changed && failure != .spinning {
      return Result(
        identity: identity("livelock", [], [rip]),
        title:
          "the kernel runs for ever at \(names.site(rip)) and never comes to user code or idling")
    }
    let strand = world.strand
    let depth = world.depth
    // The writer that matters is somebody else who is still there, which an interrupt that returned
    // is not; of several, one who wrote what is a known lock.
    let known = Set(heldLocks().map(\.address))
    let candidates = othersThatWrote(reads.addresses, strand: strand, depth: depth)
    guard
      let (access, writer) = candidates.first(where: { known.contains($0.0.linear) })
        ?? candidates.first(where: { isStackless($0.0) }) ?? candidates.first
    else {
      if let own = reads.addresses.first(where: { known.contains($0.linear) }) {
        let site = heldLocks().first { $0.address == own.linear }!.site
        return Result(
          identity: identity("deadlock", [own.linear], [site, waitSite()]),
          title:
            "\(names.site(waitSite())) waits for \(names.lock(own.linear)), which the same code holds since \(names.site(site))"
        )
      }
      return Result(
        identity: identity("deadlock", [], [rip]),
        title:
          "the CPU loops for ever with IF=\(world.cpu.interruptsEnabled ? 1 : 0) at \(names.site(rip)), and nothing it reads can change"
      )
    }
    let lock = access.linear
    let held = heldLocks().last { $0.address == lock }
    let takenAt = held?.site ?? callSite(of: lock, by: writer.strand) ?? writer.rip
    let wait = waitSite()
    let mine = world.activationsOnStrand().first { $0.isAsynchronous }
    if let mine, writer.strand == strand || writer.strand == interruptedStrand(mine) {
      let rule = mine.kind == .interrupt ? "deadlock-on-interrupt" : "deadlock-on-nmi"
      var title =
        "\(names.vector(mine.vector, kind: mine.kind)), arriving at \(names.site(mine.interruptedIP)), waits for \(names.lock(lock)) at \(names.site(wait)), held by the code it interrupted since \(names.site(takenAt))"
      if mine.kind == .interrupt,
        let on = enabledAt[Trace.Level(strand: strand, depth: depth - 1)]
      {
        title += ", with IF=1 since \(names.site(on))"
      }
      return Result(
        identity: identity(rule, [lock], [takenAt, wait]), title: title,
        waiters: [
          "\(names.vector(mine.vector, kind: mine.kind)) waits for \(world.lockName(lock)) at \(names.site(wait))"
        ])
    }
    let title =
      "\(mine.map { names.vector($0.vector, kind: $0.kind) } ?? "a task") waits at \(names.site(wait)) for \(names.lock(lock)), held since \(names.site(takenAt)) by a task of the same CPU that was preempted"
    return Result(
      identity: identity("deadlock-on-preemption", [lock], [takenAt, wait]), title: title,
      waiters: ["\(names.site(wait)) waits for \(world.lockName(lock))"])
  }

  /// Who else wrote what is awaited. Who waits may have written there as well, after the holder: the waiter's
  /// mark in a lock of one word.
  func othersThatWrote(
    _ awaited: [Access], strand: UInt64, depth: Int
  ) -> [(Access, Trace.Writer)] {
    for kept in [writers, earlierWriters] {
      let others = awaited.compactMap { a in kept[a.physical & ~3].map { (a, $0) } }
        .filter { $0.1.strand != strand || $0.1.depth < depth }
      if !others.isEmpty { return others }
    }
    return []
  }

  /// The strand that an entry on a stack of its own interrupted.
  private func interruptedStrand(_ a: Activation) -> UInt64? {
    let t = Ghost.Layout.suspended
    return world.ghost.row(t, key: a.interruptedSP).map { world.ghost.field(t, $0, 1) }
  }

  func isStackless(_ access: Access) -> Bool {
    !world.stacks.contains { $0.low <= access.linear && access.linear < $0.high }
  }

  /// Where the wait is: the call site of the lock operation in flight, if it is a known one.
  func waitSite() -> UInt64 {
    let t = Ghost.Layout.calls
    let strand = world.strand
    for row in 0..<world.ghost.count(t) where world.ghost.field(t, row, 4) == strand {
      return world.ghost.field(t, row, 1)
    }
    return world.cpu.rip
  }

  /// Return address of an acquire of this lock that has the lock and has not come back yet.
  func callSite(of lock: UInt64, by strand: UInt64) -> UInt64? {
    let t = Ghost.Layout.calls
    for row in (0..<world.ghost.count(t)).reversed()
    where world.ghost.field(t, row, 2) == lock && world.ghost.field(t, row, 4) == strand {
      return world.ghost.field(t, row, 1)
    }
    return nil
  }

  func heldLocks() -> [HeldLock] {
    let t = Ghost.Layout.held
    return (0..<world.ghost.count(t)).map { HeldLock(ghost: world.ghost, row: $0) }
  }

  /// What the loop reads, found by running it for a while; `changed` tells whether it is more than
  /// waiting: it does not come round to the same state, or changes memory that is no stack's on its way.
  func awaitedBytes() -> (addresses: [Access], changed: Bool) {
    world.tracer = nil
    world.machine.observation.logAccesses = true
    world.machine.observation.accesses.removeAll()
    var spin = SpinDetector()
    var looped = false
    var pass = false
    var runs = 0
    var seenAccesses = 0
    var written: [UInt64: UInt64] = [:]
    var changes = false
    /// Whether a value of memory that is no stack's is another one than when it was last written. Where the
    /// job names no stacks, what lies near the stack pointer may be one.
    func noteWrites() {
      let accesses = world.machine.observation.accesses
      for access in accesses[min(seenAccesses, accesses.count)...]
      where access.isWrite && isStackless(access)
        && (!world.stacks.isEmpty || access.linear &- world.cpu.rsp &+ 8192 >= 16384)
      {
        guard let value = world.machine.peek(world.cpuIndex, linear: access.linear, size: 4) else {
          continue
        }
        if let old = written.updateValue(value, forKey: access.linear), old != value {
          changes = true
        }
      }
      seenAccesses = accesses.count
    }
    while runs < 4000 {
      runs += 1
      world.configureForReplay()
      let stop = world.machine.run(cpu: world.cpuIndex, limit: 1, passFirst: pass)
      pass = false
      noteWrites()
      if stop == .visible {
        pass = true
        continue
      }
      if stop == .event { continue }
      if stop != .limit { break }
      if spin.observe(world.key()) {
        looped = true
        break
      }
    }
    var seen: Set<UInt64> = []
    let accesses = world.machine.observation.accesses.filter { !$0.isWrite || $0.isLocked }
      .filter { seen.insert($0.linear).inserted }
    return (accesses, !looped || changes)
  }

  // MARK: Halted

  private func halted() -> Result {
    if let cpu = world.machine.cpus.indices.first(where: {
      world.machine.isHalted(cpu: $0) && !world.machine.cpus[$0].interruptsEnabled
    }) {
      world.turn(to: cpu)
    }
    let rip = world.cpu.rip
    return Result(
      identity: identity("interrupts-lost", [], [rip]),
      title: "the CPU halts for ever with IF=0 at \(names.site(rip))")
  }

  // MARK: Asleep

  private func contextsInKernel() -> Int {
    world.activations().count {
      $0.fromCPL == 3 && !$0.hasEnded && $0.strand & World.userStrandBit == 0
    }
  }

  private func asleep(_ mask: UInt16) -> Result {
    let waiting = world.activations().filter { $0.fromCPL == 3 && !$0.hasEnded }
    let sleepers = waiting.map { (activation: $0, place: sleepingPlace($0)) }
    let stuck = mask.nonzeroBitCount
    let rule = stuck >= 2 && stuck >= waiting.count ? "deadlock" : "lost-wakeup"
    let places = sleepers.compactMap(\.place)
    let described = sleepers.map { s in
      "\(names.vector(s.activation.vector, kind: s.activation.kind)) from user code at \(names.site(s.activation.interruptedIP))"
        + (s.place.map { " waits at \(names.site($0))" } ?? "")
    }
    let title =
      rule == "deadlock"
      ? "\(stuck) tasks in the kernel wait for ever: " + described.joined(separator: "; ")
      : "a task in the kernel is never woken: " + described.joined(separator: "; ")
    return Result(
      identity: identity(rule, [], places.isEmpty ? [world.cpu.rip] : places.sorted()),
      title: title, waiters: described)
  }

  /// The innermost return address below an entry's frame that is not the switch itself.
  private func sleepingPlace(_ a: Activation) -> UInt64? {
    let t = Ghost.Layout.suspended
    var sp: UInt64?
    for row in 0..<world.ghost.count(t) {
      let s = world.ghost.field(t, row, 0)
      if s < a.frame && a.frame - s < 1 << 14 && s > sp ?? 0 { sp = s }
    }
    guard var at = sp else { return nil }
    let switches = Set(world.scenario.switches)
    var found: [UInt64] = []
    while at < a.frame {
      if let word = world.machine.peek(world.cpuIndex, linear: at, size: Int(world.slot)),
        world.isReturnAddress(word), !switches.contains(world.function(word))
      {
        found.append(word)
      }
      at += world.slot
    }
    // The innermost frame is the scheduler's; what called it says more.
    return found.count > 1 ? found[1] : found.first
  }

  func identity(
    _ rule: String, _ locks: [UInt64], _ sites: [UInt64]
  ) -> Counterexample.Identity {
    Counterexample.Identity(
      rule: rule, lockClasses: locks.map { world.lockName($0) },
      functions: sites.map { world.function($0) })
  }
}
