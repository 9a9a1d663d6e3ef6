import CZydis

// ADD, ADC, SUB, SBB, CMP, AND, OR, XOR, TEST, INC, DEC, NEG, NOT. Intel SDM Vol. 2.
extension Machine {
  func executeArithmetic(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    let m = ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic))
    let writes = m != ZYDIS_MNEMONIC_CMP && m != ZYDIS_MNEMONIC_TEST
    var a: UInt64
    let b: UInt64
    if op.pointee.form == .regRm {
      guard let source = readRM(cpu, op, size) else { return .fault }
      a = register(cpu, op.pointee.reg, size)
      b = source
    } else {
      guard let target = writes ? readRMForWrite(cpu, op, size) : readRM(cpu, op, size) else {
        return .fault
      }
      a = target
      b =
        op.pointee.form == .rmReg
        ? register(cpu, op.pointee.reg, size) : op.pointee.imm & Flags.mask(size)
    }
    let carry = cores[cpu].words[CPU.Word.rflags] & Flags.cf
    let flags: UInt64
    switch m {
    case ZYDIS_MNEMONIC_ADD: (a, flags) = Flags.add(a, b, carry: 0, size)
    case ZYDIS_MNEMONIC_ADC: (a, flags) = Flags.add(a, b, carry: carry, size)
    case ZYDIS_MNEMONIC_SUB, ZYDIS_MNEMONIC_CMP:
      (a, flags) = Flags.subtract(a, b, borrow: 0, size)
    case ZYDIS_MNEMONIC_SBB: (a, flags) = Flags.subtract(a, b, borrow: carry, size)
    case ZYDIS_MNEMONIC_OR:
      a |= b
      flags = Flags.logic(a, size)
    case ZYDIS_MNEMONIC_XOR:
      a ^= b
      flags = Flags.logic(a, size)
    default:  // AND, TEST
      a &= b
      flags = Flags.logic(a, size)
    }
    if writes {
      if op.pointee.form == .regRm {
        setRegister(cpu, op.pointee.reg, size, a)
      } else {
        writeRM(cpu, op, size, a)
      }
    }
    setFlags(cpu, Flags.all, flags)
    return .next
  }

  func executeUnary(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    guard let a = readRMForWrite(cpu, op, size) else { return .fault }
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_INC:  // CF stays
      let (r, flags) = Flags.add(a, 1, carry: 0, size)
      writeRM(cpu, op, size, r)
      setFlags(cpu, Flags.all & ~Flags.cf, flags & ~Flags.cf)
    case ZYDIS_MNEMONIC_DEC:
      let (r, flags) = Flags.subtract(a, 1, borrow: 0, size)
      writeRM(cpu, op, size, r)
      setFlags(cpu, Flags.all & ~Flags.cf, flags & ~Flags.cf)
    case ZYDIS_MNEMONIC_NEG:
      let (r, flags) = Flags.subtract(0, a, borrow: 0, size)
      writeRM(cpu, op, size, r)
      setFlags(cpu, Flags.all, flags)
    default:  // NOT: no flags
      writeRM(cpu, op, size, ~a & Flags.mask(size))
    }
    return .next
  }
}
