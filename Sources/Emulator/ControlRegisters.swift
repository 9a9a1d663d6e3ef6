/// Control and debug registers and the machine status word. Intel SDM Vol. 3A §2.5, Vol. 2B "MOV—Move
/// to/from Control Registers", "MOV—Move to/from Debug Registers".

extension Machine {
  func executeFromControl(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard let word = controlWord(op.pointee.reg) else { return fault(Vector.invalidOpcode) }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    setRegister(cpu, Int(op.pointee.rm), size: 4, c[word])
    return finish(cpu, op)
  }

  func executeToControl(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard let word = controlWord(op.pointee.reg) else { return fault(Vector.invalidOpcode) }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    let value = c[Int(op.pointee.rm)] & 0xFFFF_FFFF
    switch word {
    case CPU.Word.cr0:
      guard setCR0(cpu, value) else { return false }
    case CPU.Word.cr3:
      // Bits 3 and 4 (PWT, PCD) are kept and mean nothing without caches.
      c[word] = value
      flushTLB(cpu)
    case CPU.Word.cr4:
      guard setCR4(cpu, value) else { return false }
    default:
      c[word] = value
    }
    return finish(cpu, op)
  }

  /// CR1 and CR5–CR7 do not exist: #UD. CR8 exists in 64-bit mode only.
  private func controlWord(_ number: UInt8) -> Int? {
    switch number {
    case 0: CPU.Word.cr0
    case 2: CPU.Word.cr2
    case 3: CPU.Word.cr3
    case 4: CPU.Word.cr4
    default: nil
    }
  }

  private func setCR0(_ cpu: Int, _ requested: UInt64) -> Bool {
    let c = cpus[cpu]
    typealias Bit = ControlBit
    // ET is fixed to one, undefined bits stay zero.
    let known =
      Bit.pe | Bit.mp | Bit.em | Bit.ts | Bit.et | Bit.ne | Bit.wp | Bit.am | Bit.nw | Bit.cd
      | Bit.pg
    let value = requested & known | Bit.et
    // Vol. 3A §2.5: PG without PE, NW without CD.
    if value & Bit.pg != 0 && value & Bit.pe == 0 { return fault(Vector.generalProtection) }
    if value & Bit.nw != 0 && value & Bit.cd == 0 { return fault(Vector.generalProtection) }
    if value & Bit.pe == 0 && !isReal(cpu) {
      return notModelled("the way back to real mode (CR0.PE cleared)")
    }
    let changed = c[CPU.Word.cr0] ^ value
    c[CPU.Word.cr0] = value
    if changed & (Bit.pg | Bit.wp) != 0 { flushTLB(cpu) }
    return true
  }

  private func setCR4(_ cpu: Int, _ value: UInt64) -> Bool {
    let c = cpus[cpu]
    typealias Bit = ControlBit
    // Bits that announce what CPUID does not: rather stop than pretend.
    let modelled = Bit.tsd | Bit.de | Bit.pse | Bit.mce | Bit.pge
    if value & ~modelled != 0 {
      return notModelled("CR4 bits 0x\(hex(value & ~modelled))")
    }
    let changed = c[CPU.Word.cr4] ^ value
    c[CPU.Word.cr4] = value
    if changed & (Bit.pse | Bit.pge) != 0 { flushTLB(cpu) }
    return true
  }

  /// DR4 and DR5 are other names of DR6 and DR7 unless CR4.DE is set. Vol. 3B §17.2.2.
  func executeDebugRegister(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    var number = Int(op.pointee.reg)
    if number == 4 || number == 5 {
      if c[CPU.Word.cr4] & ControlBit.de != 0 { return fault(Vector.invalidOpcode) }
      number += 2
    }
    guard number < 8 else { return fault(Vector.invalidOpcode) }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    if c[CPU.Word.dr0 + 7] & (1 << 13) != 0 { return notModelled("DR7.GD") }
    if op.pointee.form == .fromDebug {
      setRegister(cpu, Int(op.pointee.rm), size: 4, c[CPU.Word.dr0 + number])
      return finish(cpu, op)
    }
    var value = c[Int(op.pointee.rm)] & 0xFFFF_FFFF
    switch number {
    case 6: value = value & 0xE00F | 0xFFFF_0FF0
    case 7:
      if value & 0xFF != 0 { return notModelled("breakpoints in debug registers") }
      value = value & 0xFFFF_23FF | 0x400
    default: break
    }
    c[CPU.Word.dr0 + number] = value
    return finish(cpu, op)
  }

  /// LMSW: the low four bits of CR0; PE can be set by it, not cleared. Vol. 2A.
  func executeLoadMachineStatus(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    guard let value = systemOperand(cpu, op, size: 2) else { return false }
    let old = c[CPU.Word.cr0]
    c[CPU.Word.cr0] = old & ~0xE | value & 0xF
    return finish(cpu, op)
  }

  /// INVLPG takes an address, not an access: no segment check, no fault from it. Vol. 2A.
  func executeInvalidatePage(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    guard op.pointee.isMemory else { return fault(Vector.invalidOpcode) }
    guard cpus[cpu].cpl == 0 else { return fault(Vector.generalProtection) }
    flushTLBPage(cpu, effectiveAddress(cpu, op) & 0xFFFF_FFFF)
    return finish(cpu, op)
  }
}
