/// Interrupts and exceptions in real-address mode: by the table of far pointers that IDTR names, which the BIOS has at
/// address 0. Intel SDM Vol. 3B §20.1.4.

extension Machine {
  /// Enters the handler of a vector. The BIOS's own handlers are not code here: what they do is done at once, and
  /// the interrupted code goes on. False after a fault, or with `unmodelled` set.
  func enterReal(
    _ cpu: Int, vector: Int, kind: DeliveryKind, returnAddress: UInt64
  ) -> Bool {
    let c = cpus[cpu]
    let offset = UInt64(vector) * 4
    // A vector beyond the limit is #GP, whose own then comes to the same: shutdown, in the end.
    guard offset + 3 <= c[CPU.Word.idtrLimit] else { return fault(Vector.generalProtection) }
    guard let pointer = readSystem(cpu, c[CPU.Word.idtrBase] &+ offset, size: 4) else {
      return false
    }
    let before = EntryPoint(c)
    if pointer >> 16 == Machine.biosSegment
      && pointer & 0xFFFF == Machine.biosHandlers + UInt64(vector)
    {
      guard serveBIOS(cpu, vector, kind) else { return false }
      c.rip = returnAddress
      if kind == .external || kind == .nmi {
        before.fill(&event, cpu, c, kind: kind == .nmi ? .nmi : .interrupt)
        event.vector = vector
      }
      c[CPU.Word.shadow] = 0
      if c[CPU.Word.activity] == CPU.Activity.halted {
        c[CPU.Word.activity] = CPU.Activity.running
      }
      return true
    }
    var stack = currentStack(cpu)
    guard hasRoom(stack, size: 6) else { return fault(Vector.stackFault) }
    guard push(cpu, &stack, size: 2, c.rflags & 0xFFFF),
      push(cpu, &stack, size: 2, UInt64(c.selector(CPU.Segment.cs))),
      push(cpu, &stack, size: 2, returnAddress & 0xFFFF)
    else { return false }
    c.rsp = stack.pointer
    c.rflags &= ~(CPU.Flag.if | CPU.Flag.tf | CPU.Flag.ac)
    setRealSegment(cpu, CPU.Segment.cs, UInt16(pointer >> 16))
    c.rip = pointer & 0xFFFF
    if kind == .nmi { c[CPU.Word.nmi] |= 1 }
    c[CPU.Word.shadow] = 0
    if c[CPU.Word.activity] == CPU.Activity.halted {
      c[CPU.Word.activity] = CPU.Activity.running
    }
    before.fill(
      &event, cpu, c,
      kind: kind == .exception
        ? .exception : kind == .external ? .interrupt : kind == .nmi ? .nmi : .software)
    event.vector = vector
    return true
  }

  /// IRET. Vol. 2A, "IRET/IRETD", real-address mode: IOPL and IF are restored, VM, VIF and VIP are not.
  func returnRealInterrupt(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let before = EntryPoint(c)
    let size = Int(op.pointee.operandSize)
    var stack = currentStack(cpu)
    guard let target = pop(cpu, &stack, size: size), let selector = pop(cpu, &stack, size: size),
      let image = pop(cpu, &stack, size: size)
    else { return false }
    guard target <= c.limit(CPU.Segment.cs) else { return fault(Vector.generalProtection) }
    var changed: UInt64 = 0x7FD5
    if size == 4 { changed |= CPU.Flag.rf | CPU.Flag.ac | CPU.Flag.id }
    c.rflags = c.rflags & ~changed | image & changed
    setRealSegment(cpu, CPU.Segment.cs, UInt16(truncatingIfNeeded: selector))
    c.rip = target
    c.rsp = stack.pointer
    before.fill(&event, cpu, c, kind: .return)
    return true
  }
}
