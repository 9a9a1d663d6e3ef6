/// JMP, CALL and RET between code segments, through call gates, and to tasks.
/// Intel SDM Vol. 3A §5.8, §7.3; Vol. 2: JMP, CALL, RET.

extension Machine {
  /// Where a far pointer leads, its checks made.
  private enum Destination {
    /// A code segment, and the gate that led there.
    case code(FoundDescriptor, selector: UInt16, offset: UInt64, gate: Descriptor?)
    case task(FoundDescriptor, selector: UInt16)
  }

  func executeFarJump(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let before = EntryPoint(c)
    guard let pointer = farPointer(cpu, op) else { return false }
    if isReal(cpu) { return transferReal(cpu, pointer.selector, pointer.offset, pushing: nil) }
    guard let destination = resolve(cpu, pointer, isCall: false) else { return false }
    switch destination {
    case .task(let found, let selector):
      return transferToTask(cpu, op, selector, found, .jump)
    case .code(var code, let selector, let offset, _):
      guard isInside(cpu, code.descriptor, offset) else {
        return fault(Vector.generalProtection)
      }
      guard markAccessed(cpu, &code) else { return false }
      setSegment(cpu, CPU.Segment.cs, selector & 0xFFFC | UInt16(c.cpl), code.descriptor)
      c.rip = offset
      before.fill(&event, cpu, c, kind: .segment)
      event.vector = CPU.Segment.cs
      event.value = UInt64(c.selector(CPU.Segment.cs))
      return true
    }
  }

  func executeFarCall(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let before = EntryPoint(c)
    guard let pointer = farPointer(cpu, op) else { return false }
    if isReal(cpu) {
      return transferReal(
        cpu, pointer.selector, pointer.offset,
        pushing: (Int(op.pointee.operandSize), (c.rip &+ op.pointee.next) & 0xFFFF_FFFF))
    }
    guard let destination = resolve(cpu, pointer, isCall: true) else { return false }
    switch destination {
    case .task(let found, let selector):
      return transferToTask(cpu, op, selector, found, .call)
    case .code(var code, let selector, let offset, let gate):
      let next = (c.rip &+ op.pointee.next) & cores[cpu].mask
      let size =
        gate.map { c.isLongMode ? 8 : $0.is32BitGate ? 4 : 2 } ?? Int(op.pointee.operandSize)
      let isInner =
        gate != nil && !code.descriptor.isConforming && code.descriptor.privilege < c.cpl
      guard
        isInner
          ? c.isLongMode
            ? callInnerLong(cpu, &code, selector, offset: offset, next: next)
            : callInner(cpu, &code, selector, offset: offset, gate: gate!, size: size, next: next)
          : callSame(cpu, &code, selector, offset: offset, size: size, next: next)
      else { return false }
      before.fill(&event, cpu, c, kind: isInner ? .software : .segment)
      event.vector = CPU.Segment.cs
      event.value = UInt64(c.selector(CPU.Segment.cs))
      return true
    }
  }

  /// A call at the same privilege level.
  private func callSame(
    _ cpu: Int, _ code: inout FoundDescriptor, _ selector: UInt16, offset: UInt64, size: Int,
    next: UInt64
  ) -> Bool {
    let c = cpus[cpu]
    var stack = currentStack(cpu)
    guard hasRoom(stack, size: size * 2) else { return fault(Vector.stackFault) }
    guard isInside(cpu, code.descriptor, offset) else { return fault(Vector.generalProtection) }
    guard push(cpu, &stack, size: size, UInt64(c.selector(CPU.Segment.cs))),
      push(cpu, &stack, size: size, next), markAccessed(cpu, &code)
    else { return false }
    setSegment(cpu, CPU.Segment.cs, selector & 0xFFFC | UInt16(c.cpl), code.descriptor)
    c.rsp = stack.pointer
    c.rip = offset
    return true
  }

  /// A call through a gate into an inner ring: the TSS names the stack, the gate's parameters are
  /// copied. Vol. 3A §5.8.5.
  private func callInner(
    _ cpu: Int, _ code: inout FoundDescriptor, _ selector: UInt16, offset: UInt64,
    gate: Descriptor, size: Int, next: UInt64
  ) -> Bool {
    let c = cpus[cpu]
    let privilege = code.descriptor.privilege
    guard let inner = innerStack(cpu, privilege: privilege, external: 0) else { return false }
    var stack = inner.stack
    var found = inner.found
    let count = gate.gateParameterCount
    guard hasRoom(stack, size: size * (4 + count)) else {
      return fault(Vector.stackFault, selectorError(inner.selector))
    }
    guard offset <= code.descriptor.limit else { return fault(Vector.generalProtection) }
    var parameters: [UInt64] = []
    var old = currentStack(cpu)
    for _ in 0..<count {
      guard let value = pop(cpu, &old, size: size) else { return false }
      parameters.append(value)
    }
    guard push(cpu, &stack, size: size, UInt64(c.selector(CPU.Segment.ss))),
      push(cpu, &stack, size: size, c.rsp)
    else { return false }
    for value in parameters.reversed() {
      guard push(cpu, &stack, size: size, value) else { return false }
    }
    guard push(cpu, &stack, size: size, UInt64(c.selector(CPU.Segment.cs))),
      push(cpu, &stack, size: size, next), markAccessed(cpu, &code), markAccessed(cpu, &found)
    else { return false }
    setSegment(cpu, CPU.Segment.ss, inner.selector, found.descriptor)
    setSegment(
      cpu, CPU.Segment.cs, selector & 0xFFFC | UInt16(privilege), code.descriptor)
    c.rsp = stack.pointer
    c.rip = offset
    return true
  }

  /// The same in IA-32e mode: SS becomes null, there are no parameters. Vol. 3A §5.8.5.1.
  private func callInnerLong(
    _ cpu: Int, _ code: inout FoundDescriptor, _ selector: UInt16, offset: UInt64, next: UInt64
  ) -> Bool {
    let c = cpus[cpu]
    let privilege = code.descriptor.privilege
    guard let pointer = longStack(cpu, offset: 4 + UInt64(privilege) * 8, external: 0) else {
      return false
    }
    var stack = PendingStack(
      base: 0, limit: 0, attributes: 0, pointer: pointer, isUser: privilege == 3, isLong: true)
    guard Machine.isCanonical(pointer), hasRoom(stack, size: 32) else {
      return fault(Vector.stackFault)
    }
    guard Machine.isCanonical(offset) else { return fault(Vector.generalProtection) }
    guard push(cpu, &stack, size: 8, UInt64(c.selector(CPU.Segment.ss))),
      push(cpu, &stack, size: 8, c.rsp),
      push(cpu, &stack, size: 8, UInt64(c.selector(CPU.Segment.cs))),
      push(cpu, &stack, size: 8, next), markAccessed(cpu, &code)
    else { return false }
    setNullSegment(cpu, CPU.Segment.ss, UInt16(privilege))
    setSegment(cpu, CPU.Segment.cs, selector & 0xFFFC | UInt16(privilege), code.descriptor)
    c.rsp = stack.pointer
    c.rip = offset
    return true
  }

  /// RETF, with `imm` bytes of parameters to release on both stacks.
  func executeFarReturn(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    if isReal(cpu) { return returnReal(cpu, op) }
    let c = cpus[cpu]
    let before = EntryPoint(c)
    let size = Int(op.pointee.operandSize)
    let release = op.pointee.imm & 0xFFFF
    var stack = currentStack(cpu)
    guard let target = pop(cpu, &stack, size: size), let word = pop(cpu, &stack, size: size)
    else { return false }
    let selector = UInt16(truncatingIfNeeded: word)
    guard var code = returnCodeSegment(cpu, selector) else { return false }
    stack.move(by: Int(release))
    let newCPL = Int(selector & 3)
    var outer: OuterStack?
    if newCPL > c.cpl {
      guard
        let found = popOuterStack(
          cpu, &stack, size: size, privilege: newCPL, to: code.descriptor)
      else { return false }
      outer = found
    }
    guard isInside(cpu, code.descriptor, target) else { return fault(Vector.generalProtection) }
    guard markAccessed(cpu, &code) else { return false }
    if outer != nil && !markAccessed(cpu, &outer!) { return false }
    setSegment(cpu, CPU.Segment.cs, selector, code.descriptor)
    c.rip = target
    if let outer {
      loadOuterStack(cpu, outer, size: size, release: release)
    } else {
      c.rsp = stack.pointer
    }
    before.fill(&event, cpu, c, kind: outer != nil ? .return : .segment)
    event.vector = CPU.Segment.cs
    event.value = UInt64(selector)
    return true
  }

  // MARK: Destinations

  private func farPointer(
    _ cpu: Int, _ op: UnsafePointer<MicroOp>
  ) -> (selector: UInt16, offset: UInt64)? {
    let size = Int(op.pointee.operandSize)
    let mask = Flags.mask(size)
    if op.pointee.form == .farPointer {
      return (UInt16(truncatingIfNeeded: op.pointee.extra), op.pointee.imm & mask)
    }
    guard let linear = systemAddress(cpu, op, size: size + 2, write: false),
      let offset = readOperand(cpu, linear, size: size),
      let selector = readOperand(cpu, linear &+ UInt64(size), size: 2)
    else { return nil }
    return (UInt16(truncatingIfNeeded: selector), offset)
  }

  /// Checks what the selector names: a code segment, a call gate, a task gate or a TSS.
  private func resolve(
    _ cpu: Int, _ pointer: (selector: UInt16, offset: UInt64), isCall: Bool
  ) -> Destination? {
    let c = cpus[cpu]
    let selector = pointer.selector
    func refuse(_ vector: Int, _ error: UInt32) -> Destination? {
      _ = fault(vector, error)
      return nil
    }
    let general = Vector.generalProtection
    let error = selectorError(selector)
    if isNull(selector) { return refuse(general, 0) }
    guard let found = findDescriptor(cpu, selector, fault: general) else { return nil }
    let descriptor = found.descriptor
    let rpl = Int(selector & 3)
    if descriptor.isCode {
      guard
        descriptor.isConforming
          ? descriptor.privilege <= c.cpl : rpl <= c.cpl && descriptor.privilege == c.cpl
      else { return refuse(general, error) }
      if c.isLongMode && descriptor.isBadLongCode { return refuse(general, error) }
      guard descriptor.isPresent else { return refuse(Vector.segmentNotPresent, error) }
      return .code(found, selector: selector, offset: pointer.offset, gate: nil)
    }
    guard descriptor.isSystem, descriptor.privilege >= max(c.cpl, rpl) else {
      return refuse(general, error)
    }
    if c.isLongMode {
      // No task switches, no 16-bit gates; gates have 16 bytes. Vol. 3A §5.8.3.1.
      guard descriptor.type == Descriptor.SystemType.callGate32 else {
        return refuse(general, error)
      }
      guard descriptor.isPresent else { return refuse(Vector.segmentNotPresent, error) }
      var gate = found
      guard readUpperHalf(cpu, selector, &gate) else { return nil }
      return resolveGate(cpu, gate, isCall: isCall)
    }
    switch descriptor.type {
    case Descriptor.SystemType.callGate16, Descriptor.SystemType.callGate32:
      guard descriptor.isPresent else { return refuse(Vector.segmentNotPresent, error) }
      return resolveGate(cpu, found, isCall: isCall)
    case Descriptor.SystemType.taskGate:
      guard descriptor.isPresent else { return refuse(Vector.segmentNotPresent, error) }
      let tss = descriptor.gateSelector
      guard let target = findDescriptor(cpu, tss, fault: general, gdtOnly: true) else {
        return nil
      }
      guard target.descriptor.isSystem, target.descriptor.type & 7 == 1 else {
        return refuse(general, selectorError(tss))
      }
      guard target.descriptor.isPresent else {
        return refuse(Vector.segmentNotPresent, selectorError(tss))
      }
      return .task(target, selector: tss)
    case Descriptor.SystemType.availableTSS16, Descriptor.SystemType.availableTSS32:
      // A TSS descriptor may lie in the GDT only.
      guard selector & 4 == 0 else { return refuse(general, error) }
      guard descriptor.isPresent else { return refuse(Vector.segmentNotPresent, error) }
      return .task(found, selector: selector)
    default: return refuse(general, error)
    }
  }

  /// The code segment behind a call gate. Vol. 3A §5.8.4.
  private func resolveGate(
    _ cpu: Int, _ found: FoundDescriptor, isCall: Bool
  ) -> Destination? {
    let c = cpus[cpu]
    let gate = found.descriptor
    let upper = found.upper
    let selector = gate.gateSelector
    if isNull(selector) {
      _ = fault(Vector.generalProtection)
      return nil
    }
    guard let found = findDescriptor(cpu, selector, fault: Vector.generalProtection) else {
      return nil
    }
    let code = found.descriptor
    // Only CALL may go to a more privileged segment that is not conforming.
    let allowed =
      isCall || code.isConforming ? code.privilege <= c.cpl : code.privilege == c.cpl
    guard code.isCode, allowed, !c.isLongMode || (code.isLongCode && !code.isBadLongCode) else {
      _ = fault(Vector.generalProtection, selectorError(selector))
      return nil
    }
    guard code.isPresent else {
      _ = fault(Vector.segmentNotPresent, selectorError(selector))
      return nil
    }
    return .code(
      found, selector: selector, offset: gate.gateOffset | upper << 32, gate: gate)
  }

  private func transferToTask(
    _ cpu: Int, _ op: UnsafePointer<MicroOp>, _ selector: UInt16, _ found: FoundDescriptor,
    _ transfer: TaskTransfer
  ) -> Bool {
    let c = cpus[cpu]
    let before = EntryPoint(c)
    let next = (c.rip &+ op.pointee.next) & 0xFFFF_FFFF
    guard switchTask(cpu, selector, found, transfer: transfer, returnAddress: next) else {
      return false
    }
    before.fill(&event, cpu, c, kind: .stack)
    event.vector = CPU.Segment.tr
    event.value = UInt64(selector)
    return true
  }
}
