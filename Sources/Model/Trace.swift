import Emulator

/// Follows a schedule on a fresh machine one instruction at a time and notes down what happens:
/// the evidence of a counterexample.
final class Trace {
  let world: World
  private let replayer: Replayer
  /// What happened so far, in order.
  var events: [TraceEvent] = []
  /// Who last changed each four bytes, and to what.
  private var writers: [UInt64: Writer] = [:]
  /// Who last changed them before that, of others.
  private var earlierWriters: [UInt64: Writer] = [:]
  /// Where IF last became 1, by strand and depth of interrupts.
  private var enabledAt: [Level: UInt64] = [:]
  private var userContext = ""

  struct Level: Hashable {
    var strand: UInt64
    var depth: Int
  }

  struct Writer {
    var strand: UInt64
    var depth: Int
    var rip: UInt64
    var value: UInt64
  }

  convenience init(world: World) { self.init(Replayer(world: world)) }

  init(_ replayer: Replayer) {
    world = replayer.world
    self.replayer = replayer
  }

  /// Notes down what happens from here on.
  func observe() {
    world.tracer = { [unowned self] in self.note($0) }
  }

  /// - Parameter failure: for a rule that the graph decides; which rule it is, is found out here.
  func follow(_ c: Counterexample, failure: Progress.Failure?) -> Counterexample {
    var result = c
    observe()
    world.machine.observation.logAccesses = true
    replayer.afterInstruction = { [unowned self] in self.takeUpAccesses() }
    add(.start, at: world.cpu.rip, "exploration begins")
    _ = replayer.follow(c.schedule) { [world] v in
      failure == nil && v.rule == c.rule && world.identity(of: v) == c.identity
    }
    takeUpAccesses()
    let end = replayer.steps
    if let failure {
      let diagnosis = Diagnosis(
        world: world, failure: failure, writers: writers,
        earlierWriters: earlierWriters, enabledAt: enabledAt)
      let found = diagnosis.diagnose()
      result.identity = found.identity
      result.title = found.title
      result.holders = found.holders
      result.waiters = found.waiters
    }
    add(.violation, at: world.cpu.rip, result.title)
    // The diagnosis may have run on a little, to see what a loop reads.
    events[events.count - 1].step = end
    result.events = events
    result.stacks = stacks()
    for held in heldLocks() {
      result.holders.append(
        "\(world.lockName(held.address)) is held by \(world.contextName(strand: held.strand, depth: held.depth)) since \(Names(world: world).site(held.site))"
      )
    }
    return result
  }

  private func heldLocks() -> [HeldLock] {
    let t = Ghost.Layout.held
    return (0..<world.ghost.count(t)).map { HeldLock(ghost: world.ghost, row: $0) }
  }

  private func takeUpAccesses() {
    let accesses = world.machine.observation.accesses
    guard !accesses.isEmpty else { return }
    world.machine.observation.accesses.removeAll(keepingCapacity: true)
    let strand = world.strand
    let depth = world.depth
    for a in accesses where a.isWrite {
      var p = a.physical & ~3
      while p < a.physical + UInt64(a.size) {
        let value = world.memory.value(at: p, size: 4)
        if writers[p]?.value != value {
          if let last = writers[p], last.strand != strand || last.depth != depth {
            earlierWriters[p] = last
          }
          writers[p] = Writer(strand: strand, depth: depth, rip: a.rip, value: value)
        }
        p += 4
      }
    }
  }

  // MARK: Events

  private func note(_ h: Happening) {
    let names = Names(world: world)
    switch h.kind {
    case .entered:
      guard let a = h.activation else { return }
      let kind: TraceEvent.Kind
      switch a.kind {
      case .interrupt: kind = .interrupt
      case .nmi: kind = .nmi
      case .exception, .machineCheck: kind = .exception
      default: kind = .systemCall
      }
      // The record is not in the table yet: the lane is the new one.
      let text =
        "\(names.vector(a.vector, kind: a.kind)) \(a.isAsynchronous ? "arrives" : "enters the kernel")"
      add(kind, at: h.rip, text, context: world.laneOfEntry(a))
    case .returned:
      let to = h.event.newCPL == 3 ? "user code" : "what was interrupted"
      if let a = h.activation {
        add(
          .return, at: h.rip, "returns from \(names.vector(a.vector, kind: a.kind)) to \(to)",
          context: world.laneOfEntry(a))
      } else {
        add(.return, at: h.rip, "returns to \(to)")
      }
      // Back in what was interrupted, IF is what it was; a new context has it from here on.
      if world.cpu.interruptsEnabled && h.activation?.isAsynchronous != true {
        enabledAt[Level(strand: world.strand, depth: world.depth)] = h.rip
      }
    case .interruptFlag:
      let on = world.cpu.interruptsEnabled
      if on { enabledAt[Level(strand: world.strand, depth: world.depth)] = h.rip }
      add(on ? .interruptsOn : .interruptsOff, at: h.rip, on ? "IF becomes 1" : "IF becomes 0")
    case .acquiring: add(.wait, at: world.cpu.rip, "acquires \(world.lockName(h.lock))")
    case .acquired: add(.acquire, at: h.rip, "has \(world.lockName(h.lock))", adding: h.lock)
    case .releasing: add(.release, at: world.cpu.rip, "releases \(world.lockName(h.lock))")
    case .switching: add(.switch, at: h.rip, "switches tasks")
    case .halted: add(.halt, at: h.rip, "halts")
    case .assertion, .panic: add(.access, at: h.rip, "`\(world.function(h.rip))` is called")
    case .endOfInterrupt: add(.endOfInterrupt, at: h.rip, "end of interrupt")
    case .stackLoaded, .segment, .entryComplete, .exitBegins, .released, .shutdown, .depth,
      .aboutToAccess, .foreignGS, .clobberedRead:
      return
    }
  }

  private func add(
    _ kind: TraceEvent.Kind, at rip: UInt64, _ text: String, context: String? = nil,
    adding lock: UInt64? = nil
  ) {
    var event = TraceEvent(
      kind: kind, step: replayer.steps, cpu: world.cpuIndex,
      context: context ?? world.contextName(strand: world.strand, depth: world.depth), text: text,
      address: rip)
    event.function = world.image.symbols.describe(rip)
    if let found = world.image.symbols.location(of: rip) {
      event.location = found.location
      event.inlined = found.inlined
    }
    event.disassembly = world.machine.disassemble(cpu: world.cpuIndex, at: rip).text
    event.interruptFlag = world.cpu.interruptsEnabled
    event.held = world.locksHeld().map { world.lockName($0.address) }
    if let lock { event.held.append(world.lockName(lock)) }
    events.append(event)
  }

  // MARK: Stacks

  private func stacks() -> [ContextStack] {
    var result = [
      ContextStack(
        context: world.contextName(strand: world.strand, depth: world.depth) + " (running)",
        frames: frames(pc: world.cpu.rip, sp: world.cpu.rsp))
    ]
    let t = Ghost.Layout.suspended
    for row in 0..<world.ghost.count(t) {
      let sp = world.ghost.field(t, row, 0)
      let strand = world.ghost.field(t, row, 1)
      if strand == world.strand { continue }
      let frames = frames(pc: nil, sp: sp)
      if frames.isEmpty { continue }
      result.append(
        ContextStack(
          context: world.contextName(strand: strand, depth: depth(of: strand)) + " (suspended)",
          frames: frames))
    }
    return result
  }

  private func depth(of strand: UInt64) -> Int {
    world.activations().filter { $0.strand == strand && $0.isAsynchronous }.count
  }

  /// Frames found by looking for return addresses: words that point behind a CALL.
  private func frames(pc: UInt64?, sp: UInt64) -> [StackFrame] {
    var result: [StackFrame] = []
    if let pc { result.append(frame(pc)) }
    let entries = world.activations()
    let limit = world.stacks.first { $0.low < sp && sp <= $0.high }?.high ?? sp + 1024
    var a = sp
    while a < limit && result.count < 24 {
      if let entry = entries.first(where: { $0.frame == a }) {
        result.append(frame(entry.interruptedIP))
        if entry.fromCPL == 3 { break }
      } else if let word = world.machine.peek(world.cpuIndex, linear: a, size: Int(world.slot)),
        world.isReturnAddress(word)
      {
        result.append(frame(word - 1))
      }
      a += world.slot
    }
    return result
  }

  private func frame(_ address: UInt64) -> StackFrame {
    let found = world.image.symbols.location(of: address)
    return StackFrame(
      address: address, function: world.image.symbols.describe(address), location: found?.location,
      inlined: found?.inlined ?? [])
  }
}

extension World {
  // MARK: Names of contexts

  func laneOfEntry(_ a: Activation) -> String {
    let stack = a.strand & World.userStrandBit != 0 ? a.interruptedSP : a.strand
    return "\(vectorName(a.vector, kind: a.kind)) on \(stackName(stack))"
  }

  func contextName(strand: UInt64, depth: Int) -> String {
    if strand & World.userStrandBit != 0 { return "user code" + userStack() }
    let innermost = activations().filter { $0.strand == strand }
    let asynchronous = innermost.filter(\.isAsynchronous)
    if depth > 0 && asynchronous.count >= depth {
      return laneOfEntry(asynchronous[asynchronous.count - depth])
    }
    if let call = innermost.last(where: { !$0.isAsynchronous }) { return laneOfEntry(call) }
    return "kernel on \(stackName(strand))"
  }

  private func userStack() -> String {
    guard cpu.cpl == 3 else { return "" }
    return " on " + stackName(cpu.rsp)
  }

  // MARK: Stacks

  /// Every entry in flight, deepest address first.
  func activations() -> [Activation] {
    let t = Ghost.Layout.activations
    return (0..<ghost.count(t)).map { Activation(ghost: ghost, row: $0) }
  }

  /// Whether the instruction before `address` is a CALL within a known function.
  func isReturnAddress(_ address: UInt64) -> Bool {
    guard address > 8, image.symbols.symbol(containing: address - 1) != nil else { return false }
    func byte(_ back: UInt64) -> UInt64 {
      machine.peek(cpuIndex, linear: address - back, size: 1) ?? 0
    }
    // CALL rel32 is E8; CALL r/m is FF /2, two to seven bytes long. Intel SDM Vol. 2A, CALL.
    if byte(5) == 0xE8 { return true }
    for length in UInt64(2)...7 where byte(length) == 0xFF && byte(length - 1) >> 3 & 7 == 2 {
      return true
    }
    return false
  }
}
