import Emulator

/// What a step led to.
enum Outcome {
  /// A state with choices: bit 0 is "go on", bit i+1 "raise source i".
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
    var pass = false
    if choice == 0 {
      if !passHooks() { return .ended }
      pass = true
    } else {
      inject(choice - 1)
      if machine.pollInterrupts(cpuIndex) {
        if !takeDelivery() { return .ended }
        if obstacle != nil { return .obstacle }
      } else {
        // Latched, to be taken later: the CPU stands where it stood.
        let choices = available()
        if choices != 0 { return settle(choices | 1) }
        if !passHooks() { return .ended }
        pass = true
      }
    }
    return runToChoice(pass: pass)
  }

  /// Where exploration begins: the first state at or after the present boundary.
  func begin() -> Outcome {
    violations.removeAll(keepingCapacity: true)
    obstacle = nil
    return runToChoice(pass: false)
  }

  private func runToChoice(pass initialPass: Bool) -> Outcome {
    var pass = initialPass
    let fuse = fuses
    let start = machine.instructions
    var spin = SpinDetector()
    while true {
      let mayChoose = configure()
      let limit: Int
      if !fuse {
        limit = 1
      } else if mayChoose {
        let done = Int(machine.instructions &- start)
        limit = max(1, World.segmentLimit - done)
      } else {
        limit = World.spinChunk
      }
      let stop = machine.run(cpu: cpuIndex, limit: limit, passFirst: pass)
      pass = false
      if !takeNotes() { return .ended }
      switch stop {
      case .visible:
        let choices = available()
        if choices != 0 { return settle(choices | 1) }
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
        let choices = available()
        return choices != 0 ? settle(choices) : settle(terminal: .halted)
      case .shutdown:
        happen(Happening(.shutdown, rip: cpu.rip))
        return .ended
      case .unmodelled:
        obstacle =
          "not modelled: \(machine.unmodelled ?? "?") at \(image.symbols.describe(cpu.rip))"
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
      let choices = available()
      if choices != 0 { return settle(choices | 1) }
    }
    if machine.instructions &- start > UInt64(World.deterministicLimit) {
      obstacle =
        "\(World.deterministicLimit) instructions without a choice at \(image.symbols.describe(cpu.rip))"
      return .obstacle
    }
    return spin.observe(key()) ? settle(terminal: .spinning) : nil
  }

  var endsNow: Bool { violations.contains(where: \.endsPath) }

  /// Sets what the next run watches.
  /// - Returns: whether an interrupt could be taken at a boundary to come without IF changing.
  private func configure() -> Bool {
    // NMI handlers see what code with IF=0 does.
    let choose = cpu.interruptsEnabled || !raisesLate || nmiMayCome
    watchOwner()
    machine.observation.stopAtShared = choose
    machine.observation.stopBefore =
      choose
      ? (InstructionClass.interruptFlag | InstructionClass.io | InstructionClass.halt
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
    if late && !cpu.interruptsEnabled && !readsDevice() && !hasNMI { return 0 }
    if ghost[Ghost.Layout.interruptsLeft] == 1 { return 0 }
    var mask: UInt32 = 0
    for (i, source) in scenario.sources.enumerated() where canFire(i, source) {
      if late && !isTakenAtOnce(source) && !readsDevice() { continue }
      mask |= 2 << UInt32(i)
    }
    return mask
  }

  /// Whether some NMI could be taken if it were raised, now or after a shadow.
  private var nmiMayCome: Bool {
    guard hasNMI, cpu[CPU.Word.nmi] & 1 == 0 else { return false }
    return scenario.sources.enumerated().contains { i, source in
      source.nmi && ghost[Ghost.Layout.arrivals + i] != 1
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

  /// Whether the CPU would take this source's interrupt at this boundary if it were raised now.
  private func isTakenAtOnce(_ source: Source) -> Bool {
    source.nmi
      ? machine.acceptsNMI(cpu: cpuIndex)
      : machine.isDeliverable(line: source.line ?? 0, cpu: cpuIndex)
  }

  private func canFire(_ i: Int, _ source: Source) -> Bool {
    if ghost[Ghost.Layout.arrivals + i] == 1 { return false }
    if source.nmi { return !machine.isNMILatched(cpuIndex) }
    guard let line = source.line else { return false }
    if machine.isRequested(line: line) { return false }
    if !source.data.isEmpty && (line == 1 || line == 12) && machine.keyboardOutputFull {
      return false
    }
    return true
  }

  /// Whether the next instruction reads a port by which a request can be seen before it is taken.
  private func readsDevice() -> Bool {
    guard let port = machine.inputPort(cpuIndex) else { return false }
    switch port {
    case 0x20, 0x21, 0xA0, 0xA1, 0x60, 0x64: return true
    default: return false
    }
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
      machine.raiseNMI(cpu: cpuIndex)
    } else if let byte, source.line == 1 {
      machine.injectKeyboard(byte: byte)
    } else if let byte, source.line == 12 {
      machine.injectMouse(byte: byte)
    } else if let line = source.line {
      machine.raise(line: line)
      machine.lower(line: line)
    }
  }

  // MARK: States

  private func settle(_ choices: UInt32) -> Outcome {
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
    return .choices(choices)
  }

  private func settle(terminal: Terminal) -> Outcome {
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

  /// Zeroes the bytes of `low..<high`, aligned down and up to four bytes inside.
  func scrub(_ low: UInt64, _ high: UInt64) {
    guard high - low <= 1 << 16 else { return }
    var a = low & ~7
    while a < high {
      guard let physical = machine.physicalAddress(cpu: cpuIndex, linear: a) else { return }
      var mask: UInt8 = 0xFF
      if a < low { mask &= 0xFF << UInt8(low - a) }
      if a + 8 > high { mask &= 0xFF >> UInt8(a + 8 - high) }
      memory.clear(at: physical, mask: mask)
      a += 8
    }
  }

  /// The state's key: memory, devices, the checker's part, and the CPUs.
  func key() -> Fingerprint { key(cpus: cpuKey()) }

  /// The same, when the CPUs' part is known.
  func key(cpus: Fingerprint) -> Fingerprint {
    var f = memory.fingerprint
    if !ignored.isEmpty {
      memory.withoutRecording {
        for (address, size) in ignored { exclude(address, size, from: &f) }
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

  private func exclude(_ address: UInt64, _ size: Int, from f: inout Fingerprint) {
    var a = address & ~7
    let end = address + UInt64(size)
    while a < end {
      if let physical = machine.physicalAddress(cpu: cpuIndex, linear: a) {
        let value = memory.word(at: physical)
        if value != 0 {
          var keep: UInt64 = 0
          if a < address { keep |= (1 << ((address - a) * 8)) - 1 }
          if a + 8 > end { keep |= ~((1 << ((end - a) * 8)) - 1) }
          f.replace(value, by: value & keep, at: physical)
        }
      }
      a += 8
    }
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
