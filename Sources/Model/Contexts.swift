import Emulator

/// Keeping track of entries, strands and lock operations as the machine goes.
extension World {
  /// Bytes of a slot on the stack.
  @inline(__always) var slot: UInt64 { slotSize }

  /// Takes up what the last run stopped at.
  /// - Returns: false when a rule found broken ends the execution.
  func handleEvent() -> Bool {
    let event = machine.event
    switch event.kind {
    case .interrupt, .nmi, .exception, .software, .machineCheck: entered(event)
    case .return: returned(event)
    case .stack: stackLoaded(event)
    case .interruptFlag:
      var h = Happening(.interruptFlag, rip: event.rip)
      h.interruptsBefore = event.oldFlags & CPU.Flag.if != 0
      h.event = event
      happen(h)
    case .segment:
      gsChanged(event)
      var h = Happening(.segment, rip: event.rip)
      h.event = event
      happen(h)
    case .output, .device: deviceWritten(event)
    case .none, .input: break
    }
    return !endsNow
  }

  /// A device was written to: an end of interrupt, or another CPU that is started anew.
  private func deviceWritten(_ event: Event) {
    if let ended = machine.lastEndOfInterrupt {
      machine.lastEndOfInterrupt = nil
      var h = Happening(.endOfInterrupt, rip: event.rip)
      h.event = event
      h.ended = ended
      happen(h)
    }
    guard cpuCount > 1 else { return }
    for other in machine.cpus.indices
    where machine.isWaitingForStartUp(cpu: other)
      && ghost[Ghost.Layout.strand + other] >> 62 != 1
    {
      ghost[Ghost.Layout.strand + other] = World.startStrandBit | UInt64(other)
      ghost[Ghost.Layout.pending + other] = 0
    }
  }

  /// Takes up an interrupt that was delivered outside a run.
  /// - Returns: false when a rule found broken ends the execution.
  func takeDelivery() -> Bool {
    // The delivery itself can end in a triple fault; the event then is of no delivery that was made.
    guard cpu[CPU.Word.activity] == CPU.Activity.shutdown else {
      guard handleEvent() else { return false }
      if conditions.hasInvariants { judgeInvariants(at: machine.event.rip) }
      return !endsNow
    }
    happen(Happening(.shutdown, rip: cpu.rip))
    return false
  }

  private func entered(_ event: Event) {
    guard let frame = machine.frameAddress(of: event) else { return enteredWithoutFrame(event) }
    let top = frame + frameBytes(from: event.oldCPL)
    if event.oldCPL == 3 {
      endStretchOfLeftStack(at: event.oldSP)
      strand = top
      machine.observation.lowestSP = event.newSP
    } else if switchesStack(event, top: top) {
      leaveStack(at: event.oldSP)
      strand = top
      machine.observation.lowestSP = event.newSP
    } else {
      machine.observation.lowestSP = min(machine.observation.lowestSP, event.newSP)
      // What was overwritten before is so again, which its return will note.
      forgetClobbered()
    }
    let asynchronous = Activation.isAsynchronous(event.kind)
    if asynchronous && fuses { noteVictimUse(event.vector) }
    let activation = Activation(
      frame: frame, vector: event.vector, kind: event.kind, fromCPL: event.oldCPL,
      strand: strand, interruptedSP: event.oldSP,
      registers: asynchronous
        ? registerHash(rip: event.rip, sp: event.oldSP, flags: event.oldFlags) : 0,
      interruptedIP: event.rip, incomplete: knowsEntry)
    var h = Happening(.entered, rip: event.rip)
    h.activation = activation
    h.event = event
    happen(h)
    forgetActivations { !$0.hasNoFrame && $0.frame < top && $0.frame >= event.newSP }
    if event.oldCPL == 3 { forgetActivations { $0.strand == top } }
    keep(activation)
  }

  /// Bytes of a frame that an entry from a ring pushes. Intel SDM Vol. 3A §6.12.1, §6.14.2.
  func frameBytes(from ring: Int) -> UInt64 { (ring == 3 || slot == 8 ? 5 : 3) * slot }

  /// Whether an entry from ring 0 began on another stack, of the interrupt stack table: its frame does
  /// not lie where the interrupted code's stack ends, cut to a multiple of 16. Intel SDM Vol. 3A §6.14.5.
  func switchesStack(_ event: Event, top: UInt64) -> Bool {
    event.oldCPL != 3 && slot == 8 && top != event.oldSP & ~15
  }

  private func keep(_ activation: Activation) {
    if ghost.insertSorted(Ghost.Layout.activations, activation.record) == nil {
      obstacle = "more entries in flight than the checker keeps"
    }
  }

  /// SYSCALL stays on the user's stack, and so on its strand, until the kernel loads one of its own;
  /// SYSENTER loads one itself. Intel SDM Vol. 3A §5.8.7, §5.8.8.
  private func enteredWithoutFrame(_ event: Event) {
    endStretchOfLeftStack(at: event.oldSP)
    let loads = event.vector == Event.systemEnter
    if loads { strand = event.newSP }
    machine.observation.lowestSP = event.newSP
    let activation = Activation(
      frame: event.newSP &- 5 * slot, vector: event.vector, kind: event.kind,
      fromCPL: event.oldCPL, strand: strand, interruptedSP: event.oldSP, registers: 0,
      interruptedIP: event.rip, incomplete: knowsEntry)
    var h = Happening(.entered, rip: event.rip)
    h.activation = activation
    h.event = event
    happen(h)
    let s = strand
    forgetActivations { $0.strand == s }
    keep(activation)
  }

  /// Finds out, once for each handler, whether it looks at registers of what it interrupts.
  private func noteVictimUse(_ vector: Int) {
    let entry = cpu.linearIP
    if victimUses[vector]?.entries.contains(entry) == true { return }
    // Read once, whatever becomes of the step: not something that this step depends on.
    let use = memory.withoutRecording {
      machine.victimUse(cpuIndex, entry: entry, endsFunction: image.symbols.endsFunction)
    }
    let (known, isMore) = registry.enter(entry, use, of: vector)
    victimUses[vector] = known
    // Another handler for the same vector: what the first one was judged by was not all.
    if isMore { machine.observation.newlyShared += 1 }
    if use.usesRegisters { victimSeen = true }
  }

  /// Tells the machine where the frame of the innermost interrupt on the present strand is, and what
  /// in and below it belongs to the code that it interrupted: EIP, EFLAGS, ESP, and the registers that
  /// the handler's first instructions push. CS is not among them: rings are told apart by entries.
  func watchVictim(strand: UInt64) {
    machine.observation.victimTop = 0
    machine.observation.victimSlots = 0
    guard fuses else { return }
    machine.observation.victimSlotShift = slot == 8 ? 3 : 2
    let t = Ghost.Layout.activations
    for row in 0..<ghost.count(t) where ghost.field(t, row, 2) == strand {
      let packed = ghost.field(t, row, 1)
      guard Activation.isAsynchronous(packed: packed) else { continue }
      let fromUser = packed >> 24 & 3 == 3
      machine.observation.victimTop = ghost.field(t, row, 0) + 4 * slot
      machine.observation.victimSlots =
        0b10100 | (fromUser || slot == 8 ? 0b10 : 0)
        | savedSlots(of: Int(packed & 0xFFFF)) << 5
      return
    }
  }

  /// Where a vector's handler saves registers. It may have been entered in another thread's world.
  private func savedSlots(of vector: Int) -> UInt64 {
    if let known = victimUses[vector] { return known.savedSlots }
    let known = registry.victimUse(of: vector)
    victimUses[vector] = known
    return known.savedSlots
  }

  private func returned(_ event: Event) {
    let popsFrame = event.vector < Event.systemCall
    let row = popsFrame ? frameRow(event.oldSP) : outermostEntry()
    let activation = row.map { Activation(ghost: ghost, row: $0) }
    if event.newCPL == 3 {
      endStretchOfLeftStack(at: event.oldSP + (popsFrame ? 5 * slot : 0))
      machine.observation.lowestSP = cpu.rsp
    }
    var h = Happening(.returned, rip: event.rip)
    h.activation = activation
    h.event = event
    happen(h)
    if let activation {
      if event.newCPL != 3 { resume(activation, event) }
      forgetActivations {
        $0.strand == activation.strand && $0.frame <= activation.frame
          && (event.newCPL == 3 || !$0.hasNoFrame)
      }
    } else if event.newCPL == 3 {
      // A system call may end with an IRET whose frame the kernel has made.
      let s = strand
      forgetActivations { $0.strand == s && $0.hasNoFrame }
    }
    if event.newCPL == 3 {
      if ghost[Ghost.Layout.ended + cpuIndex] != 0 { ghost[Ghost.Layout.ended + cpuIndex] = 0 }
      strand = userStrand()
    }
  }

  /// Row of the entry whose frame is at an address. A system call that pushed none can be taken to have
  /// one there.
  private func frameRow(_ address: UInt64) -> Int? {
    let t = Ghost.Layout.activations
    let rows = (0..<ghost.count(t)).filter { ghost.field(t, $0, 0) == address }
    return rows.first { !Activation(ghost: ghost, row: $0).hasNoFrame } ?? rows.first
  }

  /// The present strand, and those that entries in flight on it, on stacks of their own, have interrupted.
  func interruptedStrands() -> [UInt64] {
    let s = Ghost.Layout.suspended
    var strands = [strand]
    var next = 0
    while next < strands.count {
      for row in 0..<ghost.count(Ghost.Layout.activations) {
        let entry = Activation(ghost: ghost, row: row)
        guard entry.strand == strands[next], entry.fromCPL != 3,
          let row = ghost.row(s, key: entry.interruptedSP)
        else { continue }
        let interrupted = ghost.field(s, row, 1)
        if !strands.contains(interrupted) { strands.append(interrupted) }
      }
      next += 1
    }
    return strands
  }

  /// Row of the outermost entry from user code on the present strand.
  private func outermostEntry() -> Int? {
    let t = Ghost.Layout.activations
    let s = strand
    return (0..<ghost.count(t)).last {
      ghost.field(t, $0, 2) == s && ghost.field(t, $0, 1) >> 24 & 3 == 3
    }
  }

  /// Back in interrupted code of ring 0, perhaps on another stack.
  private func resume(_ activation: Activation, _ event: Event) {
    let s = Ghost.Layout.suspended
    let ownStack = activation.frame + frameBytes(from: 0) == activation.interruptedSP & ~15
    if slot == 8, !ownStack, let row = ghost.row(s, key: cpu.rsp) {
      endStretchOfLeftStack(at: event.oldSP + frameBytes(from: 0))
      strand = ghost.field(s, row, 1)
      ghost.remove(s, row: row)
      machine.observation.lowestSP = cpu.rsp
      return
    }
    strand = activation.strand
    if !scrubs && activation.isAsynchronous { noteClobbered(activation) }
  }

  private func stackLoaded(_ event: Event) {
    let t = Ghost.Layout.suspended
    if event.newCPL != 3 {
      if strand & World.userStrandBit != 0 { return userStackLeft(event) }
      if returnsToUserStack(event) { return userStackLoaded(event) }
    }
    if !changesStack(event) {
      machine.observation.lowestSP = min(machine.observation.lowestSP, event.newSP)
      return
    }
    if let moved = movedEntry(to: event.newSP) { return frameMoved(moved, event) }
    endStretchOfLeftStack(at: event.oldSP)
    var h = Happening(.stackLoaded, rip: event.rip)
    h.event = event
    happen(h)
    let left = (strand: strand, depth: depth)
    if ghost[Ghost.Layout.ended + cpuIndex] == strand {
      // Nobody comes back to it: the next one to use this stack overwrites nothing.
      let s = strand
      forgetActivations { $0.strand == s }
      forgetHandedOver()
      ghost[Ghost.Layout.ended + cpuIndex] = 0
    } else {
      keepHandedOver()
      suspend(at: event.oldSP)
    }
    if let row = ghost.row(t, key: event.newSP) {
      strand = ghost.field(t, row, 1)
      ghost.remove(t, row: row)
    } else {
      strand = event.newSP
    }
    handlerStacks.note(event, left: left, entered: (strand: strand, depth: depth))
    takeHandedOver()
    machine.observation.lowestSP = event.newSP
  }

  // MARK: Frames that are moved

  /// The entry by which the present stack was begun, if its frame has a copy on the stack that is loaded now,
  /// not far above the stack pointer: the kernel goes on there, and will return from the copy. With the
  /// record as it is from then on.
  private func movedEntry(to sp: UInt64) -> (old: Activation, new: Activation)? {
    let entries = activationsOnStrand()
    guard entries.count == 1, let entry = entries.first, !entry.hasNoFrame else { return nil }
    let bytes = frameBytes(from: entry.fromCPL)
    // What nests on a stack in use has nothing to move away from.
    guard entry.frame + bytes == strand else { return nil }
    let words = bytes / slot
    func word(_ address: UInt64) -> UInt64? {
      machine.peek(cpuIndex, linear: address, size: Int(slot))
    }
    let original = (0..<words).map { word(entry.frame + $0 * slot) }
    let copy = (0..<48).lazy.map { sp + $0 * self.slot }.first { address in
      (0..<words).allSatisfy { n in
        word(address + n * self.slot).map { $0 == original[Int(n)] } ?? false
      }
    }
    guard let copy else { return nil }
    var new = entry
    new.frame = copy
    if entry.fromCPL == 3 {
      new.strand = copy + bytes
    } else {
      let s = Ghost.Layout.suspended
      guard let row = ghost.row(s, key: entry.interruptedSP) else { return nil }
      new.strand = ghost.field(s, row, 1)
    }
    return (entry, new)
  }

  /// From here on it is as if the entry had come on the stack that its frame was moved to.
  private func frameMoved(_ entry: (old: Activation, new: Activation), _ event: Event) {
    endStretchOfLeftStack(at: event.oldSP)
    var h = Happening(.stackLoaded, rip: event.rip)
    h.event = event
    if entry.new.fromCPL == 3 { h.activation = entry.new }
    happen(h)
    forgetActivations { $0.strand == entry.old.strand }
    if entry.new.fromCPL == 3 {
      forgetActivations { $0.strand == entry.new.strand }
    } else if let row = ghost.row(Ghost.Layout.suspended, key: entry.new.interruptedSP) {
      ghost.remove(Ghost.Layout.suspended, row: row)
    }
    strand = entry.new.strand
    machine.observation.lowestSP = event.newSP
    keep(entry.new)
  }

  /// The present strand goes on later where its stack pointer is now.
  private func suspend(at sp: UInt64) {
    let t = Ghost.Layout.suspended
    if let old = ghost.row(t, key: sp) { ghost.remove(t, row: old) }
    // Nobody comes back to the stack on which a CPU was started.
    if strand >> 62 == 1 { return }
    if ghost.insertSorted(t, [sp, strand]) == nil {
      obstacle = "more suspended stacks than the checker keeps"
    }
  }

  /// The processor itself leaves the present stack for another one.
  private func leaveStack(at sp: UInt64) {
    endStretchOfLeftStack(at: sp)
    suspend(at: sp)
  }

  // MARK: System calls without a frame

  /// The kernel's own stack is loaded after SYSCALL: the entry is now one on that stack.
  private func userStackLeft(_ event: Event) {
    endStretchOfLeftStack(at: event.oldSP)
    let entry = outermostEntry().map { Activation(ghost: ghost, row: $0) }
    var h = Happening(.stackLoaded, rip: event.rip)
    h.event = event
    h.activation = entry
    happen(h)
    let new = event.newSP
    let old = strand
    forgetActivations { $0.strand == old || $0.strand == new }
    // The lowest address of one stack can be the top of the next: only its own is left behind.
    let s = Ghost.Layout.suspended
    if let row = ghost.row(s, key: new), ghost.field(s, row, 1) == new { ghost.remove(s, row: row) }
    strand = new
    machine.observation.lowestSP = new
    if var entry {
      entry.strand = new
      entry.frame = new &- 5 * slot
      keep(entry)
    }
  }

  /// Whether a load of the stack pointer is the last part of a system call: the stack pointer that the
  /// innermost entry, one from user code, came with.
  private func returnsToUserStack(_ event: Event) -> Bool {
    let entries = activationsOnStrand()
    guard slot == 8, entries.count == 1, let entry = entries.first else { return false }
    return entry.fromCPL == 3 && entry.interruptedSP == event.newSP
  }

  private func userStackLoaded(_ event: Event) {
    endStretchOfLeftStack(at: event.oldSP)
    var entry = activationsOnStrand()[0]
    var h = Happening(.stackLoaded, rip: event.rip)
    h.event = event
    h.activation = entry
    h.loadsUserStack = true
    happen(h)
    let old = strand
    forgetActivations { $0.strand == old }
    strand = userStrand()
    machine.observation.lowestSP = event.newSP
    entry.strand = strand
    entry.frame = event.newSP &- 5 * slot
    keep(entry)
  }

  // MARK: GS

  /// Keeps which base of GS is the kernel's: the one that it has in ring 0 where the exploration begins,
  /// unless its first SWAPGS shows that it was another.
  private func gsChanged(_ event: Event) {
    guard event.vector == CPU.Segment.gs, slot == 8, cpu.cpl == 0 else { return }
    let words = (Ghost.Layout.kernelGS + cpuIndex, Ghost.Layout.swapsGS + cpuIndex)
    guard ghost[words.1] == 0 else { return }
    let now = cpu.base(CPU.Segment.gs)
    guard machine.isSwapGS(cpuIndex, at: event.rip) else {
      ghost[words.0] = now
      return
    }
    ghost[words.1] = 1
    let other = cpu[CPU.Word.kernelGSBase]
    if ghost[words.0] != now && ghost[words.0] != other {
      ghost[words.0] = outermostEntry() == nil ? other : now
    }
  }

  /// Whether GS leads somewhere else than to the kernel's data. False where the kernel does not swap.
  var hasForeignGS: Bool {
    slot == 8 && ghost[Ghost.Layout.swapsGS + cpuIndex] != 0
      && cpu.base(CPU.Segment.gs) != ghost[Ghost.Layout.kernelGS + cpuIndex]
  }

  // MARK: What lies below a stack pointer

  /// An interrupt has pushed its frame, and whatever its handler pushed, below what it interrupted.
  private func noteClobbered(_ a: Activation) {
    let low = min(a.frame, machine.observation.lowestSP)
    let slots = min((a.interruptedSP &- low) / 8, 16)
    forgetClobbered()
    // What lies above a frame was passed over.
    let passed = min((a.interruptedSP &- a.frame &- frameBytes(from: a.fromCPL)) / 8, slots)
    let bits: UInt64 = (1 << slots) - (1 << passed)
    if bits == 0 { return }
    let record = [a.interruptedSP, bits, strand, a.interruptedIP]
    if ghost.insertSorted(Ghost.Layout.clobbered, record) == nil {
      obstacle = "more interrupted functions than the checker keeps"
    }
  }

  private func forgetClobbered() {
    let t = Ghost.Layout.clobbered
    let s = strand
    for row in (0..<ghost.count(t)).reversed() where ghost.field(t, row, 2) == s {
      ghost.remove(t, row: row)
    }
  }

  /// Tells the machine what to watch in what follows.
  func watchOwnData() {
    machine.observation.kernelGSBase =
      slot == 8 && ghost[Ghost.Layout.swapsGS + cpuIndex] != 0
      ? ghost[Ghost.Layout.kernelGS + cpuIndex] : 1
    let t = Ghost.Layout.clobbered
    machine.observation.clobberedSlots = 0
    if ghost.count(t) == 0 { return }
    let s = strand
    for row in (0..<ghost.count(t)).reversed() where ghost.field(t, row, 2) == s {
      // The function has returned.
      if cpu.rsp > ghost.field(t, row, 0) {
        ghost.remove(t, row: row)
        continue
      }
      machine.observation.clobberedTop = ghost.field(t, row, 0)
      machine.observation.clobberedSlots = UInt16(truncatingIfNeeded: ghost.field(t, row, 1))
    }
  }

  /// Takes up what the machine noticed in a run beside the reason for which it stopped.
  /// - Returns: false when a rule found broken ends the execution.
  func takeNotes() -> Bool {
    if machine.observation.foreignGSUse != 0 {
      happen(Happening(.foreignGS, rip: machine.observation.foreignGSUse))
      machine.observation.foreignGSUse = 0
    }
    defer { machine.observation.clobberedRead = 0 }
    let t = Ghost.Layout.clobbered
    if ghost.count(t) == 0 { return !endsNow }
    let s = strand
    for row in (0..<ghost.count(t)).reversed()
    where ghost.field(t, row, 2) == s
      && ghost.field(t, row, 0) == machine.observation.clobberedTop
    {
      if machine.observation.clobberedRead != 0 {
        var h = Happening(.clobberedRead, rip: machine.observation.clobberedRead)
        h.event.rip = ghost.field(t, row, 3)
        happen(h)
      }
      let left = UInt64(machine.observation.clobberedSlots)
      if left == 0 {
        ghost.remove(t, row: row)
      } else if left != ghost.field(t, row, 1) {
        ghost.setField(t, row, 1, left)
      }
    }
    return !endsNow
  }

  /// Whether an instruction that loaded the stack pointer left its stack: not when it takes off what was pushed
  /// since the innermost entry, on one declared stack, nor when it is one of those that functions end
  /// with, and both ends lie on one stack, or on none that is known and nobody waits where it went.
  private func changesStack(_ event: Event) -> Bool {
    if ghost.row(Ghost.Layout.suspended, key: event.newSP) != nil { return true }
    if event.value != 0 {
      return stackExtent(event.oldSP)?.low != stackExtent(event.newSP)?.low
    }
    func declared(_ sp: UInt64) -> Int? { stacks.firstIndex { $0.low < sp && sp <= $0.high } }
    guard let from = declared(event.oldSP), from == declared(event.newSP),
      event.newSP >= event.oldSP
    else { return true }
    // Several stacks can be one to the job. What lies below the entry's frame is its own.
    return activationsOnStrand().first.map { $0.frame < event.newSP } ?? true
  }

  /// The stack on which a stack pointer lies: one that the job declares, or an object of the image.
  func stackExtent(_ sp: UInt64) -> (low: UInt64, high: UInt64)? {
    if let stack = stacks.first(where: { $0.low < sp && sp <= $0.high }) {
      return (stack.low, stack.high)
    }
    guard let symbol = image.symbols.symbol(containing: sp &- 1), symbol.size > 0 else {
      return nil
    }
    return (symbol.address, symbol.address + UInt64(symbol.size))
  }

  /// As `endStretch`, for a stack that is not the present one any more.
  private func endStretchOfLeftStack(at sp: UInt64) {
    let low = machine.observation.lowestSP
    guard low <= sp else { return }
    var h = Happening(.depth, rip: machine.event.rip)
    h.lowestSP = low
    h.stretchTop = sp
    happen(h)
    if low < sp && scrubs { scrub(low, sp) }
  }

  func forgetActivations(where condition: (Activation) -> Bool) {
    let t = Ghost.Layout.activations
    var row = ghost.count(t) - 1
    while row >= 0 {
      if condition(Activation(ghost: ghost, row: row)) { ghost.remove(t, row: row) }
      row -= 1
    }
  }

  /// Changes flags of the innermost activation on the present strand.
  func updateInnermostActivation(_ change: (inout Activation) -> Void) {
    let t = Ghost.Layout.activations
    let s = strand
    for row in 0..<ghost.count(t) where ghost.field(t, row, 2) == s {
      var a = Activation(ghost: ghost, row: row)
      change(&a)
      for (c, value) in a.record.enumerated() { ghost.setField(t, row, c, value) }
      return
    }
  }

  /// Hash of everything that an interrupt must give back.
  func registerHash(rip: UInt64, sp: UInt64, flags: UInt64) -> UInt64 {
    var f = Fingerprint()
    for r in 0..<16 where r != CPU.Register.sp { f.replace(0, by: cpu[r], at: UInt64(r)) }
    for s in [CPU.Segment.ds, CPU.Segment.es, CPU.Segment.fs, CPU.Segment.gs] {
      f.replace(0, by: UInt64(cpu.selector(s)), at: UInt64(32 + s))
    }
    if slot == 8 {
      f.replace(0, by: cpu.base(CPU.Segment.fs), at: 48)
      f.replace(0, by: withoutCPU(cpu.base(CPU.Segment.gs)), at: 49)
      f.replace(0, by: withoutCPU(cpu[CPU.Word.kernelGSBase]), at: 50)
    }
    f.replace(0, by: rip, at: 64)
    f.replace(0, by: sp, at: 65)
    f.replace(0, by: flags & ~CPU.Flag.rf, at: 66)
    return f.low
  }

  /// A base of GS as a task may find it again: one that leads to the CPU's own data goes with the CPU, and
  /// a task that was preempted may go on on another one.
  private func withoutCPU(_ base: UInt64) -> UInt64 {
    base == ghost[Ghost.Layout.kernelGS + cpuIndex] ? 1 : base
  }

  /// Whether an entry in flight has its frame at an address.
  func isFrame(_ address: UInt64) -> Bool {
    ghost.row(Ghost.Layout.activations, key: address) != nil
  }

  /// Whether the instruction at a linear address is IRET (CF, with or without a size prefix).
  /// Intel SDM Vol. 2A, IRET.
  func isReturnInstruction(_ address: UInt64) -> Bool {
    guard let byte = machine.peek(cpuIndex, linear: address, size: 1) else { return false }
    if byte == 0xCF { return true }
    guard byte == 0x66 || byte & 0xF0 == 0x40 else { return false }
    return machine.peek(cpuIndex, linear: address + 1, size: 1) == 0xCF
  }

  // MARK: Hooks

  /// Takes up the hooks of the instruction that is about to be executed.
  /// - Returns: false when a rule found broken ends the execution.
  func passHooks() -> Bool {
    let rip = cpu.rip
    guard mayHaveHook(rip), let site = hookSites[rip] else { return true }
    if site.isReturn { lockCallReturned(to: rip) }
    if let d = site.acquire { lockCalled(d, kind: .acquire, rip: rip) }
    if let d = site.tryAcquire { lockCalled(d, kind: .tryAcquire, rip: rip) }
    if let d = site.release { lockCalled(d, kind: .release, rip: rip) }
    if site.completesEntry {
      updateInnermostActivation { $0.incomplete = false }
      happen(Happening(.entryComplete, rip: rip))
    }
    if site.beginsExit {
      updateInnermostActivation { $0.leaving = true }
      happen(Happening(.exitBegins, rip: rip))
    }
    if site.switches {
      happen(Happening(.switching, rip: rip))
      let s = strand
      forgetActivations { $0.strand == s && $0.hasEnded }
    }
    if site.isAssertion { happen(Happening(.assertion, rip: rip)) }
    if site.isPanic { happen(Happening(.panic, rip: rip)) }
    if let marker = site.marker { passMarker(marker, rip: rip) }
    if site.ends { contextEnds() }
    if site.isEnd { isAtEnd = true }
    if conditions.hasInvariants { judgeInvariants(at: rip) }
    return !endsNow
  }

  /// The present context owes no return any more, nor does what it interrupted on another stack. An interrupt
  /// that it was in the middle of still owes its end of interrupt, until the stack is left.
  private func contextEnds() {
    var s = strand
    if s & World.userStrandBit == 0 { ghost[Ghost.Layout.ended + cpuIndex] = s }
    let t = Ghost.Layout.suspended
    let activations = Ghost.Layout.activations
    while true {
      let outermost = (0..<ghost.count(activations)).map {
        Activation(ghost: ghost, row: $0)
      }.last { $0.strand == s }
      let isPresent = s == strand
      forgetActivations {
        $0.strand == s
          && !(isPresent && $0.kind == .interrupt
            && machine.isInService(vector: $0.vector, cpu: cpuIndex))
      }
      for row in 0..<ghost.count(activations) where ghost.field(activations, row, 2) == s {
        ghost.setField(
          activations, row, 1, ghost.field(activations, row, 1) | Activation.endedBit)
      }
      guard let outermost, outermost.fromCPL != 3,
        let row = ghost.row(t, key: outermost.interruptedSP)
      else { return }
      s = ghost.field(t, row, 1)
      ghost.remove(t, row: row)
    }
  }

  enum CallKind: UInt64 {
    case acquire = 0
    case tryAcquire = 1
    case release = 2
  }

  /// Argument `number` (from 1) of a function that is just being entered, by the C calling
  /// convention. System V i386 ABI: on the stack above the return address; x86-64: RDI, RSI, RDX, RCX.
  func argument(_ number: Int) -> UInt64 {
    if image.elf.is64Bit {
      let registers = [7, 6, 2, 1, 8, 9]
      return cpu[registers[min(number - 1, 5)]]
    }
    return machine.peek(cpuIndex, linear: cpu.rsp + UInt64(4 * number), size: 4) ?? 0
  }

  /// Address of the lock that a function is entered for.
  private func lockAddress(_ d: LockDiscipline) -> UInt64 {
    let offset = UInt64(bitPattern: Int64(d.lockOffset ?? 0))
    switch d.lockPlace {
    case .register(let number): return cpu[number] &+ offset
    case .symbol(let name): return (image.symbols.symbol(named: name)?.address ?? 0) &+ offset
    case nil: return argument(d.lockArgument) &+ offset
    }
  }

  private func lockCalled(_ discipline: Int, kind: CallKind, rip: UInt64) {
    let d = scenario.locks[discipline]
    let lock = lockAddress(d)
    let returnAddress =
      machine.peek(cpuIndex, linear: cpu.rsp, size: Int(slot)) ?? 0
    if hookSites[returnAddress]?.isReturn != true {
      hook(returnAddress) { $0.isReturn = true }
      machine.observation.newlyShared += 1
    }
    let flags: Bool? =
      kind == .release && d.kind == .value
      ? d.flagsArgument.map { argument($0) & CPU.Flag.if != 0 } : nil
    // Where the flags go is known only as acquire begins.
    if kind != .release, let number = d.flagsPointer,
      !ghost.keepFlagsPointer(argument(number), key: cpu.rsp + slot)
    {
      obstacle = "more lock operations in flight than the checker keeps"
    }
    // The stack pointer after the return tells this call from one of the same site elsewhere. Where the
    // function was called from says more than its own first instruction.
    beginLockOperation(
      kind, discipline, lock: lock, site: returnAddress, key: cpu.rsp + slot,
      returnAddress: returnAddress, flagsInterrupts: flags)
  }

  /// An acquire or a release begins: rules are told, and the operation is in flight until it ends.
  /// - Parameter interruptsBefore: IF before an acquire that is noticed only when it is over.
  func beginLockOperation(
    _ kind: CallKind, _ discipline: Int, lock: UInt64, site: UInt64, key: UInt64,
    returnAddress: UInt64, flagsInterrupts: Bool?, interruptsBefore: Bool? = nil
  ) {
    let d = scenario.locks[discipline]
    let enabled = interruptsBefore ?? cpu.interruptsEnabled
    var h = Happening(kind == .release ? .releasing : .acquiring, rip: site)
    h.tries = kind == .tryAcquire
    h.lock = lock
    h.discipline = discipline
    h.interruptsBefore = enabled
    var savedIF = false
    if kind == .release {
      h.flagsInterrupts = flagsInterrupts
      h.held = heldLock(lock).map { HeldLock(ghost: ghost, row: $0) }
      savedIF = h.held.map { flagsOwed(by: $0, d.kind) } ?? enabled
      happen(h)
      if let row = heldLock(lock) { ghost.remove(Ghost.Layout.held, row: row) }
    } else {
      happen(h)
    }
    let packed =
      kind.rawValue | UInt64(discipline) << 8 | (enabled ? 1 << 16 : 0) | (savedIF ? 1 << 17 : 0)
      | (h.held?.owesUnknown ?? true ? 1 << 18 : 0)
    if ghost.insertSorted(Ghost.Layout.calls, [key, returnAddress, lock, packed, strand]) == nil {
      obstacle = "more lock operations in flight than the checker keeps"
    }
  }

  /// IF as it must be after the release of a lock.
  func flagsOwed(by held: HeldLock, _ kind: LockDiscipline.Kind) -> Bool {
    guard kind == .count else { return held.interruptsBefore }
    return countedLocks(held.discipline).count == 1 && held.savedInterrupts
  }

  /// Locks of one discipline that are held on the present CPU, outermost first.
  private func countedLocks(_ discipline: Int) -> [HeldLock] {
    locksHeld().filter { $0.discipline == discipline }
  }

  /// Row of the held lock at `address`: the present strand's, where several hold it; else the latest
  /// acquired.
  func heldLock(_ address: UInt64) -> Int? {
    let t = Ghost.Layout.held
    var found: Int?
    var row = ghost.count(t) - 1
    while row >= 0 {
      if ghost.field(t, row, 0) == address {
        if ghost.field(t, row, 1) == strand { return row }
        if found == nil { found = row }
      }
      row -= 1
    }
    return found
  }

  private func lockCallReturned(to rip: UInt64) {
    let t = Ghost.Layout.calls
    guard let row = ghost.row(t, key: cpu.rsp), ghost.field(t, row, 1) == rip else { return }
    let packed = ghost.field(t, row, 3)
    let succeeded =
      packed & 0xFF != CallKind.tryAcquire.rawValue
      || isSuccess(scenario.locks[Int(packed >> 8 & 0xFF)])
    endLockOperation(
      row: row, rip: rip, hasLock: succeeded, returned: flagsReturned & CPU.Flag.if != 0)
  }

  /// The flags that an acquire which has just returned gives its caller.
  private var flagsReturned: UInt64 {
    guard let pointer = ghost.takeFlagsPointer(key: cpu.rsp) else { return cpu[CPU.Register.ax] }
    return machine.peek(cpuIndex, linear: pointer, size: Int(slot)) ?? 0
  }

  /// Whether what a function that tries has returned means that it has the lock. An int, whose upper half
  /// means nothing in 64-bit code.
  private func isSuccess(_ d: LockDiscipline) -> Bool {
    let value = cpu[CPU.Register.ax] & 0xFFFF_FFFF
    guard let success = d.success else { return value != 0 }
    return value == UInt64(bitPattern: success) & 0xFFFF_FFFF
  }

  /// An acquire or a release that is in flight ends.
  /// - Parameters:
  ///   - hasLock: whether an acquire has the lock now.
  ///   - returned: IF of the flags that an acquire hands to its caller.
  func endLockOperation(row: Int, rip: UInt64, hasLock: Bool, returned flags: Bool) {
    let t = Ghost.Layout.calls
    let lock = ghost.field(t, row, 2)
    let packed = ghost.field(t, row, 3)
    ghost.remove(t, row: row)
    let discipline = Int(packed >> 8 & 0xFF)
    let before = packed >> 16 & 1 != 0
    let d = scenario.locks[discipline]
    guard let kind = CallKind(rawValue: packed & 0xFF) else { return }
    if kind == .release {
      var h = Happening(.released, rip: rip)
      h.lock = lock
      h.discipline = discipline
      h.interruptsBefore = packed >> 17 & 1 != 0
      // Released without having been held: nothing is known of the flags before.
      h.flagsInterrupts = packed >> 18 & 1 != 0 ? nil : h.interruptsBefore
      happen(h)
      return
    }
    if !hasLock { return }
    let returned: Bool
    switch d.kind {
    case .value: returned = flags
    // What the first of the locks found is what the last release owes.
    case .count: returned = countedLocks(discipline).first?.savedInterrupts ?? before
    case .field, .plain, .sleeping: returned = before
    }
    var held = HeldLock(
      address: lock, strand: strand, depth: depth, cpu: cpuIndex, interruptsBefore: before,
      savedInterrupts: returned, discipline: discipline, site: rip)
    if d.kind == .count {
      held.owesUnknown = countedLocks(discipline).first?.owesUnknown ?? false
    }
    var h = Happening(.acquired, rip: rip)
    h.lock = lock
    h.discipline = discipline
    h.interruptsBefore = before
    h.flagsInterrupts = returned
    h.held = held
    happen(h)
    if !ghost.insertHeld(held) {
      obstacle = "more locks held than the checker keeps"
    }
  }

  /// Locks that spin and are held on the present CPU, outermost first.
  func locksHeld() -> [HeldLock] {
    let t = Ghost.Layout.held
    return (0..<ghost.count(t)).map { HeldLock(ghost: ghost, row: $0) }
      .filter { $0.cpu == cpuIndex && scenario.locks[$0.discipline].kind != .sleeping }
  }
}
