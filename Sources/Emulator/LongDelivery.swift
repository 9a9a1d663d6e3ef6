/// Entering handlers in IA-32e mode: 16-byte gates, the interrupt stack table, frames that always have
/// SS:RSP. Intel SDM Vol. 3A §6.14; the order of the checks is that of "INT n" in Vol. 2A.

extension Machine {
  /// Through an interrupt or trap gate.
  /// - Parameter upper: bits 63–32 of the gate's offset.
  func enterLongHandler(
    _ cpu: Int, _ gate: Descriptor, upper: UInt64, vector: Int, kind: DeliveryKind,
    errorCode: UInt32?, external: UInt32, returnAddress: UInt64
  ) -> Bool {
    let c = cpus[cpu]
    let selector = gate.gateSelector
    if isNull(selector) { return fault(Vector.generalProtection, external) }
    guard
      var code = findDescriptor(
        cpu, selector, fault: Vector.generalProtection, external: external)
    else { return false }
    let selectorFault = selectorError(selector, external: external)
    guard code.descriptor.isCode && code.descriptor.privilege <= c.cpl else {
      return fault(Vector.generalProtection, selectorFault)
    }
    // Handlers are 64-bit code. Vol. 3A §6.14.1.
    guard code.descriptor.isLongCode && !code.descriptor.isBadLongCode else {
      return fault(Vector.generalProtection, selectorFault)
    }
    guard code.descriptor.isPresent else {
      return fault(Vector.segmentNotPresent, selectorFault)
    }

    let isInner = !code.descriptor.isConforming && code.descriptor.privilege < c.cpl
    let newCPL = isInner ? code.descriptor.privilege : c.cpl
    // Vol. 3A §6.14.5: an entry of the interrupt stack table is used whether or not rings change.
    let table = Int(gate.raw >> 32) & 7
    var pointer = c.rsp
    if isInner || table != 0 {
      guard
        let found = longStack(
          cpu, offset: table != 0 ? 28 + UInt64(table) * 8 : 4 + UInt64(newCPL) * 8,
          external: external)
      else { return false }
      pointer = found
    }
    // Vol. 3A §6.14.2: the frame begins at a multiple of 16.
    var stack = PendingStack(
      base: 0, limit: 0, attributes: 0, pointer: pointer & ~15, isUser: newCPL == 3, isLong: true)
    guard Machine.isCanonical(pointer), hasRoom(stack, size: errorCode == nil ? 40 : 48) else {
      return fault(Vector.stackFault, external)
    }
    let target = gate.gateOffset & 0xFFFF_FFFF | upper << 32
    guard Machine.isCanonical(target) else { return fault(Vector.generalProtection, external) }

    var image = c.rflags & 0x3F_7FD7 | CPU.Flag.fixed
    if kind == .exception && isFault(vector) { image |= CPU.Flag.rf }
    guard push(cpu, &stack, size: 8, UInt64(c.selector(CPU.Segment.ss))),
      push(cpu, &stack, size: 8, c.rsp), push(cpu, &stack, size: 8, image),
      push(cpu, &stack, size: 8, UInt64(c.selector(CPU.Segment.cs))),
      push(cpu, &stack, size: 8, returnAddress)
    else { return false }
    if let errorCode, !push(cpu, &stack, size: 8, UInt64(errorCode)) { return false }
    guard markAccessed(cpu, &code) else { return false }

    // Nothing can fault from here on.
    if isInner { setNullSegment(cpu, CPU.Segment.ss, UInt16(newCPL)) }
    setSegment(cpu, CPU.Segment.cs, selector & 0xFFFC | UInt16(newCPL), code.descriptor)
    c.rsp = stack.pointer
    c.rip = target
    var cleared = CPU.Flag.tf | CPU.Flag.nt | CPU.Flag.rf | CPU.Flag.vm
    if gate.type & 1 == 0 { cleared |= CPU.Flag.if }
    c.rflags &= ~cleared
    return true
  }

  /// A stack pointer of the 64-bit TSS: RSP0–RSP2 from offset 4, IST1–IST7 from offset 36. Intel SDM
  /// Vol. 3A §7.7. nil after a fault.
  func longStack(_ cpu: Int, offset: UInt64, external: UInt32) -> UInt64? {
    let c = cpus[cpu]
    let tr = CPU.Segment.tr
    guard offset + 7 <= c.limit(tr) else {
      _ = fault(Vector.invalidTSS, selectorError(c.selector(tr), external: external))
      return nil
    }
    return readSystem(cpu, c.base(tr) &+ offset, size: 8)
  }
}
