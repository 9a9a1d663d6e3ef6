/// Hardware task switching between 32-bit task-state segments. Intel SDM Vol. 3A §7.2–7.4.

/// How a task is switched to; decides busy bits, NT and the back link. Vol. 3A §7.3, table 7-2.
enum TaskTransfer {
  case jump
  /// CALL, or an interrupt or exception through a task gate.
  case call
  case `return`
}

/// Offsets in a 32-bit TSS. Vol. 3A §7.2.1, figure 7-2.
private enum Task {
  static let backLink: UInt64 = 0
  static let cr3: UInt64 = 28
  static let eip: UInt64 = 32
  static let eflags: UInt64 = 36
  static let registers: UInt64 = 40
  static let segments: UInt64 = 72
  static let ldt: UInt64 = 96
  static let trap: UInt64 = 100
  static let byteCount: UInt64 = 104
}

extension Machine {
  /// Enters the task of an IDT's task gate. Intel SDM Vol. 3A §6.12.2; checks of "INT n", Vol. 2A.
  func enterTask(
    _ cpu: Int, _ selector: UInt16, errorCode: UInt32?, external: UInt32, returnAddress: UInt64,
    setsResume: Bool
  ) -> Bool {
    guard
      let found = findDescriptor(
        cpu, selector, fault: Vector.generalProtection, external: external, gdtOnly: true)
    else { return false }
    let error = selectorError(selector, external: external)
    guard found.descriptor.isSystem, found.descriptor.type & 7 == 1 else {
      return fault(Vector.generalProtection, error)
    }
    guard found.descriptor.isPresent else { return fault(Vector.segmentNotPresent, error) }
    guard
      switchTask(
        cpu, selector, found, transfer: .call, external: external, returnAddress: returnAddress,
        setsResume: setsResume)
    else { return false }
    guard let errorCode else { return true }
    // The error code goes onto the new task's stack.
    var stack = currentStack(cpu)
    guard hasRoom(stack, size: 4) else { return fault(Vector.stackFault, external) }
    guard push(cpu, &stack, size: 4, UInt64(errorCode)) else { return false }
    cpus[cpu].rsp = stack.pointer
    return true
  }

  /// Saves the present task and loads another. The caller has checked the descriptor's type,
  /// presence and privilege.
  ///
  /// False after a fault. Faults before the new state is loaded leave the old task running; the
  /// checks of the new task's segments come after it, in the new task (Vol. 3A §7.3, step 11ff.).
  func switchTask(
    _ cpu: Int, _ selector: UInt16, _ target: FoundDescriptor, transfer: TaskTransfer,
    external: UInt32 = 0, returnAddress: UInt64, setsResume: Bool = false
  ) -> Bool {
    let c = cpus[cpu]
    let tr = CPU.Segment.tr
    let descriptor = target.descriptor
    guard descriptor.type & 8 != 0 && c.attributes(tr) & 8 != 0 else {
      return notModelled("task switch with a 16-bit TSS")
    }
    guard descriptor.limit >= Task.byteCount - 1 else {
      return fault(Vector.invalidTSS, selectorError(selector, external: external))
    }
    let oldBase = c.base(tr)
    let newBase = descriptor.base

    // Everything that can page-fault is touched before anything is written.
    var image = [UInt64](repeating: 0, count: Int(Task.byteCount) / 4)
    for i in image.indices {
      guard let word = readSystem(cpu, newBase &+ UInt64(i) * 4, size: 4) else { return false }
      image[i] = word
    }
    for (base, first, last) in [
      (oldBase, Task.eip, Task.segments + 23), (newBase, Task.backLink, Task.backLink + 3),
    ] {
      for offset in [first, last] {
        let linear = (base &+ offset) & 0xFFFF_FFFF
        faultVector = -1
        _ = translateSlow(cpu, linear: linear, write: true, user: false, fetch: false)
        if faultVector >= 0 { return false }
      }
    }
    guard let oldDescriptor = descriptorAddress(cpu, c.selector(tr), gdtOnly: true) else {
      return fault(Vector.invalidTSS, selectorError(c.selector(tr), external: external))
    }

    // Busy bits, Vol. 3A §7.3 steps 6 and 9.
    if transfer != .call {
      guard setBusy(cpu, oldDescriptor, false) else { return false }
    }
    var saved = c.rflags & 0x3F_7FD7 | CPU.Flag.fixed
    if transfer == .return { saved &= ~CPU.Flag.nt }
    if setsResume { saved |= CPU.Flag.rf }
    guard save(cpu, at: oldBase, flags: saved, returnAddress: returnAddress) else { return false }
    if transfer == .call {
      guard
        writeSystem(cpu, newBase &+ Task.backLink, size: 2, UInt64(c.selector(tr)))
      else { return false }
    }
    if transfer != .return {
      guard setBusy(cpu, target.linear, true) else { return false }
    }

    // The new state.
    var busy = descriptor
    busy.raw |= 1 << 41
    setSegment(cpu, tr, selector, busy)
    c[CPU.Word.cr0] |= ControlBit.ts
    c[CPU.Word.dr0 + 7] &= ~0x55
    func word(_ offset: UInt64) -> UInt64 { image[Int(offset) / 4] }
    if c[CPU.Word.cr0] & ControlBit.pg != 0 {
      c[CPU.Word.cr3] = word(Task.cr3)
      flushTLB(cpu)
    }
    c.rip = word(Task.eip)
    var flags = word(Task.eflags) & 0x3F_7FD7 | CPU.Flag.fixed
    if transfer == .call { flags |= CPU.Flag.nt }
    c.rflags = flags & ~CPU.Flag.rf
    for register in 0..<8 { c[register] = word(Task.registers + UInt64(register) * 4) }
    var selectors = [UInt16](repeating: 0, count: 6)
    for segment in 0..<6 {
      selectors[segment] = UInt16(
        truncatingIfNeeded: word(Task.segments + UInt64(segment) * 4))
      setNullSegment(cpu, segment, selectors[segment])
    }
    let ldt = UInt16(truncatingIfNeeded: word(Task.ldt))
    setNullSegment(cpu, CPU.Segment.ldtr, ldt)
    c[CPU.Word.cpl] = UInt64(selectors[CPU.Segment.cs] & 3)
    if flags & CPU.Flag.vm != 0 { return notModelled("task switch to virtual-8086 mode") }
    if word(Task.trap) & 1 != 0 { return notModelled("task switch with the TSS's T flag set") }
    return loadTaskSegments(cpu, selectors, ldt: ldt, external: external)
  }

  private func setBusy(_ cpu: Int, _ linear: UInt64, _ busy: Bool) -> Bool {
    guard let byte = readSystem(cpu, linear + 5, size: 1) else { return false }
    return writeSystem(cpu, linear + 5, size: 1, busy ? byte | 2 : byte & ~2)
  }

  /// Saves the dynamic fields; CR3, LDT and the inner stacks are never saved. Vol. 3A §7.2.1.
  private func save(
    _ cpu: Int, at base: UInt64, flags: UInt64, returnAddress: UInt64
  ) -> Bool {
    let c = cpus[cpu]
    guard writeSystem(cpu, base &+ Task.eip, size: 4, returnAddress),
      writeSystem(cpu, base &+ Task.eflags, size: 4, flags)
    else { return false }
    for register in 0..<8 {
      guard
        writeSystem(cpu, base &+ Task.registers &+ UInt64(register) * 4, size: 4, c[register])
      else { return false }
    }
    for segment in 0..<6 {
      guard
        writeSystem(
          cpu, base &+ Task.segments &+ UInt64(segment) * 4, size: 2,
          UInt64(c.selector(segment)))
      else { return false }
    }
    return true
  }

  /// Loads the descriptors of a task's selectors. Checks and vectors: Vol. 3A §7.3, table 7-1.
  private func loadTaskSegments(
    _ cpu: Int, _ selectors: [UInt16], ldt: UInt16, external: UInt32
  ) -> Bool {
    let c = cpus[cpu]
    func error(_ selector: UInt16) -> UInt32 { selectorError(selector, external: external) }

    if !isNull(ldt) {
      guard
        let found = findDescriptor(
          cpu, ldt, fault: Vector.invalidTSS, external: external, gdtOnly: true)
      else { return false }
      guard found.descriptor.isSystem, found.descriptor.type == Descriptor.SystemType.ldt,
        found.descriptor.isPresent
      else { return fault(Vector.invalidTSS, error(ldt)) }
      setSegment(cpu, CPU.Segment.ldtr, ldt, found.descriptor)
    }

    let cs = selectors[CPU.Segment.cs]
    if isNull(cs) { return fault(Vector.invalidTSS, external) }
    guard
      var code = findDescriptor(cpu, cs, fault: Vector.invalidTSS, external: external)
    else { return false }
    let rpl = Int(cs & 3)
    guard code.descriptor.isCode,
      code.descriptor.isConforming
        ? code.descriptor.privilege <= rpl : code.descriptor.privilege == rpl
    else { return fault(Vector.invalidTSS, error(cs)) }
    guard code.descriptor.isPresent else { return fault(Vector.segmentNotPresent, error(cs)) }
    guard markAccessed(cpu, &code) else { return false }
    setSegment(cpu, CPU.Segment.cs, cs, code.descriptor)

    let ss = selectors[CPU.Segment.ss]
    if isNull(ss) { return fault(Vector.invalidTSS, external) }
    guard
      var stack = findDescriptor(cpu, ss, fault: Vector.invalidTSS, external: external)
    else { return false }
    guard stack.descriptor.isWritableData, stack.descriptor.privilege == rpl,
      Int(ss & 3) == rpl
    else { return fault(Vector.invalidTSS, error(ss)) }
    guard stack.descriptor.isPresent else { return fault(Vector.stackFault, error(ss)) }
    guard markAccessed(cpu, &stack) else { return false }
    setSegment(cpu, CPU.Segment.ss, ss, stack.descriptor)

    for segment in [CPU.Segment.es, CPU.Segment.ds, CPU.Segment.fs, CPU.Segment.gs] {
      let selector = selectors[segment]
      if isNull(selector) { continue }
      guard
        var data = findDescriptor(
          cpu, selector, fault: Vector.invalidTSS, external: external)
      else { return false }
      guard data.descriptor.isReadable,
        data.descriptor.isConforming
          || data.descriptor.privilege >= max(rpl, Int(selector & 3))
      else { return fault(Vector.invalidTSS, error(selector)) }
      guard data.descriptor.isPresent else {
        return fault(Vector.segmentNotPresent, error(selector))
      }
      guard markAccessed(cpu, &data) else { return false }
      setSegment(cpu, segment, selector, data.descriptor)
    }
    guard c.rip <= code.descriptor.limit else {
      return fault(Vector.generalProtection, external)
    }
    return true
  }
}
