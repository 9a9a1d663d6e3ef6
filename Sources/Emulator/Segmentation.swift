/// Loading segment registers and asking about selectors. Intel SDM Vol. 3A §3.4.3, §5.5, §5.10;
/// Vol. 2: MOV, POP, LDS/LES/LFS/LGS/LSS, LAR, LSL, VERR/VERW, ARPL.

extension Machine {
  /// Loads ES, SS, DS, FS or GS, with the checks of "MOV" in Vol. 2B. False after a fault.
  func loadSegment(_ cpu: Int, _ segment: Int, _ selector: UInt16) -> Bool {
    if isReal(cpu) {
      setRealSegment(cpu, segment, selector)
      return true
    }
    let c = cpus[cpu]
    let isStack = segment == CPU.Segment.ss
    if isNull(selector) {
      // 64-bit code of rings 0–2 may run without a stack segment. Vol. 3A §5.4.1.1.
      if isStack && (!c.is64Bit || c.cpl == 3 || Int(selector & 3) != c.cpl) {
        return fault(Vector.generalProtection)
      }
      setNullSegment(cpu, segment, selector)
      return true
    }
    guard var found = findDescriptor(cpu, selector, fault: Vector.generalProtection) else {
      return false
    }
    let descriptor = found.descriptor
    let rpl = Int(selector & 3)
    let error = selectorError(selector)
    if isStack {
      guard rpl == c.cpl, descriptor.isWritableData, descriptor.privilege == c.cpl else {
        return fault(Vector.generalProtection, error)
      }
      guard descriptor.isPresent else { return fault(Vector.stackFault, error) }
    } else {
      guard descriptor.isReadable,
        descriptor.isConforming || descriptor.privilege >= max(rpl, c.cpl)
      else { return fault(Vector.generalProtection, error) }
      guard descriptor.isPresent else { return fault(Vector.segmentNotPresent, error) }
    }
    guard markAccessed(cpu, &found) else { return false }
    setSegment(cpu, segment, selector, found.descriptor)
    return true
  }

  /// MOV Sreg, r/m16 and POP Sreg. Both block interrupts for one instruction when they load SS
  /// (Intel SDM Vol. 3A §6.8.3).
  func executeLoadSegment(_ cpu: Int, _ op: UnsafePointer<MicroOp>, pops: Bool) -> Bool {
    let c = cpus[cpu]
    let segment = Int(op.pointee.reg)
    guard segment < 6, segment != CPU.Segment.cs else { return fault(Vector.invalidOpcode) }
    let before = EntryPoint(c)
    var stack = currentStack(cpu)
    let source: UInt64
    if pops {
      // With a 32-bit operand only the low word of the slot matters.
      guard let value = pop(cpu, &stack, size: Int(op.pointee.operandSize)) else { return false }
      source = value
    } else {
      guard let value = systemOperand(cpu, op, size: 2) else { return false }
      source = value
    }
    guard loadSegment(cpu, segment, UInt16(truncatingIfNeeded: source)) else { return false }
    if pops { c.rsp = stack.pointer }
    finish(cpu, op)
    let isStack = segment == CPU.Segment.ss
    if isStack { c[CPU.Word.shadow] = 2 }
    before.fill(&event, cpu, c, kind: isStack ? .stack : .segment)
    event.vector = segment
    event.value = UInt64(c.selector(segment))
    return true
  }

  /// MOV r/m, Sreg and PUSH Sreg.
  func executeStoreSegment(_ cpu: Int, _ op: UnsafePointer<MicroOp>, pushes: Bool) -> Bool {
    let c = cpus[cpu]
    let selector = UInt64(c.selector(Int(op.pointee.reg)))
    if pushes {
      let size = Int(op.pointee.operandSize)
      var stack = currentStack(cpu)
      guard hasRoom(stack, size: size) else { return fault(Vector.stackFault) }
      // Recent processors write only the low word of a 32-bit slot. Vol. 2B, "PUSH".
      stack.move(by: -size)
      faultVector = -1
      writeLinear(cpu, stack.linear(stack.pointer), size: 2, selector, asSupervisor: !stack.isUser)
      if faultVector >= 0 { return false }
      c.rsp = stack.pointer
    } else {
      // A 32-bit register takes the selector zero-extended; memory takes 16 bits.
      guard storeSystemOperand(cpu, op, size: 2, registerSize: nil, selector) else {
        return false
      }
    }
    finish(cpu, op)
    return true
  }

  /// LDS, LES, LSS, LFS, LGS: a far pointer's offset into a register, its selector into a segment
  /// register. LSS casts no shadow: both halves of the stack pointer change at once.
  func executeLoadFarPointer(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard op.pointee.isMemory else { return fault(Vector.invalidOpcode) }
    let segment = Int(op.pointee.extra)
    let size = Int(op.pointee.operandSize)
    let before = EntryPoint(c)
    guard let linear = systemAddress(cpu, op, size: size + 2, write: false) else { return false }
    guard let offset = readOperand(cpu, linear, size: size),
      let selector = readOperand(cpu, linear &+ UInt64(size), size: 2)
    else { return false }
    guard loadSegment(cpu, segment, UInt16(truncatingIfNeeded: selector)) else { return false }
    setRegister(cpu, Int(op.pointee.reg), size: size, offset)
    finish(cpu, op)
    before.fill(
      &event, cpu, c, kind: segment == CPU.Segment.ss ? .stack : .segment)
    event.vector = segment
    event.value = selector
    return true
  }

  /// LAR and LSL: access rights or limit of a visible descriptor, ZF set; else ZF clear.
  func executeLoadAccess(_ cpu: Int, _ op: UnsafePointer<MicroOp>, limit: Bool) -> Bool {
    let c = cpus[cpu]
    guard let source = systemOperand(cpu, op, size: 2) else { return false }
    let selector = UInt16(truncatingIfNeeded: source)
    guard let descriptor = visibleDescriptor(cpu, selector) else {
      if faultVector >= 0 { return false }
      return finish(cpu, op, zero: false)
    }
    if descriptor.isSystem {
      // Vol. 2A, "LAR", table 3-51; "LSL", table 3-53: only some system types are valid.
      let valid: Set<Int> =
        c.isLongMode
        ? limit ? [2, 9, 11] : [2, 9, 11, 12]
        : limit ? [1, 2, 3, 9, 11] : [1, 2, 3, 4, 5, 9, 11, 12]
      if !valid.contains(descriptor.type) { return finish(cpu, op, zero: false) }
    }
    if !descriptor.isConforming && descriptor.privilege < max(c.cpl, Int(selector & 3)) {
      return finish(cpu, op, zero: false)
    }
    let value = limit ? descriptor.limit : (descriptor.raw >> 32) & 0x00F0_FF00
    setRegister(cpu, Int(op.pointee.reg), size: Int(op.pointee.operandSize), value)
    return finish(cpu, op, zero: true)
  }

  /// VERR and VERW.
  func executeVerify(_ cpu: Int, _ op: UnsafePointer<MicroOp>, write: Bool) -> Bool {
    let c = cpus[cpu]
    guard let source = systemOperand(cpu, op, size: 2) else { return false }
    let selector = UInt16(truncatingIfNeeded: source)
    guard let descriptor = visibleDescriptor(cpu, selector) else {
      if faultVector >= 0 { return false }
      return finish(cpu, op, zero: false)
    }
    let privileged =
      descriptor.isConforming || descriptor.privilege >= max(c.cpl, Int(selector & 3))
    return finish(
      cpu, op,
      zero: privileged && (write ? descriptor.isWritableData : descriptor.isReadable))
  }

  /// ARPL: raises the destination's RPL to the source's.
  func executeAdjustRPL(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    guard let destination = systemOperand(cpu, op, size: 2) else { return false }
    let source = cpus[cpu][Int(op.pointee.reg)]
    guard destination & 3 < source & 3 else { return finish(cpu, op, zero: false) }
    guard
      storeSystemOperand(cpu, op, size: 2, registerSize: 2, destination & ~3 | source & 3)
    else { return false }
    return finish(cpu, op, zero: true)
  }

  /// The descriptor of a selector that is neither null nor outside its table; nil otherwise, with
  /// `faultVector` set only when reading the table faulted.
  private func visibleDescriptor(_ cpu: Int, _ selector: UInt16) -> Descriptor? {
    faultVector = -1
    if isNull(selector) { return nil }
    guard let linear = descriptorAddress(cpu, selector) else { return nil }
    return readSystem(cpu, linear, size: 8).map(Descriptor.init)
  }
}
