import CZydis

/// CPUID, model-specific registers and the time-stamp counter. Intel SDM Vol. 2A "CPUID"; Vol. 3A
/// §17.17 (time-stamp counter); Vol. 4.

extension Machine {
  /// What CPUID announces is what is modelled, nothing else.
  ///
  /// SSE and SSE2 are announced, as every x86-64 processor has them: their registers, moves and logic
  /// are modelled, their arithmetic stops a run by name.
  func executeIdentify(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    var a: UInt64 = 0
    var b: UInt64 = 0
    var x: UInt64 = 0
    var d: UInt64 = 0
    switch c[CPU.Register.ax] & 0xFFFF_FFFF {
    case 0:
      // Highest leaf, and "LockLabModel" in EBX, EDX, ECX.
      (a, b, d, x) = (7, 0x6B63_6F4C, 0x4D62_614C, 0x6C65_646F)
    case 2...6: break
    case 7:
      // Sub-leaf 0: FSGSBASE, SMEP, SMAP.
      if c[CPU.Register.cx] & 0xFFFF_FFFF == 0 { b = 1 << 0 | 1 << 7 | 1 << 20 }
    case 0x8000_0000:
      a = 0x8000_0008
    case 0x8000_0001:
      // LAHF in 64-bit mode; execute-disable, 1 GiB pages, RDTSCP, Intel 64. SYSCALL in 64-bit mode.
      x = 1 << 0
      d = 1 << 20 | 1 << 26 | 1 << 27 | 1 << 29 | (c.is64Bit ? 1 << 11 : 0)
    case 0x8000_0002...0x8000_0007: break
    case 0x8000_0008:
      a = Page.physicalBits | 48 << 8
    default:
      // Leaf 1, and, as the manual has it, any leaf beyond the highest one.
      a = 0x0000_0600  // family 6, model 0, stepping 0
      b = UInt64(cpu) << 24
      // PSE, TSC, MSR, PAE, MCE, CX8, APIC, SEP, PGE, MCA, CMOV, FXSR, SSE, SSE2; CMPXCHG16B. No
      // x2APIC.
      d =
        1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 11 | 1 << 13 | 1 << 14
        | 1 << 15 | 1 << 24 | 1 << 25 | 1 << 26
      // The flag of APIC says whether it is on. Intel SDM Vol. 3A §10.4.3.
      if !apic(cpu).isEnabled { d &= ~(1 << 9) }
      x = 1 << 13
    }
    c[CPU.Register.ax] = a
    c[CPU.Register.bx] = b
    c[CPU.Register.cx] = x
    c[CPU.Register.dx] = d
    return finish(cpu, op)
  }

  private func msrWord(_ number: UInt64) -> Int? {
    switch number {
    case 0x174: CPU.Word.sysenterCS
    case 0x175: CPU.Word.sysenterESP
    case 0x176: CPU.Word.sysenterEIP
    case 0x277: CPU.Word.pat
    case 0xC000_0080: CPU.Word.efer
    case 0xC000_0081: CPU.Word.star
    case 0xC000_0082: CPU.Word.lstar
    case 0xC000_0083: CPU.Word.cstar
    case 0xC000_0084: CPU.Word.fmask
    case 0xC000_0100: CPU.Word.segments + CPU.Segment.fs * 4 + 1
    case 0xC000_0101: CPU.Word.segments + CPU.Segment.gs * 4 + 1
    case 0xC000_0102: CPU.Word.kernelGSBase
    case 0xC000_0103: CPU.Word.tscAux
    default: nil
    }
  }

  func executeReadMSR(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    let number = c[CPU.Register.cx] & 0xFFFF_FFFF
    let value: UInt64
    if number == 0x10 {
      value = timeStamp()
    } else if let word = msrWord(number) {
      value = c[word]
    } else if let known = readInterruptRegister(cpu, number) {
      value = known
    } else {
      return notModelled("RDMSR of 0x\(hex(number))")
    }
    c[CPU.Register.ax] = value & 0xFFFF_FFFF
    c[CPU.Register.dx] = value >> 32
    return finish(cpu, op)
  }

  func executeWriteMSR(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    let number = c[CPU.Register.cx] & 0xFFFF_FFFF
    if let done = writeInterruptRegister(
      cpu, number, c[CPU.Register.ax] & 0xFFFF_FFFF | c[CPU.Register.dx] << 32)
    {
      return done && finish(cpu, op)
    }
    guard let word = msrWord(number) else {
      return notModelled("WRMSR of 0x\(hex(number))")
    }
    let value = c[CPU.Register.ax] & 0xFFFF_FFFF | c[CPU.Register.dx] << 32
    switch number {
    case 0xC000_0080: return setExtendedFeatures(cpu, value) && finish(cpu, op)
    case 0x175, 0x176, 0xC000_0082, 0xC000_0083, 0xC000_0100...0xC000_0102:
      // Addresses must be canonical. Vol. 2B, "WRMSR".
      guard Machine.isCanonical(value) else { return fault(Vector.generalProtection) }
    case 0xC000_0084, 0xC000_0103:
      guard value >> 32 == 0 else { return fault(Vector.generalProtection) }
    default: break
    }
    c[word] = value
    return finish(cpu, op)
  }

  /// EFER: LMA is the processor's own, LME stays as it is while paging is on. Vol. 3A §2.2.1, §9.8.5.
  private func setExtendedFeatures(_ cpu: Int, _ value: UInt64) -> Bool {
    let c = cpus[cpu]
    typealias Bit = ControlBit
    let known = Bit.sce | Bit.lme | Bit.lma | Bit.nxe
    let old = c[CPU.Word.efer]
    guard value & ~known == 0,
      (value ^ old) & Bit.lme == 0 || c[CPU.Word.cr0] & Bit.pg == 0
    else { return fault(Vector.generalProtection) }
    c[CPU.Word.efer] = value & ~Bit.lma | old & Bit.lma
    flushTLB(cpu)
    return true
  }

  /// RDTSC and RDTSCP: with CR4.TSD for CPL 0 only.
  func executeReadTimeStamp(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    if c.cpl != 0 && c[CPU.Word.cr4] & ControlBit.tsd != 0 {
      return fault(Vector.generalProtection)
    }
    let value = timeStamp()
    c[CPU.Register.ax] = value & 0xFFFF_FFFF
    c[CPU.Register.dx] = value >> 32
    if op.pointee.mnemonic == UInt16(ZYDIS_MNEMONIC_RDTSCP.rawValue) {
      c[CPU.Register.cx] = c[CPU.Word.tscAux]
    }
    return finish(cpu, op)
  }

  /// An observed run reads a clock, which stands still there.
  func noteClockRead() {
    if memory.observed { observation.clockReads += 1 }
  }

  /// From outside when a source is set; from a word of device state while memory is observed, so
  /// that it is part of the state; else one tick per instruction.
  private func timeStamp() -> UInt64 {
    noteClockRead()
    if let timeStampCounter { return timeStampCounter() }
    return clock
  }
}
