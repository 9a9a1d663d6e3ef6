import Emulator

/// Persistent sets over CPUs. See docs/search.md, `persistent`.
extension World {
  /// Whether the reduction can be used in this scenario at all: several CPUs; each source belongs to one
  /// CPU; no bound that all sources share; nothing that depends on the memory of all CPUs together, as
  /// invariants and final conditions do.
  var canPersist: Bool {
    reductions.contains(.persistent) && cpuCount > 1 && scenario.maxInterrupts == nil
      && scenario.sources.allSatisfy { $0.line == nil }
      && !conditions.hasInvariants && !conditions.hasFinal && conditions.observed.isEmpty
      && image.markers.isEmpty && machine.observation.sharedTableWrites == 0 && !futures.isFull
  }

  /// The node of a CPU's standpoint, added if it is new. The machine is at a state.
  func standpoint(_ index: Int) -> Int {
    let label = standpointLabel(index)
    if let known = futures.node(label) { return known }
    let (next, touches) = memory.withoutRecording { whatIsNext(index) }
    return futures.add(label, next: next, touches: touches)
  }

  /// A hash of registers, strand, and own stack. What others may touch is not among it.
  private func standpointLabel(_ index: Int) -> UInt64 {
    var f = Fingerprint()
    let words = machine.cpus[index].words
    for w in 0..<CPU.hotWords where words[w] != 0 { f.replace(0, by: words[w], at: UInt64(w)) }
    let strand = ghost[Ghost.Layout.strand + index]
    f.replace(0, by: strand, at: 1 << 20)
    f.replace(0, by: UInt64(index) + 1, at: 1 << 21)
    let sp = words[CPU.Register.sp]
    guard strand >> 62 == 0, sp < strand, strand - sp < 1 << 16,
      let physical = machine.physicalAddress(cpu: index, linear: sp)
    else { return f.low }
    let end = min(physical + min(strand - sp, 256), (physical | 0xFFF) + 1)
    var at = physical & ~7
    while at < end {
      var value = memory.word(at: at)
      if memory.isShared(at: at) { value &= ~0xFFFF_FFFF }
      if memory.isShared(at: at + 4) { value &= 0xFFFF_FFFF }
      if value != 0 { f.replace(0, by: value, at: 1 << 40 | at) }
      at += 8
    }
    return f.low
  }

  /// What a CPU's next instruction touches. The first is nil where it concerns more than memory and the CPU
  /// itself, so that it cannot be taken alone.
  private func whatIsNext(_ index: Int) -> (next: Futures.Touches?, touches: Futures.Touches) {
    var touches = Futures.Touches()
    let rip = machine.cpus[index].rip
    guard machine.cpus[index][CPU.Word.activity] == CPU.Activity.running else {
      // Whoever starts it, or wakes it by a message, does something that concerns everybody.
      return (nil, touches)
    }
    if machine.isAboutToDeliver(index) { return (nil, touches) }
    var isPlain = true
    if mayHaveHook(rip), let site = hookSites[rip] {
      if let lock = lockConcerned(site, index) {
        touches.writes.insert(futures.resource(lock >> 2))
      } else {
        isPlain = false
        if site.ends || site.isAssertion || site.isPanic || site.isEnd || site.marker != nil {
          touches.writes.insert(Futures.Special.everything)
        }
      }
    }
    guard let accesses = machine.plainAccesses(index) else {
      guard concernsOnlyItsCPU(index) else {
        touches.writes.insert(Futures.Special.everything)
        return (nil, touches)
      }
      touches.writes.insert(Futures.Special.stacks)
      add(machine.nextAccesses(index), to: &touches)
      return (nil, touches)
    }
    add(accesses, to: &touches)
    if accesses.contains(where: { $0.isWrite && isInTable($0) }) { isPlain = false }
    return (isPlain ? touches : nil, touches)
  }

  private func add(_ accesses: [Access], to touches: inout Futures.Touches) {
    for access in accesses {
      let granules = access.physical >> 2...(access.physical + UInt64(access.size) - 1) >> 2
      for granule in granules where memory.isShared(at: granule << 2) {
        if access.isWrite {
          touches.writes.insert(futures.resource(granule))
        } else {
          touches.reads.insert(futures.resource(granule))
        }
      }
    }
  }

  /// The granule of the lock that a lock function works on, as it is entered or comes back.
  private func lockConcerned(_ site: HookSite, _ index: Int) -> UInt64? {
    if site.ends || site.isAssertion || site.isPanic || site.switches || site.isEnd
      || site.marker != nil
    {
      return nil
    }
    let discipline = site.acquire ?? site.tryAcquire ?? site.release
    var lock: UInt64?
    if let discipline {
      let present = cpuIndex
      cpuIndex = index
      lock = argument(scenario.locks[discipline].lockArgument)
      cpuIndex = present
    } else if site.isReturn {
      let t = Ghost.Layout.calls
      guard let row = ghost.row(t, key: machine.cpus[index][CPU.Register.sp]) else { return nil }
      lock = ghost.field(t, row, 2)
    }
    return lock.flatMap { machine.physicalAddress(cpu: index, linear: $0) }
  }

  /// Whether an instruction that is not plain concerns its own CPU only, and who is on which stack: loads of
  /// the stack pointer and of segments, gates, and its local APIC but for what sends messages or can show
  /// requests.
  private func concernsOnlyItsCPU(_ index: Int) -> Bool {
    if isInputOrOutput(index) { return false }
    guard let stop = machine.nextStop(index), stop.flags & PendingAccess.Flag.device != 0 else {
      return true
    }
    guard stop.address & ~0xFFF == 0xFEE0_0000 else { return false }
    switch stop.address & 0xFFF {
    case 0x80, 0xB0, 0x310: return true
    default: return false
    }
  }

  /// IN, OUT, INS, OUTS. Intel SDM Vol. 2D, appendix A.
  private func isInputOrOutput(_ index: Int) -> Bool {
    var at = machine.cpus[index].linearIP
    for _ in 0..<15 {
      guard let byte = machine.peek(index, linear: at, size: 1) else { return true }
      switch byte {
      case 0x6C...0x6F, 0xE4...0xE7, 0xEC...0xEF: return true
      case 0x66, 0x67, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65: at += 1
      case 0x40...0x4F where machine.cpus[index].is64Bit: at += 1
      default: return false
      }
    }
    return true
  }

  /// Whether the processors read what is written here by themselves.
  private func isInTable(_ access: Access) -> Bool {
    machine.cpus.contains { cpu in
      func holds(_ base: UInt64, _ limit: UInt64) -> Bool {
        access.linear + 8 > base && access.linear <= base &+ limit
      }
      return holds(cpu[CPU.Word.gdtrBase], cpu[CPU.Word.gdtrLimit])
        || holds(cpu[CPU.Word.idtrBase], cpu[CPU.Word.idtrLimit])
        || holds(cpu.base(CPU.Segment.tr), 104)
    }
  }

  /// The choices of the CPUs of a set, and of the sources that belong to them.
  private func choices(of cpus: UInt8, among choices: UInt32) -> UInt32 {
    var mask: UInt32 = 0
    for c in machine.cpus.indices where cpus >> UInt8(c) & 1 != 0 {
      mask |= 1 << UInt32(Choice.goOn(c))
    }
    for (i, source) in scenario.sources.enumerated() where cpus >> UInt8(source.cpu) & 1 != 0 {
      mask |= 1 << UInt32(Choice.raise(i))
    }
    return mask & choices
  }

  /// Sets of choices, smaller than all, of which each is enough by itself: what all CPUs outside may do from
  /// where they stand is independent of the next steps of those inside. Smallest first.
  func persistentSets(_ choices: UInt32, _ here: [Int]) -> [(cpus: UInt8, choices: UInt32)] {
    guard futures.mistakes == 0, !someStandsBeforeDevice else { return [] }
    var sets: [(cpus: UInt8, choices: UInt32)] = []
    for first in here.indices where choices >> UInt32(Choice.goOn(first)) & 1 != 0 {
      guard let set = closure(of: first, choices, here), !sets.contains(where: { $0.cpus == set })
      else { continue }
      let mask = self.choices(of: set, among: choices)
      if mask != choices { sets.append((set, mask)) }
    }
    sets.sort { ($0.choices.nonzeroBitCount, $0.cpus) < ($1.choices.nonzeroBitCount, $1.cpus) }
    return sets
  }

  private func closure(of first: Int, _ choices: UInt32, _ here: [Int]) -> UInt8? {
    var set: UInt8 = 1 << UInt8(first)
    var work = [first]
    while let c = work.popLast() {
      guard choices >> UInt32(Choice.goOn(c)) & 1 != 0 else { continue }
      guard machine.cpus[c].cpl == 0, let step = futures.nodes[here[c]].next else { return nil }
      for other in here.indices
      where set >> UInt8(other) & 1 == 0 && futures.depends(here[other], on: step) {
        set |= 1 << UInt8(other)
        work.append(other)
      }
    }
    return set.nonzeroBitCount == here.count ? nil : set
  }

  /// Remembers that what the CPUs outside a set do was taken to be independent of it.
  func rely(on set: UInt8, _ here: [Int]) {
    for c in here.indices where set >> UInt8(c) & 1 != 0 {
      guard let step = futures.nodes[here[c]].next else { continue }
      for other in here.indices where set >> UInt8(other) & 1 == 0 {
        futures.rely(here[other], on: step)
      }
    }
  }

  /// Takes up a step: the standpoints that CPUs have come to.
  func noteStep(_ choice: Int, from here: [Int]) {
    let mover = Choice.source(choice).map { scenario.sources[$0].cpu } ?? Choice.cpu(choice) ?? 0
    let isPlain = futures.nodes[here[mover]].next != nil && !Choice.isInjection(choice)
    for c in here.indices where c == mover || !isPlain {
      futures.note(from: here[c], to: standpoint(c))
    }
  }

  /// What a step of a set must leave as it is, of each CPU.
  func places() -> [UInt64] {
    machine.cpus.indices.map { ghost[Ghost.Layout.strand + $0] << 2 | UInt64(machine.cpus[$0].cpl) }
  }
}

extension Explorer {
  /// What CPUs may touch is learned anew when what is shared has changed; else what was learned stays.
  func prepareFutures() {
    for worker in workers {
      let o = worker.world.machine.observation
      if o.newlyShared > 0 || worker.hasReadDeadStack || worker.hasReadVictim {
        worker.world.futures.forget()
      }
      worker.world.futures.beginPass()
    }
    refuseExpansionInPart()
  }

  /// Has the present pass expand all states completely.
  func refuseExpansionInPart() {
    for worker in workers {
      worker.world.persists = false
      worker.expandsInPart = false
    }
  }

  /// Has the pass that begins expand states in part, if that can be done. By one thread only: several would
  /// learn in an order that changes from run to run. Without checkpoints, which do not hold what was relied on.
  func allowExpansionInPart() {
    guard workers.count == 1, world.canPersist else { return }
    world.persists = true
    workers[0].expandsInPart = true
  }
}

extension SearchWorker {
  /// Expands a state by a set of choices that is enough, if there is one all of whose steps lead to new
  /// states; by all, otherwise. So no cycle consists of states that were expanded in part.
  func expandInPart(_ id: Int, _ choices: UInt32, _ cpuKey: Fingerprint) {
    if !world.canPersist { world.futures.giveUp() }
    let here = world.machine.cpus.indices.map { world.standpoint($0) }
    let places = world.places()
    var taken: UInt32 = 0
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 32) { targets in
      /// - Returns: whether all states that they lead to are new, and nothing changed that others could see.
      func steps(_ mask: UInt32) -> Bool {
        var isEnough = true
        var rest = mask & ~taken
        while rest != 0 {
          let choice = rest.trailingZeroBitCount
          rest &= rest - 1
          if taken != 0 { snapshot.putBack(world.machine) }
          taken |= 1 << UInt32(choice)
          let before = entered
          let target = take(choice, cpuKey, from: id)
          targets[choice] = target
          if target != Explorer.sink { world.noteStep(choice, from: here) }
          if entered == before || world.places() != places { isEnough = false }
        }
        return isEnough
      }
      var isDone = false
      for set in world.persistentSets(choices, here) where set.choices & taken == 0 {
        if steps(set.choices) {
          world.rely(on: set.cpus, here)
          isDone = true
          break
        }
      }
      if !isDone { _ = steps(choices) }
      var n = 0
      for choice in 0..<32 where taken >> UInt32(choice) & 1 != 0 {
        targets[n] = targets[choice]
        n += 1
      }
      self.steps.add(
        from: id, choices: taken,
        targets: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(targets)[..<n]))
    }
  }
}
