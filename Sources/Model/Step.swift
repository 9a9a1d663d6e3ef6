import Emulator

/// What a step led to.
enum Outcome {
  /// A state with choices: a bit for each (see `Choice`).
  case choices(UInt32)
  /// Nothing more can happen here: halted, or spinning, with nothing that could arrive.
  case terminal(Terminal)
  /// A rule is broken in a way that ends the execution.
  case ended
  /// The path cannot be followed (`World.obstacle`).
  case obstacle
}

enum Terminal: UInt8 {
  case halted
  /// A loop that changes nothing and that nothing can interrupt.
  case spinning
  /// The kernel ended the run by itself.
  case exited
}

extension World {
  /// Instructions after which a run without a visible instruction becomes a state of its own, so
  /// that loops close. Intel's `jmp .` would otherwise never come back to the search.
  static let segmentLimit = 2048
  /// Instructions without any choice after which a path is given up as unexplored.
  static let deterministicLimit = 20_000_000
  static let spinChunk = 61

  /// Takes one choice at the present state and runs to the next state.
  func advance(_ choice: Int) -> Outcome {
    violations.removeAll(keepingCapacity: true)
    obstacle = nil
    isAtEnd = false
    isCutOff = false
    looksOutside = false
    if choice == Choice.nextValue { return takeNextValue() }
    if let next = Choice.cpu(choice) {
      turn(to: next)
      // What another CPU sent, or a source that was raised before, comes first.
      if cpuCount > 1 && machine.isAboutToDeliver(cpuIndex) { return runToChoice(pass: false) }
      if !passHooks() { return .ended }
      return runToChoice(pass: true)
    }
    let source = choice - 1
    if cpuCount > 1 { return advance(raising: source) }
    inject(source)
    if machine.pollInterrupts(cpuIndex) {
      if !takeDelivery() { return .ended }
      if obstacle != nil { return .obstacle }
      return runToChoice(pass: false)
    }
    // Latched, to be taken later: the CPU stands where it stood.
    let choices = branches()
    if choices != 0 { return settle(choices) }
    if !passHooks() { return .ended }
    return runToChoice(pass: true)
  }

  /// Raises a source of a machine with several CPUs. Where the reduction `late` is on and one CPU would
  /// take it at once, that one does; otherwise it is latched, and who goes on is the next choice.
  private func advance(raising source: Int) -> Outcome {
    let takers = machine.cpus.indices.filter { isTakenAtOnce(scenario.sources[source], by: $0) }
    inject(source)
    isLatched = !raisesLate || takers.count != 1
    guard !isLatched else {
      turn(to: takers.first ?? 0)
      return .choices(available() | goingOn(except: -1))
    }
    turn(to: takers[0])
    if machine.pollInterrupts(cpuIndex) {
      if !takeDelivery() { return .ended }
      if obstacle != nil { return .obstacle }
    }
    return runToChoice(pass: false)
  }

  /// Makes a CPU the present one.
  func turn(to next: Int) {
    cpuIndex = next
    machine.observation.lowestSP = cpu.rsp
  }

  /// Bits of the CPUs, other than one, that can go on.
  private func goingOn(except index: Int) -> UInt32 {
    var mask: UInt32 = 0
    for other in machine.cpus.indices where other != index && machine.canRun(cpu: other) {
      mask |= 1 << UInt32(Choice.goOn(other))
    }
    return mask
  }

  /// The choices at the present boundary; 0 where nothing can happen but the present CPU going on.
  /// - Parameter alone: whether the present CPU can go on by itself.
  func branches(goesOn: Bool = true) -> UInt32 {
    if cpuCount == 1 {
      let choices = available() | offerNextValue()
      return choices == 0 ? 0 : goesOn ? choices | 1 : choices
    }
    let choices = available() | goingOn(except: cpuIndex) | offerNextValue()
    // What a CPU does alone must be learned, too, where others are judged by it: see `Futures`.
    if !goesOn || (choices == 0 && !persists) { return choices }
    return choices | 1 << UInt32(Choice.goOn(cpuIndex))
  }

  /// Whether a CPU other than the present one could do something before this one has come to rest.
  private var othersMayAct: Bool {
    for other in machine.cpus.indices where other != cpuIndex {
      if machine.canRun(cpu: other) { return true }
      if machine.isHalted(cpu: other) && !scenario.sources.isEmpty
        && (hasNMI || machine.cpus[other].interruptsEnabled)
      {
        return true
      }
    }
    return false
  }

  /// Where exploration begins: the first state at or after the present boundary.
  func begin() -> Outcome {
    violations.removeAll(keepingCapacity: true)
    obstacle = nil
    turn(to: 0)
    isAtEnd = false
    if conditions.hasInvariants { judgeInvariants(at: cpu.rip) }
    return endsNow ? .ended : runToChoice(pass: false)
  }

  func runToChoice(pass initialPass: Bool) -> Outcome {
    var pass = initialPass
    let fuse = fuses
    let start = machine.instructions
    var spin = SpinDetector()
    while true {
      if isAtEnd { return settle(terminal: .exited) }
      if isCutOff {
        cutOffs += 1
        return .ended
      }
      let mayChoose = configure()
      let limit: Int
      if !fuse || (pass && conditions.hasInvariants) {
        // What writes to an invariant's symbols is executed alone.
        limit = 1
      } else if mayChoose {
        let done = Int(machine.instructions &- start)
        limit = max(1, World.segmentLimit - done)
      } else {
        limit = World.spinChunk
      }
      machine.observation.stopSize = 0
      let from = cpu.rip
      let executed = machine.instructions
      var stop = machine.run(cpu: cpuIndex, limit: limit, passFirst: pass)
      pass = false
      // The last instruction of a run may be the one that halts: no state comes before what the rules
      // say of it.
      if stop == .limit && machine.isHalted(cpu: cpuIndex) && !machine.isAboutToDeliver(cpuIndex) {
        stop = .halted
      }
      noteShortHalt(stop, from: from, count: machine.instructions &- executed)
      if endsNow { return .ended }
      if !takeNotes() { return .ended }
      if conditions.hasInvariants {
        judgeInvariants(at: stop == .event ? machine.event.rip : from)
        if endsNow { return .ended }
      }
      switch stop {
      case .visible:
        lookAhead(stopped: true)
        let choices = branches()
        if choices != 0 { return settle(choices) }
        // Loops can consist of visible instructions alone: one that polls a device with IF=0.
        if Int(machine.instructions &- start) >= World.segmentLimit,
          let outcome = rest(start, &spin)
        {
          return outcome
        }
        if !passHooks() { return .ended }
        if obstacle != nil { return .obstacle }
        pass = true
      case .event:
        if !handleEvent() { return .ended }
        if obstacle != nil { return .obstacle }
        // Loops can consist of events alone: an exception whose handler returns at once.
        if !fuse || Int(machine.instructions &- start) >= World.segmentLimit {
          if let outcome = rest(start, &spin) { return outcome }
        }
      case .limit:
        if let outcome = rest(start, &spin) { return outcome }
      case .halted:
        happen(Happening(.halted, rip: cpu.rip))
        if endsNow { return .ended }
        lookAhead(stopped: false)
        let choices = branches(goesOn: false)
        return choices != 0 ? settle(choices) : settle(terminal: .halted)
      case .shutdown:
        happen(Happening(.shutdown, rip: cpu.rip))
        return .ended
      case .unmodelled:
        obstacle = notModelled(at: cpu.linearIP)
        return .obstacle
      case .exit:
        return settle(terminal: .exited)
      }
    }
  }

  /// A run that came to nothing visible: a state, if something may happen here; else it may have
  /// come back to where it was.
  private func rest(_ start: UInt64, _ spin: inout SpinDetector) -> Outcome? {
    // A request that can be taken is taken: nothing comes between, neither a choice nor the next
    // instruction's hooks.
    if machine.isAboutToDeliver(cpuIndex) { return nil }
    if !fuses || Int(machine.instructions &- start) >= World.segmentLimit {
      lookAhead(stopped: false)
      let choices = branches()
      if choices != 0 { return settle(choices) }
    }
    if machine.instructions &- start > UInt64(World.deterministicLimit) {
      obstacle =
        "\(World.deterministicLimit) instructions without a choice at \(image.symbols.describe(cpu.rip))"
      return .obstacle
    }
    guard spin.observe(key()) else { return nil }
    if marksInterest {
      looksOutside = true
      let choices = branches()
      if choices != 0 { return settle(choices) }
    }
    return settle(terminal: .spinning)
  }

  /// Goes once around a loop that nothing can interrupt, and at which a run has come to rest as
  /// `Terminal.spinning`, instruction by instruction.
  /// - Parameter visit: called at each of its places.
  func goAround(_ visit: () -> Void) {
    var spin = SpinDetector()
    var pass = false
    for _ in 0..<World.deterministicLimit {
      _ = configure()
      machine.observation.stopSize = 0
      let stop = machine.run(cpu: cpuIndex, limit: 1, passFirst: pass)
      pass = false
      switch stop {
      case .visible:
        _ = passHooks()
        pass = true
        continue
      case .event: _ = handleEvent()
      case .limit: break
      default: return
      }
      visit()
      if spin.observe(key()) { return }
    }
  }

  /// A CPU that halts with a request waiting that it can take wakes up at once, and no run stops for that.
  /// It has halted all the same.
  /// - Parameters:
  ///   - from: the instruction pointer before the run.
  ///   - count: the instructions that the run executed.
  func noteShortHalt(_ stop: Stop, from: UInt64, count: UInt64) {
    switch stop {
    case .limit:
      guard machine.isHalted(cpu: cpuIndex), machine.isAboutToDeliver(cpuIndex) else { return }
      happen(Happening(.halted, rip: cpu.rip))
    case .event:
      let event = machine.event
      guard count == 1, event.rip == from &+ 1, event.oldCPL == 0,
        Activation.isAsynchronous(event.kind),
        let physical = machine.physicalAddress(
          cpu: cpuIndex, linear: cpu.base(CPU.Segment.cs) &+ from),
        memory.byte(at: physical) == 0xF4
      else { return }
      happen(Happening(.halted, rip: event.rip))
    default: return
    }
  }

  var endsNow: Bool { violations.contains(where: \.endsPath) }

  /// Sets what the next run watches.
  /// - Returns: whether an interrupt could be taken at a boundary to come without IF changing.
  private func configure() -> Bool {
    // NMI handlers see what code with IF=0 does.
    let own = cpu.interruptsEnabled || !raisesLate || nmiMayCome
    let choose = own || (cpuCount > 1 && (persists || othersMayAct))
    watchOwner()
    machine.observation.stopAtShared = choose
    // With IF=0, what changes IF concerns no other CPU.
    machine.observation.stopBefore =
      choose
      ? ((own ? InstructionClass.interruptFlag : 0) | InstructionClass.io | InstructionClass.halt
        | InstructionClass.privileged | InstructionClass.stackLoad | InstructionClass.gate
        | InstructionClass.time | InstructionClass.segment | InstructionClass.hook)
      : (InstructionClass.io | InstructionClass.halt | InstructionClass.time
        | InstructionClass.hook)
    return choose
  }

  /// Tells the machine whose accesses the next ones are, and which part of the stack is theirs.
  func watchOwner() {
    let strand = strand
    let depth = depth
    machine.observation.owner = owner(strand: strand, depth: depth)
    machine.observation.stackTop = ownStackTop(strand: strand, depth: depth)
    watchVictim(strand: depth > 0 ? strand : 0)
    watchOwnData()
  }

  /// End of the part of the stack that belongs to what runs now: the frame of the interrupt that
  /// it is, or the top of the stack. User code has no nested parts: its owner number is enough.
  private func ownStackTop(strand: UInt64, depth: Int) -> UInt64 {
    if strand & World.userStrandBit != 0 { return 0 }
    if depth > 0 {
      let t = Ghost.Layout.activations
      for row in 0..<ghost.count(t) where ghost.field(t, row, 2) == strand {
        let packed = ghost.field(t, row, 1)
        if !Activation.isAsynchronous(packed: packed) { continue }
        return ghost.field(t, row, 0) + frameBytes(from: Int(packed >> 24 & 3))
      }
    }
    if let stack = stacks.first(where: { $0.low < strand && strand <= $0.high }) {
      return stack.high
    }
    return strand
  }

  // MARK: Choices

  /// Bit i+1 for every source that may be raised here; 0 when nothing can happen but the CPU going on.
  func available() -> UInt32 {
    let late = raisesLate
    if cpuCount == 1 && late && !cpu.interruptsEnabled && !canBeSeen() && !hasNMI { return 0 }
    if ghost[Ghost.Layout.interruptsLeft] == 1 { return 0 }
    if marksInterest && isOutsideInterest { return 0 }
    var mask: UInt32 = 0
    for (i, source) in scenario.sources.enumerated() where canFire(i, source) {
      if late && !isTakenAtOnce(source) && !expiresUnseen(source) && !canBeSeen() { continue }
      mask |= 2 << UInt32(i)
    }
    return mask
  }

  /// Whether some NMI could be taken if it were raised, now or after a shadow.
  private var nmiMayCome: Bool {
    guard hasNMI else { return false }
    return scenario.sources.enumerated().contains { i, source in
      ((source.nmi && cpu[CPU.Word.nmi] & 1 == 0) || source.machineCheck)
        && source.cpu == cpuIndex && ghost[Ghost.Layout.arrivals + i] != 1
    }
  }

  /// Whether the bound on the search, and nothing else, keeps some source from being taken here. (How
  /// often a source fires by itself is the scenario's statement about the world, not a bound.)
  func isBlockedByBound() -> Bool {
    guard ghost[Ghost.Layout.interruptsLeft] == 1 else { return false }
    return scenario.sources.enumerated().contains { i, source in
      ghost[Ghost.Layout.arrivals + i] != 1 && isTakenAtOnce(source)
    }
  }

  /// Whether a CPU would take this source's interrupt where it stands if it were raised now.
  func isTakenAtOnce(_ source: Source) -> Bool {
    machine.cpus.indices.contains { isTakenAtOnce(source, by: $0) }
  }

  private func isTakenAtOnce(_ source: Source, by index: Int) -> Bool {
    if let line = source.line { return machine.isDeliverable(line: line, cpu: index) }
    guard index == source.cpu else { return false }
    if source.nmi { return machine.acceptsNMI(cpu: index) }
    if source.localTimer {
      return !machine.isTimerMasked(cpu: index)
        && machine.isDeliverable(vector: machine.timerVector(cpu: index), cpu: index)
    }
    return machine.cpus[index][CPU.Word.activity] <= CPU.Activity.halted
  }

  /// A one-shot count that ends while its interrupt is masked is over all the same.
  private func expiresUnseen(_ source: Source) -> Bool {
    source.localTimer && machine.isTimerMasked(cpu: source.cpu)
  }

  /// Whether a request could be seen before it is taken, or made to go elsewhere.
  private func canBeSeen() -> Bool { someStandsBeforeDevice || readsDevice() }

  func canFire(_ i: Int, _ source: Source) -> Bool {
    if ghost[Ghost.Layout.arrivals + i] == 1 { return false }
    if source.nmi { return !machine.isNMILatched(source.cpu) }
    if source.machineCheck { return !machine.isMachineCheckPending(source.cpu) }
    if source.localTimer {
      guard machine.isTimerRunning(cpu: source.cpu) else { return false }
      if !machine.isTimerPeriodic(cpu: source.cpu) { return true }
      return !machine.isTimerMasked(cpu: source.cpu)
        && !machine.isRequested(
          vector: machine.timerVector(cpu: source.cpu), cpu: source.cpu)
    }
    guard let line = source.line else { return false }
    if machine.isRequested(line: line) { return false }
    if !source.data.isEmpty && (line == 1 || line == 12) && machine.keyboardOutputFull {
      return false
    }
    switch line {
    case 3, 4:
      return source.data.isEmpty || !machine.isSerialReceiverFull(second: line == 3)
    case 8: return !machine.clockRequests
    case 14: return image.disks.isEmpty || machine.isDiskBusy
    default: return true
    }
  }

  /// Whether the next instruction reads a port by which a request can be seen before it is taken.
  func readsDevice() -> Bool {
    guard let port = machine.inputPort(cpuIndex) else { return false }
    switch port {
    case 0x20, 0x21, 0xA0, 0xA1, 0x60, 0x64: return true
    case 0x3F8...0x3FF: return delivers(onLine: 4)
    case 0x2F8...0x2FF: return delivers(onLine: 3)
    case 0x71: return scenario.sources.contains { $0.line == 8 }
    // Which register shows that the disk has done its work: the status, or any while it is busy.
    case 0x1F0...0x1F7, 0x3F6: return machine.isDiskBusy
    default: return false
    }
  }

  /// Whether a source delivers bytes by way of the device on a line.
  private func delivers(onLine line: Int) -> Bool {
    scenario.sources.contains { $0.line == line && !$0.data.isEmpty }
  }

  func inject(_ i: Int) {
    let source = scenario.sources[i]
    let left = ghost[Ghost.Layout.arrivals + i]
    if left > 1 { ghost[Ghost.Layout.arrivals + i] = left - 1 }
    let total = ghost[Ghost.Layout.interruptsLeft]
    if total > 1 { ghost[Ghost.Layout.interruptsLeft] = total - 1 }
    var byte: UInt8?
    if !source.data.isEmpty {
      let word = Ghost.Layout.dataIndex + i
      let index = Int(ghost[word])
      byte = source.data[index]
      ghost[word] = UInt64((index + 1) % source.data.count)
    }
    if source.nmi {
      machine.raiseNMI(cpu: source.cpu)
    } else if source.machineCheck {
      machine.raiseMachineCheck(cpu: source.cpu)
    } else if source.localTimer {
      machine.expireTimer(cpu: source.cpu)
    } else if let byte, source.line == 1 {
      machine.injectKeyboard(byte: byte)
    } else if let byte, source.line == 12 {
      machine.injectMouse(byte: byte)
    } else if let byte, let line = source.line, line == 3 || line == 4 {
      machine.injectSerial(byte: byte, second: line == 3)
    } else if source.line == 8, machine.clockInterrupts {
      machine.raiseClock()
    } else if source.line == 14, !image.disks.isEmpty {
      machine.completeDisk()
    } else if let line = source.line {
      machine.raise(line: line)
      machine.lower(line: line)
    }
  }

  // MARK: States

  func settle(_ choices: UInt32) -> Outcome {
    if conditions.hasFinal && isWorkDone { judgeFinal() }
    let low = machine.observation.lowestSP
    if cpu.cpl == 0 && cpu.interruptsEnabled && low < cpu.rsp {
      // An interrupt at the deepest instruction would have found the stack this much fuller.
      let missed = cpu.rsp - low
      if let stack = stacks.firstIndex(where: { $0.low < cpu.rsp && cpu.rsp <= $0.high }) {
        let level = stack << 8 | depth
        if missed > slack[level] ?? 0 { slack[level] = missed }
      }
    }
    endStretch(at: cpu.rsp)
    if endsNow { return .ended }
    if cpuCount > 1 {
      judgePending()
      if endsNow { return .ended }
    }
    return .choices(choices)
  }

  private func settle(terminal: Terminal) -> Outcome {
    if conditions.hasFinal && isWorkDone { judgeFinal() }
    endStretch(at: cpu.rsp)
    return .terminal(terminal)
  }

  /// The stack in use is left, or a state is reached: how deep it went is judged, and what lies
  /// below the stack pointer stops being part of the state.
  func endStretch(at sp: UInt64) {
    let low = machine.observation.lowestSP
    if low <= sp {
      var h = Happening(.depth, rip: cpu.rip)
      h.lowestSP = low
      h.stretchTop = sp
      happen(h)
      if low < sp && scrubs { scrub(low, sp) }
    }
    machine.observation.lowestSP = cpu.rsp
  }

  /// Overwrites the bytes of `low..<high` with what stands for nothing.
  func scrub(_ low: UInt64, _ high: UInt64) {
    guard high - low <= 1 << 16 else { return }
    var a = low & ~7
    while a < high {
      guard let physical = machine.physicalAddress(cpu: cpuIndex, linear: a) else { return }
      var mask: UInt8 = 0xFF
      if a < low { mask &= 0xFF << UInt8(low - a) }
      if a + 8 > high { mask &= 0xFF >> UInt8(a + 8 - high) }
      if cpuCount > 1 {
        // Another CPU may still look at what lies there.
        if memory.isShared(at: physical) { mask &= 0xF0 }
        if memory.isShared(at: physical + 4) { mask &= 0x0F }
      }
      memory.fill(at: physical, mask: mask)
      a += 8
    }
  }

  /// The state's key: memory, devices, the checker's part, and the CPUs.
  func key() -> Fingerprint { key(cpus: cpuKey()) }

  /// The same, when the CPUs' part is known.
  func key(cpus: Fingerprint) -> Fingerprint {
    var f = memory.fingerprint
    if !ignored.isEmpty {
      for (physical, keep) in ignored {
        let value = memory.contents(ofWord: physical >> 3)
        if value & ~keep != 0 {
          f.replace(Memory.live(value), by: Memory.live(value & keep), at: physical)
        }
      }
    }
    f.low &+= cpus.low
    f.high &+= cpus.high
    return f
  }

  /// The CPUs' part of the key.
  func cpuKey() -> Fingerprint {
    var f = Fingerprint()
    for (index, cpu) in machine.cpus.enumerated() {
      let words = cpu.words
      let at = UInt64(1) << 60 | UInt64(index) << 16
      for w in 0..<CPU.hotWords where words[w] != 0 {
        f.replace(0, by: words[w], at: at | UInt64(w) << 3)
      }
      let cold = coldFingerprint(index)
      f.low &+= cold.low
      f.high &+= cold.high
    }
    return f
  }

  /// The part of the key that only privileged instructions change, kept until they do.
  private func coldFingerprint(_ index: Int) -> Fingerprint {
    let words = machine.cpus[index].words
    let cache = coldCache + index * CPU.wordCount
    var difference: UInt64 = 0
    for i in CPU.hotWords..<CPU.wordCount { difference |= cache[i] ^ words[i] }
    if difference != 0 {
      var f = Fingerprint()
      for w in CPU.hotWords..<CPU.wordCount {
        cache[w] = words[w]
        if words[w] != 0 {
          f.replace(0, by: words[w], at: UInt64(1) << 60 | UInt64(index) << 16 | UInt64(w) << 3)
        }
      }
      // The first words of the cache's block are not copies of anything.
      cache[0] = f.low
      cache[1] = f.high
    }
    return Fingerprint(low: cache[0], high: cache[1])
  }
}

/// Notices that a run which nothing can interrupt has come back to a state it was in (Brent).
struct SpinDetector {
  private var saved: Fingerprint?
  private var power = 1
  private var count = 0

  mutating func observe(_ key: Fingerprint) -> Bool {
    if saved == key { return true }
    count += 1
    if count == power {
      power *= 2
      count = 0
      saved = key
    }
    return false
  }
}
