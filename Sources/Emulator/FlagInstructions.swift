/// Instructions that read or write EFLAGS as a whole, or IF. Intel SDM Vol. 2: CLI, STI, PUSHF, POPF;
/// Vol. 3A §6.8.1.

extension Machine {
  /// CLI and STI: allowed with CPL ≤ IOPL. STI holds interrupts off until the instruction after
  /// it has been executed, but only when it is STI that sets IF (Vol. 2B, "STI").
  func executeSetInterruptFlag(_ cpu: Int, _ op: UnsafePointer<MicroOp>, to on: Bool) -> Bool {
    let c = cpus[cpu]
    guard mayChangeInterruptFlag(c) else { return fault(Vector.generalProtection) }
    let wasOn = c.interruptsEnabled
    if wasOn == on { return finish(cpu, op) }
    let before = EntryPoint(c)
    if on {
      c.rflags |= CPU.Flag.if
      c[CPU.Word.shadow] = 1
    } else {
      c.rflags &= ~CPU.Flag.if
    }
    finish(cpu, op)
    before.fill(&event, cpu, c, kind: .interruptFlag)
    return true
  }

  private func mayChangeInterruptFlag(_ c: CPU) -> Bool {
    UInt64(c.cpl) <= (c.rflags & CPU.Flag.iopl) >> 12
  }

  /// PUSHF: RF and VM are pushed as zero.
  func executePushFlags(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let size = Int(op.pointee.operandSize)
    var stack = currentStack(cpu)
    guard hasRoom(stack, size: size) else { return fault(Vector.stackFault) }
    let image = c.rflags & 0x00FC_FFFF | CPU.Flag.fixed
    guard push(cpu, &stack, size: size, image) else { return false }
    c.rsp = stack.pointer
    return finish(cpu, op)
  }

  /// POPF: IOPL changes at CPL 0 alone, IF with CPL ≤ IOPL; what may not change is kept without a
  /// fault. POPF casts no shadow.
  func executePopFlags(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    typealias Flag = CPU.Flag
    let c = cpus[cpu]
    let size = Int(op.pointee.operandSize)
    var stack = currentStack(cpu)
    guard let image = pop(cpu, &stack, size: size) else { return false }
    var mask = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.tf | Flag.df | Flag.of
    mask |= Flag.nt
    if size >= 4 { mask |= Flag.ac | Flag.id }
    if mayChangeInterruptFlag(c) { mask |= Flag.if }
    if c.cpl == 0 { mask |= Flag.iopl }
    var flags = c.rflags & ~mask | image & mask | Flag.fixed
    flags &= ~Flag.rf
    // The wide forms at CPL 0 clears VIF and VIP. Vol. 2B, table 4-15.
    if size >= 4 && c.cpl == 0 { flags &= ~(Flag.vif | Flag.vip) }
    let before = EntryPoint(c)
    c.rsp = stack.pointer
    c.rflags = flags
    finish(cpu, op)
    if (before.flags ^ flags) & Flag.if != 0 {
      before.fill(&event, cpu, c, kind: .interruptFlag)
    }
    return true
  }
}
