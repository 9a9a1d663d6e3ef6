import CZydis

/// Everything that is not plain computation: dispatch, operands, and the instructions too small for
/// a family of their own.

extension Machine {
  /// Executes one system instruction.
  ///
  /// The CPU's block is complete, `rip` the instruction's own address. On success `rip` has moved on
  /// and `event` is filled when control, stack, IF or a port was concerned (`event.kind` is `.none`
  /// otherwise). On a fault no word of the block has changed, except by the two things that the
  /// manual has happen before one: CR2 of a page fault, NMIs unblocked by IRET; and except when a
  /// task switch got beyond its commit point.
  func executeSystem(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    faultVector = -1
    event.kind = .none
    let c = cpus[cpu]
    let mnemonic = ZydisMnemonic(UInt32(op.pointee.mnemonic))
    if isReal(cpu) && !existsInRealMode(mnemonic) { return fault(Vector.invalidOpcode) }
    switch mnemonic {
    case ZYDIS_MNEMONIC_CLI: return executeSetInterruptFlag(cpu, op, to: false)
    case ZYDIS_MNEMONIC_STI: return executeSetInterruptFlag(cpu, op, to: true)
    case ZYDIS_MNEMONIC_PUSHF, ZYDIS_MNEMONIC_PUSHFD, ZYDIS_MNEMONIC_PUSHFQ:
      return executePushFlags(cpu, op)
    case ZYDIS_MNEMONIC_POPF, ZYDIS_MNEMONIC_POPFD, ZYDIS_MNEMONIC_POPFQ:
      return executePopFlags(cpu, op)
    case ZYDIS_MNEMONIC_IN, ZYDIS_MNEMONIC_OUT: return executePort(cpu, op)
    case ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSD:
      return executePortString(cpu, op, input: true)
    case ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW, ZYDIS_MNEMONIC_OUTSD:
      return executePortString(cpu, op, input: false)
    case ZYDIS_MNEMONIC_IRET, ZYDIS_MNEMONIC_IRETD, ZYDIS_MNEMONIC_IRETQ:
      return executeInterruptReturn(cpu, op)
    case ZYDIS_MNEMONIC_SYSCALL: return executeSystemCall(cpu, op)
    case ZYDIS_MNEMONIC_SYSRET: return executeSystemReturn(cpu, op)
    case ZYDIS_MNEMONIC_SYSENTER: return executeSystemEnter(cpu, op)
    case ZYDIS_MNEMONIC_SYSEXIT: return executeSystemExit(cpu, op)
    case ZYDIS_MNEMONIC_SWAPGS: return executeSwapGS(cpu, op)
    case ZYDIS_MNEMONIC_RDFSBASE, ZYDIS_MNEMONIC_RDGSBASE, ZYDIS_MNEMONIC_WRFSBASE,
      ZYDIS_MNEMONIC_WRGSBASE:
      return executeSegmentBase(cpu, op, mnemonic)
    case ZYDIS_MNEMONIC_CLAC: return executeAccessCheck(cpu, op, allows: false)
    case ZYDIS_MNEMONIC_STAC: return executeAccessCheck(cpu, op, allows: true)
    case ZYDIS_MNEMONIC_INT:
      return executeInterrupt(cpu, op, vector: Int(op.pointee.imm & 0xFF), kind: .software)
    case ZYDIS_MNEMONIC_INT3:
      return executeInterrupt(cpu, op, vector: Vector.breakpoint, kind: .int3)
    case ZYDIS_MNEMONIC_INTO:
      if c.rflags & CPU.Flag.of == 0 { return finish(cpu, op) }
      return executeInterrupt(cpu, op, vector: Vector.overflow, kind: .int3)
    case ZYDIS_MNEMONIC_HLT: return executeHalt(cpu, op)
    case ZYDIS_MNEMONIC_JMP: return executeFarJump(cpu, op)
    case ZYDIS_MNEMONIC_CALL: return executeFarCall(cpu, op)
    case ZYDIS_MNEMONIC_RET: return executeFarReturn(cpu, op)
    case ZYDIS_MNEMONIC_MOV:
      switch op.pointee.form {
      case .toSegment: return executeLoadSegment(cpu, op, pops: false)
      case .fromSegment: return executeStoreSegment(cpu, op, pushes: false)
      case .toControl: return executeToControl(cpu, op)
      case .fromControl: return executeFromControl(cpu, op)
      case .toDebug, .fromDebug: return executeDebugRegister(cpu, op)
      default: return unknownInstruction(mnemonic)
      }
    case ZYDIS_MNEMONIC_POP where op.pointee.form == .toSegment:
      return executeLoadSegment(cpu, op, pops: true)
    case ZYDIS_MNEMONIC_PUSH where op.pointee.form == .fromSegment:
      return executeStoreSegment(cpu, op, pushes: true)
    case ZYDIS_MNEMONIC_LDS, ZYDIS_MNEMONIC_LES, ZYDIS_MNEMONIC_LSS, ZYDIS_MNEMONIC_LFS,
      ZYDIS_MNEMONIC_LGS:
      return executeLoadFarPointer(cpu, op)
    case ZYDIS_MNEMONIC_LGDT, ZYDIS_MNEMONIC_LIDT:
      return executeLoadTable(cpu, op, idt: mnemonic == ZYDIS_MNEMONIC_LIDT)
    case ZYDIS_MNEMONIC_SGDT, ZYDIS_MNEMONIC_SIDT:
      return executeStoreTable(cpu, op, idt: mnemonic == ZYDIS_MNEMONIC_SIDT)
    case ZYDIS_MNEMONIC_LLDT: return executeLoadLDT(cpu, op)
    case ZYDIS_MNEMONIC_LTR: return executeLoadTR(cpu, op)
    case ZYDIS_MNEMONIC_SLDT, ZYDIS_MNEMONIC_STR:
      let segment = mnemonic == ZYDIS_MNEMONIC_STR ? CPU.Segment.tr : CPU.Segment.ldtr
      guard
        storeSystemOperand(
          cpu, op, size: 2, registerSize: nil, UInt64(c.selector(segment)))
      else { return false }
      return finish(cpu, op)
    case ZYDIS_MNEMONIC_LMSW: return executeLoadMachineStatus(cpu, op)
    case ZYDIS_MNEMONIC_SMSW:
      guard storeSystemOperand(cpu, op, size: 2, registerSize: nil, c[CPU.Word.cr0]) else {
        return false
      }
      return finish(cpu, op)
    case ZYDIS_MNEMONIC_CLTS:
      guard c.cpl == 0 else { return fault(Vector.generalProtection) }
      c[CPU.Word.cr0] &= ~ControlBit.ts
      return finish(cpu, op)
    case ZYDIS_MNEMONIC_INVLPG: return executeInvalidatePage(cpu, op)
    case ZYDIS_MNEMONIC_WBINVD, ZYDIS_MNEMONIC_INVD:
      // No caches are modelled. Vol. 2: privileged.
      return c.cpl == 0 ? finish(cpu, op) : fault(Vector.generalProtection)
    case ZYDIS_MNEMONIC_RDMSR: return executeReadMSR(cpu, op)
    case ZYDIS_MNEMONIC_WRMSR: return executeWriteMSR(cpu, op)
    case ZYDIS_MNEMONIC_RDTSC, ZYDIS_MNEMONIC_RDTSCP: return executeReadTimeStamp(cpu, op)
    case ZYDIS_MNEMONIC_CPUID: return executeIdentify(cpu, op)
    case ZYDIS_MNEMONIC_LAR: return executeLoadAccess(cpu, op, limit: false)
    case ZYDIS_MNEMONIC_LSL: return executeLoadAccess(cpu, op, limit: true)
    case ZYDIS_MNEMONIC_VERR: return executeVerify(cpu, op, write: false)
    case ZYDIS_MNEMONIC_VERW: return executeVerify(cpu, op, write: true)
    case ZYDIS_MNEMONIC_ARPL: return executeAdjustRPL(cpu, op)
    case ZYDIS_MNEMONIC_BOUND: return executeBound(cpu, op)
    case ZYDIS_MNEMONIC_UD0, ZYDIS_MNEMONIC_UD1, ZYDIS_MNEMONIC_UD2:
      return fault(Vector.invalidOpcode)
    default: return unknownInstruction(mnemonic)
    }
  }

  private func unknownInstruction(_ mnemonic: ZydisMnemonic) -> Bool {
    let name = ZydisMnemonicGetString(mnemonic).map { String(cString: $0) } ?? "?"
    return notModelled("instruction \(name)")
  }

  // MARK: Operands

  /// Moves on to the next instruction. Always true.
  @inline(__always) @discardableResult
  func finish(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    cpus[cpu].rip = (cpus[cpu].rip &+ op.pointee.next) & cores[cpu].mask
    return true
  }

  /// Sets or clears ZF, then moves on.
  func finish(_ cpu: Int, _ op: UnsafePointer<MicroOp>, zero: Bool) -> Bool {
    let c = cpus[cpu]
    c.rflags = zero ? c.rflags | CPU.Flag.zf : c.rflags & ~CPU.Flag.zf
    return finish(cpu, op)
  }

  /// The linear address of the memory operand, checked against its segment. nil after a fault.
  func systemAddress(
    _ cpu: Int, _ op: UnsafePointer<MicroOp>, size: Int, write: Bool
  ) -> UInt64? {
    checkedAddress(
      cpu, Int(op.pointee.segment), effectiveOffset(cpu, op), size: size, write: write)
  }

  /// Reads with the rights of the current privilege level. nil after a fault.
  func readOperand(_ cpu: Int, _ linear: UInt64, size: Int) -> UInt64? {
    faultVector = -1
    let value = readLinear(cpu, linear & cores[cpu].mask, size: size, asSupervisor: false)
    return faultVector < 0 ? value : nil
  }

  func writeOperand(_ cpu: Int, _ linear: UInt64, size: Int, _ value: UInt64) -> Bool {
    faultVector = -1
    writeLinear(cpu, linear & cores[cpu].mask, size: size, value, asSupervisor: false)
    return faultVector < 0
  }

  /// The r/m operand's low `size` bytes. nil after a fault.
  func systemOperand(_ cpu: Int, _ op: UnsafePointer<MicroOp>, size: Int) -> UInt64? {
    if !op.pointee.isMemory {
      return cpus[cpu][Int(op.pointee.rm)] & Flags.mask(size)
    }
    guard let linear = systemAddress(cpu, op, size: size, write: false) else { return nil }
    return readOperand(cpu, linear, size: size)
  }

  /// Writes the r/m operand: `size` bytes of memory, or `registerSize` bytes (the operand size when
  /// nil) of a register.
  func storeSystemOperand(
    _ cpu: Int, _ op: UnsafePointer<MicroOp>, size: Int, registerSize: Int?, _ value: UInt64
  ) -> Bool {
    if !op.pointee.isMemory {
      setRegister(
        cpu, Int(op.pointee.rm), size: registerSize ?? Int(op.pointee.operandSize), value)
      return true
    }
    guard let linear = systemAddress(cpu, op, size: size, write: true) else { return false }
    return writeOperand(cpu, linear, size: size, value)
  }

  func setRegister(_ cpu: Int, _ register: Int, size: Int, _ value: UInt64) {
    let c = cpus[cpu]
    switch size {
    case 1: c[register] = c[register] & ~0xFF | value & 0xFF
    case 2: c[register] = c[register] & ~0xFFFF | value & 0xFFFF
    case 4: c[register] = value & 0xFFFF_FFFF
    default: c[register] = value
    }
  }

  // MARK: Small instructions

  /// INT n, INT3, INTO: traps, which return to the next instruction. Intel SDM Vol. 2A, "INT n".
  private func executeInterrupt(
    _ cpu: Int, _ op: UnsafePointer<MicroOp>, vector: Int, kind: DeliveryKind
  ) -> Bool {
    let next = (cpus[cpu].rip &+ op.pointee.next) & cores[cpu].mask
    return enter(cpu, vector: vector, kind: kind, errorCode: nil, returnAddress: next)
  }

  /// HLT. Vol. 2A: privileged; an interrupt, NMI or reset wakes it.
  private func executeHalt(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    guard c.cpl == 0 else { return fault(Vector.generalProtection) }
    c[CPU.Word.activity] = CPU.Activity.halted
    return finish(cpu, op)
  }

  /// BOUND: #BR when a signed index lies outside the pair of bounds in memory. Vol. 2A.
  private func executeBound(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    guard op.pointee.isMemory else { return fault(Vector.invalidOpcode) }
    let size = Int(op.pointee.operandSize)
    guard let linear = systemAddress(cpu, op, size: size * 2, write: false),
      let low = readOperand(cpu, linear, size: size),
      let high = readOperand(cpu, linear &+ UInt64(size), size: size)
    else { return false }
    func signed(_ value: UInt64) -> Int64 {
      size == 2
        ? Int64(Int16(truncatingIfNeeded: value)) : Int64(Int32(truncatingIfNeeded: value))
    }
    let index = signed(cpus[cpu][Int(op.pointee.reg)])
    guard index >= signed(low) && index <= signed(high) else { return fault(Vector.boundRange) }
    return finish(cpu, op)
  }
}
