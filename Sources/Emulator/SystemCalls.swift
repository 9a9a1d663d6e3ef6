import CZydis

/// SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, RDFSBASE and kin, CLAC, STAC. Intel SDM Vol. 2B under
/// each name; Vol. 3A §5.8.7 (SYSENTER), §5.8.8 (SYSCALL).

extension Machine {
  /// SYSCALL: 64-bit mode only. It pushes nothing and loads no stack pointer.
  func executeSystemCall(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard c.is64Bit, c[CPU.Word.efer] & ControlBit.sce != 0 else {
      return fault(Vector.invalidOpcode)
    }
    let before = EntryPoint(c)
    c[CPU.Register.cx] = c.rip &+ op.pointee.next
    c[11] = c.rflags & ~CPU.Flag.rf
    c.rip = c[CPU.Word.lstar]
    c.rflags = c.rflags & ~c[CPU.Word.fmask] & ~CPU.Flag.rf | CPU.Flag.fixed
    let selector = UInt16(truncatingIfNeeded: c[CPU.Word.star] >> 32) & 0xFFFC
    setFlatCode(cpu, selector, privilege: 0, isLong: true)
    setFlatStack(cpu, selector &+ 8, privilege: 0)
    before.fill(&event, cpu, c, kind: .software)
    event.vector = Event.systemCall
    return true
  }

  /// SYSRET. A return address that is not canonical faults in ring 0, on the user's stack pointer.
  func executeSystemReturn(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard c.is64Bit, c[CPU.Word.efer] & ControlBit.sce != 0 else {
      return fault(Vector.invalidOpcode)
    }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    let isLong = op.pointee.operandSize == 8
    let target = c[CPU.Register.cx]
    if isLong && !Machine.isCanonical(target) { return fault(Vector.generalProtection) }
    let before = EntryPoint(c)
    c.rip = isLong ? target : target & 0xFFFF_FFFF
    c.rflags = c[11] & 0x3C_7FD7 | CPU.Flag.fixed
    let selector = UInt16(truncatingIfNeeded: c[CPU.Word.star] >> 48)
    setFlatCode(cpu, (isLong ? selector &+ 16 : selector) | 3, privilege: 3, isLong: isLong)
    setFlatStack(cpu, (selector &+ 8) | 3, privilege: 3)
    before.fill(&event, cpu, c, kind: .return)
    event.vector = Event.systemCall
    return true
  }

  /// SYSENTER: into ring 0 in both modes; where from is for software to pass on.
  func executeSystemEnter(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let selector = UInt16(truncatingIfNeeded: c[CPU.Word.sysenterCS]) & 0xFFFC
    guard selector != 0 else { return fault(Vector.generalProtection) }
    let before = EntryPoint(c)
    let isLong = c.isLongMode
    let mask: UInt64 = isLong ? ~0 : 0xFFFF_FFFF
    c.rflags &= ~(CPU.Flag.vm | CPU.Flag.if | CPU.Flag.rf)
    c.rsp = c[CPU.Word.sysenterESP] & mask
    c.rip = c[CPU.Word.sysenterEIP] & mask
    setFlatCode(cpu, selector, privilege: 0, isLong: isLong)
    setFlatStack(cpu, selector &+ 8, privilege: 0)
    before.fill(&event, cpu, c, kind: .software)
    event.vector = Event.systemEnter
    return true
  }

  /// SYSEXIT: to EDX with the stack ECX, or with REX.W to RDX with RCX.
  func executeSystemExit(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let selector = UInt16(truncatingIfNeeded: c[CPU.Word.sysenterCS]) & 0xFFFC
    guard selector != 0, c.cpl == 0 else { return fault(Vector.generalProtection) }
    let isLong = c.is64Bit && op.pointee.operandSize == 8
    let mask: UInt64 = isLong ? ~0 : 0xFFFF_FFFF
    let target = c[CPU.Register.dx] & mask
    let stack = c[CPU.Register.cx] & mask
    if isLong && !(Machine.isCanonical(target) && Machine.isCanonical(stack)) {
      return fault(Vector.generalProtection)
    }
    let before = EntryPoint(c)
    c.rip = target
    c.rsp = stack
    let code = selector &+ (isLong ? 32 : 16)
    setFlatCode(cpu, code | 3, privilege: 3, isLong: isLong)
    setFlatStack(cpu, (code &+ 8) | 3, privilege: 3)
    before.fill(&event, cpu, c, kind: .return)
    event.vector = Event.systemEnter
    return true
  }

  /// The code segment that these instructions load without reading a descriptor: base 0, limit 4 GiB,
  /// execute and read, accessed, present.
  private func setFlatCode(_ cpu: Int, _ selector: UInt16, privilege: UInt64, isLong: Bool) {
    cpus[cpu].setSegment(
      CPU.Segment.cs, selector: selector, base: 0, limit: 0xFFFF_FFFF,
      attributes: 0x809B | privilege << 5 | (isLong ? 1 << 13 : 1 << 14))
    cpus[cpu][CPU.Word.cpl] = privilege
  }

  private func setFlatStack(_ cpu: Int, _ selector: UInt16, privilege: UInt64) {
    cpus[cpu].setSegment(
      CPU.Segment.ss, selector: selector, base: 0, limit: 0xFFFF_FFFF,
      attributes: 0xC093 | privilege << 5)
  }

  // MARK: Segment bases

  /// SWAPGS: the base of GS against IA32_KERNEL_GS_BASE.
  func executeSwapGS(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard c.is64Bit else { return fault(Vector.invalidOpcode) }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    let before = EntryPoint(c)
    let word = CPU.Word.segments + CPU.Segment.gs * 4 + 1
    (c[word], c[CPU.Word.kernelGSBase]) = (c[CPU.Word.kernelGSBase], c[word])
    finish(cpu, op)
    noteBase(before, cpu, CPU.Segment.gs)
    return true
  }

  /// RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE: with CR4.FSGSBASE, at any privilege level.
  func executeSegmentBase(
    _ cpu: Int, _ op: UnsafePointer<MicroOp>, _ mnemonic: ZydisMnemonic
  ) -> Bool {
    let c = cpus[cpu]
    guard c.is64Bit, c[CPU.Word.cr4] & ControlBit.fsgsbase != 0 else {
      return fault(Vector.invalidOpcode)
    }
    let isFS = mnemonic == ZYDIS_MNEMONIC_RDFSBASE || mnemonic == ZYDIS_MNEMONIC_WRFSBASE
    let segment = isFS ? CPU.Segment.fs : CPU.Segment.gs
    let word = CPU.Word.segments + segment * 4 + 1
    let size = Int(op.pointee.operandSize)
    let register = Int(op.pointee.rm)
    if mnemonic == ZYDIS_MNEMONIC_RDFSBASE || mnemonic == ZYDIS_MNEMONIC_RDGSBASE {
      setRegister(cpu, register, size: size, c[word])
      return finish(cpu, op)
    }
    let value = c[register] & Flags.mask(size)
    guard Machine.isCanonical(value) else { return fault(Vector.generalProtection) }
    let before = EntryPoint(c)
    c[word] = value
    finish(cpu, op)
    noteBase(before, cpu, segment)
    return true
  }

  /// `Event.vector` is the segment register, `Event.value` its selector, as for a load of it.
  private func noteBase(_ before: EntryPoint, _ cpu: Int, _ segment: Int) {
    before.fill(&event, cpu, cpus[cpu], kind: .segment)
    event.vector = segment
    event.value = UInt64(cpus[cpu].selector(segment))
  }

  /// CLAC and STAC: ring 0 only, else #UD. Intel SDM Vol. 2A, "CLAC"; Vol. 2B, "STAC".
  func executeAccessCheck(_ cpu: Int, _ op: UnsafePointer<MicroOp>, allows: Bool) -> Bool {
    let c = cpus[cpu]
    guard c.cpl == 0 else { return fault(Vector.invalidOpcode) }
    c.rflags = allows ? c.rflags | CPU.Flag.ac : c.rflags & ~CPU.Flag.ac
    return finish(cpu, op)
  }
}
