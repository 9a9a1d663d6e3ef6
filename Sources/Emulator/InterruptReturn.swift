/// IRET. Intel SDM Vol. 2A "IRET/IRETD", Vol. 3A §6.12.1.

extension Machine {
  func executeInterruptReturn(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    // NMIs are unblocked even when the instruction then faults. Vol. 3A §6.7.1; Vol. 3C §28.2.3.
    c[CPU.Word.nmi] &= ~1
    if isReal(cpu) { return returnRealInterrupt(cpu, op) }
    if c.rflags & CPU.Flag.vm != 0 { return notModelled("IRET in virtual-8086 mode") }
    if c.rflags & CPU.Flag.nt != 0 {
      // Vol. 3A §7.7: no task switches in IA-32e mode.
      return c.isLongMode ? fault(Vector.generalProtection) : returnToTask(cpu, op)
    }

    let before = EntryPoint(c)
    let size = Int(op.pointee.operandSize)
    var stack = currentStack(cpu)
    guard let target = pop(cpu, &stack, size: size),
      let selectorWord = pop(cpu, &stack, size: size),
      let image = pop(cpu, &stack, size: size)
    else { return false }
    if size == 4 && image & CPU.Flag.vm != 0 && c.cpl == 0 && !c.isLongMode {
      return notModelled("IRET to virtual-8086 mode")
    }
    let selector = UInt16(truncatingIfNeeded: selectorWord)
    guard var code = returnCodeSegment(cpu, selector) else { return false }
    let newCPL = Int(selector & 3)
    var outer: OuterStack?
    // Out of 64-bit mode SS:RSP is always popped. Vol. 3A §6.14.3.
    if newCPL > c.cpl || c.is64Bit {
      guard
        let found = popOuterStack(
          cpu, &stack, size: size, privilege: newCPL, to: code.descriptor)
      else { return false }
      outer = found
    }
    guard isInside(cpu, code.descriptor, target) else { return fault(Vector.generalProtection) }
    let flags = returnedFlags(c, image, size: size)
    guard markAccessed(cpu, &code) else { return false }
    if outer != nil && !markAccessed(cpu, &outer!) { return false }

    setSegment(cpu, CPU.Segment.cs, selector, code.descriptor)
    c.rip = target
    c.rflags = flags
    if let outer {
      loadOuterStack(cpu, outer, size: size, release: 0)
    } else {
      c.rsp = stack.pointer
    }
    before.fill(&event, cpu, c, kind: .return)
    return true
  }

  /// The checks of a code segment that IRET and far RET return to. nil after a fault.
  func returnCodeSegment(_ cpu: Int, _ selector: UInt16) -> FoundDescriptor? {
    if isNull(selector) {
      _ = fault(Vector.generalProtection)
      return nil
    }
    guard let found = findDescriptor(cpu, selector, fault: Vector.generalProtection) else {
      return nil
    }
    let descriptor = found.descriptor
    let rpl = Int(selector & 3)
    guard descriptor.isCode, rpl >= cpus[cpu].cpl,
      descriptor.isConforming ? descriptor.privilege <= rpl : descriptor.privilege == rpl,
      !(descriptor.isBadLongCode && cpus[cpu].isLongMode)
    else {
      _ = fault(Vector.generalProtection, selectorError(selector))
      return nil
    }
    guard descriptor.isPresent else {
      _ = fault(Vector.segmentNotPresent, selectorError(selector))
      return nil
    }
    return found
  }

  /// An outer ring's stack, as a return pops it.
  struct OuterStack {
    var pointer: UInt64
    var selector: UInt16
    /// nil for a null selector, which 64-bit code of rings 0–2 may have.
    var found: FoundDescriptor?
    /// The pointer is 64 bits wide.
    var isLong: Bool
  }

  func markAccessed(_ cpu: Int, _ outer: inout OuterStack) -> Bool {
    outer.found == nil || markAccessed(cpu, &outer.found!)
  }

  /// Pops ESP and SS and checks them against the code that is returned to. nil after a fault.
  func popOuterStack(
    _ cpu: Int, _ stack: inout PendingStack, size: Int, privilege: Int, to code: Descriptor
  ) -> OuterStack? {
    let isLong = cpus[cpu].isLongMode && code.isLongCode
    guard let pointer = pop(cpu, &stack, size: size), let word = pop(cpu, &stack, size: size)
    else { return nil }
    let selector = UInt16(truncatingIfNeeded: word)
    if isNull(selector) {
      if isLong && privilege != 3 && Int(selector & 3) == privilege {
        return OuterStack(pointer: pointer, selector: selector, found: nil, isLong: true)
      }
      _ = fault(Vector.generalProtection)
      return nil
    }
    guard let found = findDescriptor(cpu, selector, fault: Vector.generalProtection) else {
      return nil
    }
    guard Int(selector & 3) == privilege, found.descriptor.isWritableData,
      found.descriptor.privilege == privilege
    else {
      _ = fault(Vector.generalProtection, selectorError(selector))
      return nil
    }
    guard found.descriptor.isPresent else {
      _ = fault(Vector.stackFault, selectorError(selector))
      return nil
    }
    return OuterStack(
      pointer: pointer, selector: selector, found: found, isLong: isLong)
  }

  /// Loads SS:ESP of an outer ring, CS being loaded already, and makes the data segments null that
  /// the outer ring may not use (Intel SDM Vol. 2A, "RETURN-TO-OUTER-PRIVILEGE-LEVEL").
  func loadOuterStack(_ cpu: Int, _ outer: OuterStack, size: Int, release: UInt64) {
    let c = cpus[cpu]
    if outer.isLong {
      c.rsp = outer.pointer &+ release
    } else {
      let attributes = outer.found?.descriptor.attributes ?? 0
      let mask: UInt64 = attributes & (1 << 14) != 0 ? 0xFFFF_FFFF : 0xFFFF
      // A 16-bit stack keeps the upper half of ESP.
      c.rsp = c.rsp & ~mask & 0xFFFF_FFFF | (outer.pointer &+ release) & mask
    }
    if let found = outer.found {
      setSegment(cpu, CPU.Segment.ss, outer.selector, found.descriptor)
    } else {
      setNullSegment(cpu, CPU.Segment.ss, outer.selector)
    }
    let privilege = UInt64(c.cpl)
    for segment in [CPU.Segment.es, CPU.Segment.ds, CPU.Segment.fs, CPU.Segment.gs] {
      let attributes = c.attributes(segment)
      let isConforming = attributes & 0b1_1100 == 0b1_1100
      if attributes != 0 && !isConforming && (attributes >> 5) & 3 < privilege {
        setNullSegment(cpu, segment)
      }
    }
  }

  /// EFLAGS after IRET: IF only with CPL ≤ IOPL, IOPL only at CPL 0. RF is dropped: it matters to
  /// breakpoints alone, which are not modelled, and the next instruction would clear it.
  private func returnedFlags(_ c: CPU, _ image: UInt64, size: Int) -> UInt64 {
    typealias Flag = CPU.Flag
    var mask = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.tf | Flag.df | Flag.of
    mask |= Flag.nt
    if size >= 4 { mask |= Flag.ac | Flag.id }
    if UInt64(c.cpl) <= (c.rflags & Flag.iopl) >> 12 { mask |= Flag.if }
    if c.cpl == 0 {
      mask |= Flag.iopl
      if size >= 4 { mask |= Flag.vif | Flag.vip }
    }
    return (c.rflags & ~mask | image & mask | Flag.fixed) & ~Flag.rf
  }

  /// IRET with NT set: back to the task that the back link names. Vol. 3A §7.4.
  private func returnToTask(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let before = EntryPoint(c)
    guard let link = readSystem(cpu, c.base(CPU.Segment.tr), size: 2) else { return false }
    let selector = UInt16(truncatingIfNeeded: link)
    guard let found = findDescriptor(cpu, selector, fault: Vector.invalidTSS, gdtOnly: true)
    else { return false }
    // Must be a busy TSS of either size.
    guard found.descriptor.isSystem, found.descriptor.type & 7 == 3 else {
      return fault(Vector.invalidTSS, selectorError(selector))
    }
    guard found.descriptor.isPresent else {
      return fault(Vector.segmentNotPresent, selectorError(selector))
    }
    let next = (c.rip &+ op.pointee.next) & 0xFFFF_FFFF
    guard switchTask(cpu, selector, found, transfer: .return, returnAddress: next) else {
      return false
    }
    before.fill(&event, cpu, c, kind: .return)
    return true
  }
}
