/// The registers that say where GDT, IDT, LDT and TSS are. Intel SDM Vol. 3A §2.4; Vol. 2A:
/// LGDT/LIDT, SGDT, SIDT, LLDT, LTR.

extension Machine {
  /// LGDT and LIDT: a 16-bit limit, then a 32-bit base, of which a 16-bit operand takes 24 bits; in
  /// 64-bit mode a 64-bit base, which must be canonical.
  func executeLoadTable(_ cpu: Int, _ op: UnsafePointer<MicroOp>, idt: Bool) -> Bool {
    let c = cpus[cpu]
    guard op.pointee.isMemory else { return fault(Vector.invalidOpcode) }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    let isLong = c.is64Bit
    let width = isLong ? 8 : 4
    guard let linear = systemAddress(cpu, op, size: 2 + width, write: false),
      let limit = readOperand(cpu, linear, size: 2),
      let base = readOperand(cpu, linear &+ 2, size: width)
    else { return false }
    if isLong && !Machine.isCanonical(base) { return fault(Vector.generalProtection) }
    c[idt ? CPU.Word.idtrBase : CPU.Word.gdtrBase] =
      op.pointee.operandSize == 2 && !isLong ? base & 0xFF_FFFF : base
    c[idt ? CPU.Word.idtrLimit : CPU.Word.gdtrLimit] = limit
    return finish(cpu, op)
  }

  /// SGDT and SIDT: not privileged (CR4.UMIP is not modelled).
  func executeStoreTable(_ cpu: Int, _ op: UnsafePointer<MicroOp>, idt: Bool) -> Bool {
    let c = cpus[cpu]
    guard op.pointee.isMemory else { return fault(Vector.invalidOpcode) }
    let base = c[idt ? CPU.Word.idtrBase : CPU.Word.gdtrBase]
    let limit = c[idt ? CPU.Word.idtrLimit : CPU.Word.gdtrLimit]
    let width = c.is64Bit ? 8 : 4
    guard let linear = systemAddress(cpu, op, size: 2 + width, write: true),
      writeOperand(cpu, linear, size: 2, limit),
      writeOperand(cpu, linear &+ 2, size: width, base)
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
      var found = findDescriptor(
        cpu, selector, fault: Vector.generalProtection, gdtOnly: true)
    else { return false }
    guard found.descriptor.isSystem, found.descriptor.type == Descriptor.SystemType.ldt else {
      return fault(Vector.generalProtection, selectorError(selector))
    }
    if cpus[cpu].isLongMode && !readUpperHalf(cpu, selector, &found) { return false }
    guard found.descriptor.isPresent else {
      return fault(Vector.segmentNotPresent, selectorError(selector))
    }
    setSystemSegment(cpu, CPU.Segment.ldtr, selector, found)
    return finish(cpu, op)
  }

  /// LTR: an available TSS, which becomes busy.
  func executeLoadTR(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    guard cpus[cpu].cpl == 0 else { return fault(Vector.generalProtection) }
    guard let word = systemOperand(cpu, op, size: 2) else { return false }
    let selector = UInt16(truncatingIfNeeded: word)
    if isNull(selector) { return fault(Vector.generalProtection) }
    guard
      var found = findDescriptor(
        cpu, selector, fault: Vector.generalProtection, gdtOnly: true)
    else { return false }
    // IA-32e mode knows no 16-bit TSS. Vol. 3A §3.5, table 3-2.
    let isLong = cpus[cpu].isLongMode
    guard found.descriptor.isSystem,
      isLong
        ? found.descriptor.type == Descriptor.SystemType.availableTSS32
        : found.descriptor.type & 7 == 1
    else { return fault(Vector.generalProtection, selectorError(selector)) }
    if isLong && !readUpperHalf(cpu, selector, &found) { return false }
    guard found.descriptor.isPresent else {
      return fault(Vector.segmentNotPresent, selectorError(selector))
    }
    found.descriptor.raw |= 1 << 41
    guard
      writeSystem(cpu, found.linear + 5, size: 1, (found.descriptor.raw >> 40) & 0xFF)
    else { return false }
    setSystemSegment(cpu, CPU.Segment.tr, selector, found)
    return finish(cpu, op)
  }

  /// Puts a checked descriptor of 8 or 16 bytes into LDTR or TR.
  private func setSystemSegment(
    _ cpu: Int, _ segment: Int, _ selector: UInt16, _ found: FoundDescriptor
  ) {
    let descriptor = found.descriptor
    cpus[cpu].setSegment(
      segment, selector: selector, base: descriptor.base | found.upper << 32,
      limit: descriptor.limit, attributes: descriptor.attributes)
  }
}
