import CZydis

// JMP, Jcc, CALL, RET, LOOP, JECXZ: near ones. Intel SDM Vol. 2; Vol. 1 §6.4.
extension Machine {
  /// Cuts a target to the operand size and checks it against CS: #GP(0) beyond the limit, or not
  /// canonical in 64-bit mode.
  @inline(__always) private func target(_ cpu: Int, _ value: UInt64, _ size: Int) -> UInt64? {
    let target = value & Flags.mask(size)
    let outside: Bool
    if cores[cpu].mode == DecodeMode.long64 {
      outside = Int64(bitPattern: target << 16) >> 16 != Int64(bitPattern: target)
    } else {
      outside = target > cpus[cpu].limit(CPU.Segment.cs)
    }
    if outside {
      raise(13)
      return nil
    }
    return target
  }

  func executeBranch(_ cpu: Int, _ op: Op) -> Outcome {
    let words = cores[cpu].words
    let long = cores[cpu].mode == DecodeMode.long64
    let size = long ? 8 : Int(op.pointee.operandSize)
    let next = words[CPU.Word.rip] &+ op.pointee.next
    let sp = words[CPU.Register.sp]
    let taken: Bool
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_JMP:
      guard let to = destination(cpu, op, next, size) else { return .fault }
      words[CPU.Word.rip] = to
      return .jumped
    case ZYDIS_MNEMONIC_CALL:
      guard let to = destination(cpu, op, next, size),
        let new = pushValue(cpu, below: sp, size, next)
      else { return .fault }
      setStackPointer(cpu, new)
      words[CPU.Word.rip] = to
      return .jumped
    case ZYDIS_MNEMONIC_RET:
      guard let value = stackValue(cpu, at: sp, size), let to = target(cpu, value, size) else {
        return .fault
      }
      let released = op.pointee.form == .imm ? op.pointee.imm & 0xFFFF : 0
      setStackPointer(cpu, sp &+ UInt64(size) &+ released)
      words[CPU.Word.rip] = to
      return .jumped
    case ZYDIS_MNEMONIC_LOOP, ZYDIS_MNEMONIC_LOOPE, ZYDIS_MNEMONIC_LOOPNE:
      let width = Int(op.pointee.addressSize)
      let count = (register(cpu, UInt8(CPU.Register.cx), width) &- 1) & Flags.mask(width)
      let zero = words[CPU.Word.rflags] & Flags.zf != 0
      let m = ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic))
      taken =
        count != 0
        && (m == ZYDIS_MNEMONIC_LOOP || zero == (m == ZYDIS_MNEMONIC_LOOPE))
      if taken {
        guard let to = target(cpu, next &+ op.pointee.imm, size) else { return .fault }
        words[CPU.Word.rip] = to
      }
      setRegister(cpu, UInt8(CPU.Register.cx), width, count)
      return taken ? .jumped : .next
    case ZYDIS_MNEMONIC_JCXZ: taken = words[CPU.Register.cx] & 0xFFFF == 0
    case ZYDIS_MNEMONIC_JECXZ: taken = words[CPU.Register.cx] & 0xFFFF_FFFF == 0
    case ZYDIS_MNEMONIC_JRCXZ: taken = words[CPU.Register.cx] == 0
    default: taken = Flags.holds(op.pointee.extra, words[CPU.Word.rflags])
    }
    if !taken { return .next }
    guard let to = target(cpu, next &+ op.pointee.imm, size) else { return .fault }
    words[CPU.Word.rip] = to
    return .jumped
  }

  private func destination(_ cpu: Int, _ op: Op, _ next: UInt64, _ size: Int) -> UInt64? {
    if op.pointee.form == .imm { return target(cpu, next &+ op.pointee.imm, size) }
    guard let value = readRM(cpu, op, size) else { return nil }
    return target(cpu, value, size)
  }
}
