import CZydis

/// Real-address mode, as far as boot loaders, and a CPU after its start-up message, need it: segments, jumps, calls
/// and returns. Interrupts and exceptions are in `RealInterrupts.swift`.
/// Intel SDM Vol. 3B chapter 20.

extension Machine {
  @inline(__always) func isReal(_ cpu: Int) -> Bool {
    cpus[cpu][CPU.Word.cr0] & ControlBit.pe == 0
  }

  /// Loads a segment register: the base is sixteen times the selector, limit and rights stay.
  /// §20.1.1; Vol. 3A §3.4.3.
  func setRealSegment(_ cpu: Int, _ segment: Int, _ selector: UInt16) {
    let words = cpus[cpu].words + CPU.Word.segments + segment * 4
    words[0] = UInt64(selector)
    words[1] = UInt64(selector) << 4
  }

  /// JMP and CALL to another segment. Vol. 2A: the offset must be within the limit of CS.
  func transferReal(_ cpu: Int, _ selector: UInt16, _ offset: UInt64, pushing bytes: (Int, UInt64)?)
    -> Bool
  {
    let c = cpus[cpu]
    let before = EntryPoint(c)
    guard offset <= c.limit(CPU.Segment.cs) else { return fault(Vector.generalProtection) }
    if let (size, next) = bytes {
      var stack = currentStack(cpu)
      guard hasRoom(stack, size: size * 2) else { return fault(Vector.stackFault) }
      guard push(cpu, &stack, size: size, UInt64(c.selector(CPU.Segment.cs))),
        push(cpu, &stack, size: size, next)
      else { return false }
      c.rsp = stack.pointer
    }
    setRealSegment(cpu, CPU.Segment.cs, selector)
    c.rip = offset
    before.fill(&event, cpu, c, kind: .segment)
    event.vector = CPU.Segment.cs
    event.value = UInt64(selector)
    return true
  }

  /// RETF.
  func returnReal(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let before = EntryPoint(c)
    let size = Int(op.pointee.operandSize)
    var stack = currentStack(cpu)
    guard let offset = pop(cpu, &stack, size: size), let word = pop(cpu, &stack, size: size)
    else { return false }
    guard offset <= c.limit(CPU.Segment.cs) else { return fault(Vector.generalProtection) }
    stack.move(by: Int(op.pointee.imm & 0xFFFF))
    let selector = UInt16(truncatingIfNeeded: word)
    setRealSegment(cpu, CPU.Segment.cs, selector)
    c.rip = offset
    c.rsp = stack.pointer
    before.fill(&event, cpu, c, kind: .segment)
    event.vector = CPU.Segment.cs
    event.value = UInt64(selector)
    return true
  }

  /// Instructions that exist in protected mode only: #UD. §20.1.3.
  func existsInRealMode(_ mnemonic: ZydisMnemonic) -> Bool {
    switch mnemonic {
    case ZYDIS_MNEMONIC_ARPL, ZYDIS_MNEMONIC_LAR, ZYDIS_MNEMONIC_LLDT, ZYDIS_MNEMONIC_LSL,
      ZYDIS_MNEMONIC_LTR, ZYDIS_MNEMONIC_SLDT, ZYDIS_MNEMONIC_STR, ZYDIS_MNEMONIC_VERR,
      ZYDIS_MNEMONIC_VERW:
      false
    default: true
    }
  }
}
