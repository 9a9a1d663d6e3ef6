/// Control and debug registers and the machine status word. Intel SDM Vol. 3A §2.5, Vol. 2B "MOV—Move
/// to/from Control Registers", "MOV—Move to/from Debug Registers".

extension Machine {
  func executeFromControl(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard let word = controlWord(c, op.pointee.reg) else { return fault(Vector.invalidOpcode) }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    setRegister(cpu, Int(op.pointee.rm), size: c.is64Bit ? 8 : 4, c[word])
    return finish(cpu, op)
  }

  func executeToControl(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard let word = controlWord(c, op.pointee.reg) else { return fault(Vector.invalidOpcode) }
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    let value = c[Int(op.pointee.rm)] & (c.is64Bit ? ~0 : 0xFFFF_FFFF)
    switch word {
    case CPU.Word.cr0:
      guard setCR0(cpu, value) else { return false }
    case CPU.Word.cr3:
      // Bits 3 and 4 (PWT, PCD) are kept and mean nothing without caches. In IA-32e mode the bits from
      // MAXPHYADDR on are reserved. Vol. 3A §4.5, table 4-12.
      if c.isLongMode && value & ~(Page.frame | 0xFFF) != 0 {
        return fault(Vector.generalProtection)
      }
      guard hasValidPointers(cpu, cr0: c[CPU.Word.cr0], cr3: value, cr4: c[CPU.Word.cr4]) else {
        return false
      }
      c[word] = value
      flushTLB(cpu)
    case CPU.Word.cr4:
      guard setCR4(cpu, value) else { return false }
    case CPU.Word.cr8:
      guard value < 16 else { return fault(Vector.generalProtection) }
      setTaskPriority(cpu, value)
    default:
      c[word] = value
    }
    return finish(cpu, op)
  }

  /// MOV to CR8: the upper half of the local APIC's task priority. Vol. 3A §10.8.6.
  func setTaskPriority(_ cpu: Int, _ priority: UInt64) {
    cpus[cpu][CPU.Word.cr8] = priority
    apic(cpu)[LocalAPIC.Word.taskPriority] = priority << 4
  }

  /// With PAE paging the four page-directory pointers are looked at when CR3 is loaded and when
  /// paging or its kind is turned on: #GP(0) for reserved bits. Vol. 3A §4.4.1.
  private func hasValidPointers(_ cpu: Int, cr0: UInt64, cr3: UInt64, cr4: UInt64) -> Bool {
    let c = cpus[cpu]
    guard cr0 & ControlBit.pg != 0, cr4 & ControlBit.pae != 0,
      c[CPU.Word.efer] & (ControlBit.lma | ControlBit.lme) == 0
    else { return true }
    for index in 0..<4 as Range<UInt64> {
      let at = cr3 & 0xFFFF_FFE0 + index * 8
      guard at < memory.hiddenBase else {
        return notModelled("page table at physical address 0x\(hex(at)), beyond RAM")
      }
      let entry = memory.word(at: at)
      let reserved = Page.beyondPhysical | 0xFFF0_0000_0000_01E6
      if entry & Page.present != 0 && entry & reserved != 0 {
        return fault(Vector.generalProtection)
      }
    }
    return true
  }

  /// CR1 and CR5–CR7 do not exist: #UD. CR8 exists in 64-bit mode only.
  private func controlWord(_ c: CPU, _ number: UInt8) -> Int? {
    switch number {
    case 0: CPU.Word.cr0
    case 2: CPU.Word.cr2
    case 3: CPU.Word.cr3
    case 4: CPU.Word.cr4
    case 8 where c.is64Bit: CPU.Word.cr8
    default: nil
    }
  }

  private func setCR0(_ cpu: Int, _ requested: UInt64) -> Bool {
    let c = cpus[cpu]
    typealias Bit = ControlBit
    if requested >> 32 != 0 { return fault(Vector.generalProtection) }
    // ET is fixed to one, undefined bits stay zero.
    let known =
      Bit.pe | Bit.mp | Bit.em | Bit.ts | Bit.et | Bit.ne | Bit.wp | Bit.am | Bit.nw | Bit.cd
      | Bit.pg
    let value = requested & known | Bit.et
    // Vol. 3A §2.5: PG without PE, NW without CD.
    if value & Bit.pg != 0 && value & Bit.pe == 0 { return fault(Vector.generalProtection) }
    if value & Bit.nw != 0 && value & Bit.cd == 0 { return fault(Vector.generalProtection) }
    // Segments keep their limits and rights on the way back to real mode, until they are loaded and beyond:
    // "unreal" mode. Intel SDM Vol. 3A §9.9.2.
    if value & Bit.pe == 0 && !isReal(cpu) && (c.cpl != 0 || c[CPU.Word.cr0] & Bit.pg != 0) {
      return notModelled("the way back to real mode (CR0.PE cleared) with paging on")
    }
    let changed = c[CPU.Word.cr0] ^ value
    if changed & Bit.pg != 0 {
      guard switchLongMode(cpu, on: value & Bit.pg != 0),
        hasValidPointers(cpu, cr0: value, cr3: c[CPU.Word.cr3], cr4: c[CPU.Word.cr4])
      else { return false }
    }
    c[CPU.Word.cr0] = value
    if changed & (Bit.pg | Bit.wp) != 0 { flushTLB(cpu) }
    return true
  }

  /// Paging with EFER.LME set enters and leaves IA-32e mode. Intel SDM Vol. 3A §9.8.5.
  private func switchLongMode(_ cpu: Int, on: Bool) -> Bool {
    let c = cpus[cpu]
    if c[CPU.Word.efer] & ControlBit.lme == 0 { return true }
    if on {
      // Needs PAE, and neither 64-bit code nor a 16-bit TSS. Vol. 2B, "MOV to/from CR".
      let task = c.attributes(CPU.Segment.tr) & 0xF
      guard c[CPU.Word.cr4] & ControlBit.pae != 0,
        c.attributes(CPU.Segment.cs) & 1 << 13 == 0, task != 1 && task != 3
      else { return fault(Vector.generalProtection) }
      c[CPU.Word.efer] |= ControlBit.lma
    } else {
      if c.is64Bit { return fault(Vector.generalProtection) }
      c[CPU.Word.efer] &= ~ControlBit.lma
    }
    return true
  }

  private func setCR4(_ cpu: Int, _ value: UInt64) -> Bool {
    let c = cpus[cpu]
    typealias Bit = ControlBit
    // Bits that announce what CPUID does not: rather stop than pretend.
    let modelled =
      Bit.tsd | Bit.de | Bit.pse | Bit.pae | Bit.mce | Bit.pge | Bit.osfxsr | Bit.osxmmexcpt
      | Bit.fsgsbase | Bit.smep | Bit.smap
    if value >> 32 != 0 { return fault(Vector.generalProtection) }
    if value & ~modelled != 0 {
      return notModelled("CR4 bits 0x\(hex(value & ~modelled))")
    }
    let changed = c[CPU.Word.cr4] ^ value
    // IA-32e mode cannot do without PAE. Vol. 3A §2.5.
    if c.isLongMode && value & Bit.pae == 0 { return fault(Vector.generalProtection) }
    if changed & Bit.pae != 0 {
      guard
        hasValidPointers(cpu, cr0: c[CPU.Word.cr0], cr3: c[CPU.Word.cr3], cr4: value)
      else { return false }
    }
    c[CPU.Word.cr4] = value
    if changed & (Bit.pse | Bit.pae | Bit.pge | Bit.smep | Bit.smap) != 0 { flushTLB(cpu) }
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
      setRegister(cpu, Int(op.pointee.rm), size: c.is64Bit ? 8 : 4, c[CPU.Word.dr0 + number])
      return finish(cpu, op)
    }
    var value = c[Int(op.pointee.rm)] & (c.is64Bit ? ~0 : 0xFFFF_FFFF)
    // Vol. 3B §17.2.6.
    if number >= 6 && value >> 32 != 0 { return fault(Vector.generalProtection) }
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
    flushTLBPage(cpu, effectiveAddress(cpu, op) & cores[cpu].mask)
    return finish(cpu, op)
  }
}
