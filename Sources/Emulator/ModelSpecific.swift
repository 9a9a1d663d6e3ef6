/// CPUID, model-specific registers and the time-stamp counter. Intel SDM Vol. 2A "CPUID"; Vol. 3A
/// §17.17 (time-stamp counter); Vol. 4.

extension Machine {
  /// What CPUID announces is what is modelled, nothing else: PSE, TSC, MSR, MCE, CX8, APIC, PGE, MCA,
  /// CMOV; no x2APIC.
  func executeIdentify(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    var a: UInt64 = 0
    var b: UInt64 = 0
    var x: UInt64 = 0
    var d: UInt64 = 0
    switch c[CPU.Register.ax] & 0xFFFF_FFFF {
    case 0:
      // Highest leaf, and "LockLabModel" in EBX, EDX, ECX.
      (a, b, d, x) = (1, 0x6B63_6F4C, 0x4D62_614C, 0x6C65_646F)
    case 0x8000_0000:
      a = 0x8000_0001
    case 0x8000_0001:
      break
    default:
      // Leaf 1, and, as the manual has it, any leaf beyond the highest one.
      a = 0x0000_0600  // family 6, model 0, stepping 0
      b = UInt64(cpu) << 24
      d = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 13 | 1 << 14 | 1 << 15
      // The flag of APIC says whether it is on. Intel SDM Vol. 3A §10.4.3.
      if !apic(cpu).isEnabled { d &= ~(1 << 9) }
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
    c[word] = c[CPU.Register.ax] & 0xFFFF_FFFF | c[CPU.Register.dx] << 32
    return finish(cpu, op)
  }

  /// RDTSC: with CR4.TSD for CPL 0 only.
  func executeReadTimeStamp(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    if c.cpl != 0 && c[CPU.Word.cr4] & ControlBit.tsd != 0 {
      return fault(Vector.generalProtection)
    }
    let value = timeStamp()
    c[CPU.Register.ax] = value & 0xFFFF_FFFF
    c[CPU.Register.dx] = value >> 32
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
