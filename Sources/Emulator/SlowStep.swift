import CZydis

/// How the loop goes on after a step that it did not make itself.
enum Step {
  case next
  /// At `rip` of the block.
  case jumped
  /// By way of an instruction boundary that looks at interrupts.
  case boundary
  case stop(Stop)
}

extension Machine {
  /// Executes an instruction through its family or the system half, or deals with the fault of
  /// one. The CPU block is complete before and after; `rip` is moved unless `.next` is returned.
  @inline(never) func slowStep(
    _ cpu: Int, _ op: UnsafeMutablePointer<MicroOp>, _ budget: inout Int, _ slice: inout Slice
  ) -> Step {
    let op = UnsafePointer(op)
    let words = cores[cpu].words
    var outcome = Outcome.fault
    if faultVector < 0 {
      if op.pointee.code == .breakpoint { return .stop(.visible) }
      if op.pointee.code == .system { return systemStep(cpu, op, &budget, &slice) }
      let oldSP = words[CPU.Register.sp]
      if op.pointee.code == .string {
        let (result, done) = executeString(cpu, op, limit: budget)
        budget -= done
        outcome = result
      } else {
        outcome = executeFamily(cpu, op)
        if outcome != .fault { budget -= 1 }
      }
      if outcome != .fault {
        if !memory.observed { return outcome == .next ? .next : .jumped }
        if op.pointee.klass & InstructionClass.stackLoad == 0
          && !Machine.isFar(words[CPU.Register.sp], oldSP)
        {
          noteStackPointer(cpu)
          return outcome == .next ? .next : .jumped
        }
        noteStackEvent(cpu, oldSP: oldSP)
        if op.pointee.klass & InstructionClass.stackLoad == 0 { event.value = 1 }
        if outcome == .next { words[CPU.Word.rip] &+= op.pointee.next }
        return .stop(.event)
      }
    }
    if faultVector == Machine.canonicalFault {
      raise(
        Int(op.pointee.segment) == CPU.Segment.ss ? Vector.stackFault : Vector.generalProtection)
    }
    return faultStep(cpu, &budget)
  }

  /// An exception counts as an instruction, so that a run ends even when none can be executed.
  private func faultStep(_ cpu: Int, _ budget: inout Int) -> Step {
    if faultVector == Machine.deviceFault {
      // Not executed: the next slice is this instruction alone.
      faultVector = -1
      cores[cpu].deviceNext = true
      cores[cpu].deviceInstruction = linear(cpu, CPU.Segment.cs, cores[cpu].words[CPU.Word.rip])
      return .boundary
    }
    let stopped = faultVector >= Machine.visibleFault
    if let stop = takeFault(cpu) {
      if !stopped && stop != .visible { budget -= 1 }
      return .stop(stop)
    }
    budget -= 1
    return .boundary
  }

  private func systemStep(
    _ cpu: Int, _ op: Op, _ budget: inout Int, _ slice: inout Slice
  ) -> Step {
    let words = cores[cpu].words
    event.kind = .none
    let shadow = words[CPU.Word.shadow]
    if slice.shadowed { words[CPU.Word.shadow] = 0 }
    executedInSlice = UInt64(slice.length - budget)
    let succeeded = executeSystem(cpu, op)
    executedInSlice = 0
    if !succeeded {
      words[CPU.Word.shadow] = shadow
      return faultStep(cpu, &budget)
    }
    budget -= 1
    // Of several instructions in a row that hold interrupts off only the first is sure to do so
    // (Intel SDM Vol. 2B, "MOV"): here the others do not.
    if slice.shadowed { words[CPU.Word.shadow] = 0 }
    if event.kind == .output && Machine.isExitPort(event.vector) { return .stop(.exit) }
    if isTextReached {
      isTextReached = false
      return .stop(.event)
    }
    if memory.observed {
      if words[CPU.Word.activity] == CPU.Activity.shutdown { return .stop(.shutdown) }
      if event.kind != .none { return .stop(.event) }
      noteStackPointer(cpu)
      return .boundary
    }
    return needsBoundary(cpu, op) ? .boundary : .jumped
  }

  /// Whether something that is looked at only between slices may be due after a system instruction
  /// of a plain run. Not after those that entries and locks of kernels consist of: instructions that
  /// only read the flags, turn interrupts off, or save and load data segments other than SS.
  private func needsBoundary(_ cpu: Int, _ op: Op) -> Bool {
    let core = cores + cpu
    if !memory.watchedWrites.isEmpty { return true }
    switch ZydisMnemonic(UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_CLI, ZYDIS_MNEMONIC_PUSHF, ZYDIS_MNEMONIC_PUSHFD, ZYDIS_MNEMONIC_PUSHFQ,
      ZYDIS_MNEMONIC_SWAPGS, ZYDIS_MNEMONIC_CLAC, ZYDIS_MNEMONIC_STAC:
      return false
    case ZYDIS_MNEMONIC_POPF, ZYDIS_MNEMONIC_POPFD, ZYDIS_MNEMONIC_POPFQ:
      return core.pointee.words[CPU.Word.rflags] & (CPU.Flag.if | CPU.Flag.tf) != 0
    case ZYDIS_MNEMONIC_MOV, ZYDIS_MNEMONIC_PUSH, ZYDIS_MNEMONIC_POP:
      if op.pointee.form == .fromSegment { return false }
      guard op.pointee.form == .toSegment, op.pointee.reg != CPU.Segment.ss else { return true }
      if op.pointee.reg >= CPU.Segment.fs { return false }
      let mode = core.pointee.mode
      selectMode(cpu)
      return core.pointee.mode != mode
    default: return true
    }
  }

  /// Whether the stack pointer moved so far that it may be on another stack now. (LEAVE and MOV SP,BP
  /// come back from an interrupt stack as well as from a function.)
  @inline(__always) static func isFar(_ a: UInt64, _ b: UInt64) -> Bool {
    let distance = Int64(bitPattern: a &- b).magnitude
    return distance >= 512 && distance < 1 << 31
  }

  /// The instruction loaded the stack pointer. `rip` is still its own.
  private func noteStackEvent(_ cpu: Int, oldSP: UInt64) {
    let words = cores[cpu].words
    event = Event()
    event.kind = .stack
    event.cpu = cpu
    event.rip = linear(cpu, CPU.Segment.cs, words[CPU.Word.rip])
    event.oldSP = oldSP
    event.newSP = words[CPU.Register.sp]
    event.oldCPL = cpus[cpu].cpl
    event.newCPL = event.oldCPL
    event.oldFlags = words[CPU.Word.rflags]
  }

  private func executeFamily(_ cpu: Int, _ op: Op) -> Outcome {
    switch op.pointee.code {
    case .move: return executeMove(cpu, op)
    case .extend: return executeExtend(cpu, op)
    case .exchange: return executeExchange(cpu, op)
    case .flagBit: return executeFlagBit(cpu, op)
    case .address: return executeAddress(cpu, op)
    case .accumulate: return executeAccumulate(cpu, op)
    case .arithmetic: return executeArithmetic(cpu, op)
    case .unary: return executeUnary(cpu, op)
    case .shift: return executeShift(cpu, op)
    case .doubleShift: return executeDoubleShift(cpu, op)
    case .multiply: return executeMultiply(cpu, op)
    case .divide: return executeDivide(cpu, op)
    case .bitTest: return executeBitTest(cpu, op)
    case .bitScan: return executeBitScan(cpu, op)
    case .byteSwap: return executeByteSwap(cpu, op)
    case .decimal: return executeDecimal(cpu, op)
    case .conditional: return executeConditional(cpu, op)
    case .stack, .leave, .leaveQ: return executeStack(cpu, op)
    case .branch: return executeBranch(cpu, op)
    case .atomic: return executeAtomic(cpu, op)
    case .undefined: raise(6)
    case .tooLong: raise(13)
    case .vector: return executeVector(cpu, op)
    default: return failUnmodelled(cpu)
    }
    return .fault
  }

  func failUnmodelled(_ cpu: Int) -> Outcome {
    let rip = cores[cpu].words[CPU.Word.rip]
    let at = linear(cpu, CPU.Segment.cs, rip)
    unmodelled = "\(disassemble(cpu: cpu, at: rip).text) at 0x\(String(at, radix: 16))"
    faultVector = Machine.unmodelledFault
    return .fault
  }

  /// Whether an instruction with one of the classes in `mask` really stops an observed run: hooks
  /// are noted by the offset in their page, as code is cached by physical address.
  @inline(never) func stops(
    _ cpu: Int, _ op: UnsafeMutablePointer<MicroOp>, _ mask: UInt16, _ rip: UInt64
  ) -> Bool {
    let classes = op.pointee.klass & mask
    if classes & ~InstructionClass.hook != 0 { return true }
    return hooks.contains(linear(cpu, CPU.Segment.cs, rip))
  }
}
