/// The registers that say where GDT, IDT, LDT and TSS are. Intel SDM Vol. 3A §2.4; Vol. 2A:
/// LGDT/LIDT, SGDT, SIDT, LLDT, LTR.

extension Machine {
  /// LGDT and LIDT: a 16-bit limit, then a 32-bit base, of which a 16-bit operand takes 24 bits.
  func executeLoadTable(_ cpu: Int, _ op: UnsafePointer<MicroOp>, idt: Bool) -> Bool {
    let c = cpus[cpu]
    guard op.pointee.isMemory else { return fault(Vector.invalidOpcode) }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    guard let linear = systemAddress(cpu, op, size: 6, write: false),
      let limit = readOperand(cpu, linear, size: 2),
      let base = readOperand(cpu, linear &+ 2, size: 4)
    else { return false }
    c[idt ? CPU.Word.idtrBase : CPU.Word.gdtrBase] =
      op.pointee.operandSize == 2 ? base & 0xFF_FFFF : base
    c[idt ? CPU.Word.idtrLimit : CPU.Word.gdtrLimit] = limit
    return finish(cpu, op)
  }

  /// SGDT and SIDT: not privileged (CR4.UMIP is not modelled).
  func executeStoreTable(_ cpu: Int, _ op: UnsafePointer<MicroOp>, idt: Bool) -> Bool {
    let c = cpus[cpu]
    guard op.pointee.isMemory else { return fault(Vector.invalidOpcode) }
    let base = c[idt ? CPU.Word.idtrBase : CPU.Word.gdtrBase]
    let limit = c[idt ? CPU.Word.idtrLimit : CPU.Word.gdtrLimit]
    guard let linear = systemAddress(cpu, op, size: 6, write: true),
      writeOperand(cpu, linear, size: 2, limit),
      writeOperand(cpu, linear &+ 2, size: 4, base)
    else { return false }
    return finish(cpu, op)
  }

  /// LLDT: a null selector is allowed and makes every use of the LDT a fault.
  func executeLoadLDT(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    guard cpus[cpu].cpl == 0 else { return fault(Vector.generalProtection) }
    guard let word = systemOperand(cpu, op, size: 2) else { return false }
    let selector = UInt16(truncatingIfNeeded: word)
    if isNull(selector) {
      setNullSegment(cpu, CPU.Segment.ldtr, selector)
      return finish(cpu, op)
    }
    guard
      let found = findDescriptor(
        cpu, selector, fault: Vector.generalProtection, gdtOnly: true)
    else { return false }
    guard found.descriptor.isSystem, found.descriptor.type == Descriptor.SystemType.ldt else {
      return fault(Vector.generalProtection, selectorError(selector))
    }
    guard found.descriptor.isPresent else {
      return fault(Vector.segmentNotPresent, selectorError(selector))
    }
    setSegment(cpu, CPU.Segment.ldtr, selector, found.descriptor)
    return finish(cpu, op)
  }

  /// LTR: an available TSS, which becomes busy.
  func executeLoadTR(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    guard cpus[cpu].cpl == 0 else { return fault(Vector.generalProtection) }
    guard let word = systemOperand(cpu, op, size: 2) else { return false }
    let selector = UInt16(truncatingIfNeeded: word)
    if isNull(selector) { return fault(Vector.generalProtection) }
    guard
      let found = findDescriptor(
        cpu, selector, fault: Vector.generalProtection, gdtOnly: true)
    else { return false }
    guard found.descriptor.isSystem, found.descriptor.type & 7 == 1 else {
      return fault(Vector.generalProtection, selectorError(selector))
    }
    guard found.descriptor.isPresent else {
      return fault(Vector.segmentNotPresent, selectorError(selector))
    }
    var busy = found.descriptor
    busy.raw |= 1 << 41
    guard writeSystem(cpu, found.linear + 5, size: 1, (busy.raw >> 40) & 0xFF) else {
      return false
    }
    setSegment(cpu, CPU.Segment.tr, selector, busy)
    return finish(cpu, op)
  }
}
