import CZydis

// MOV, MOVZX, MOVSX, XCHG, LEA, CBW and kin, XLAT, LAHF, SAHF, flag bits. Intel SDM Vol. 2 under
// each name; none of them touches a flag unless that is its purpose.
extension Machine {
  func executeMove(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    switch op.pointee.form {
    case .regRm:
      guard let value = readRM(cpu, op, size) else { return .fault }
      setRegister(cpu, op.pointee.reg, size, value)
    case .rmReg:
      if !storeRM(cpu, op, size, register(cpu, op.pointee.reg, size)) { return .fault }
    default:
      if !storeRM(cpu, op, size, op.pointee.imm) { return .fault }
    }
    return .next
  }

  func executeExtend(_ cpu: Int, _ op: Op) -> Outcome {
    let from = Int(op.pointee.extra)
    guard let value = readRM(cpu, op, from) else { return .fault }
    let signed = op.pointee.mnemonic != UInt16(ZYDIS_MNEMONIC_MOVZX.rawValue)
    setRegister(
      cpu, op.pointee.reg, Int(op.pointee.operandSize),
      signed ? Machine.signExtend(value, from) : value)
    return .next
  }

  @inline(__always) static func signExtend(_ value: UInt64, _ size: Int) -> UInt64 {
    let shift = UInt64(64 &- size &* 8)
    return UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift))
  }

  /// XCHG with memory is locked without a prefix. Intel SDM Vol. 3A §9.1.2.1.
  func executeExchange(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    guard let value = readRMForWrite(cpu, op, size) else { return .fault }
    writeRM(cpu, op, size, register(cpu, op.pointee.reg, size))
    setRegister(cpu, op.pointee.reg, size, value)
    return .next
  }

  func executeAddress(_ cpu: Int, _ op: Op) -> Outcome {
    setRegister(
      cpu, op.pointee.reg, Int(op.pointee.operandSize), effectiveOffset(cpu, op))
    return .next
  }

  func executeAccumulate(_ cpu: Int, _ op: Op) -> Outcome {
    let words = cores[cpu].words
    let a = words[CPU.Register.ax]
    let ax = UInt8(CPU.Register.ax)
    let dx = UInt8(CPU.Register.dx)
    let sign = { (size: Int) -> UInt64 in a & Flags.top(size) != 0 ? ~0 : 0 }
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_CBW: setRegister(cpu, ax, 2, Machine.signExtend(a & 0xFF, 1))
    case ZYDIS_MNEMONIC_CWDE: setRegister(cpu, ax, 4, Machine.signExtend(a & 0xFFFF, 2))
    case ZYDIS_MNEMONIC_CDQE: setRegister(cpu, ax, 8, Machine.signExtend(a & 0xFFFF_FFFF, 4))
    case ZYDIS_MNEMONIC_CWD: setRegister(cpu, dx, 2, sign(2))
    case ZYDIS_MNEMONIC_CDQ: setRegister(cpu, dx, 4, sign(4))
    case ZYDIS_MNEMONIC_CQO: setRegister(cpu, dx, 8, sign(8))
    case ZYDIS_MNEMONIC_SALC:
      setRegister(cpu, 0, 1, words[CPU.Word.rflags] & Flags.cf != 0 ? 0xFF : 0)
    default:  // XLAT
      let offset = Machine.cut(words[CPU.Register.bx] &+ a & 0xFF, op.pointee.addressSize)
      guard
        let at = address(
          cpu, segment: Int(op.pointee.segment), offset, 1, write: false),
        let value = load(cpu, at, 1, AccessKind.explicit)
      else { return .fault }
      setRegister(cpu, 0, 1, value)
    }
    return .next
  }

  func executeFlagBit(_ cpu: Int, _ op: Op) -> Outcome {
    let words = cores[cpu].words
    let flags = words[CPU.Word.rflags]
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_CLC: words[CPU.Word.rflags] = flags & ~Flags.cf
    case ZYDIS_MNEMONIC_STC: words[CPU.Word.rflags] = flags | Flags.cf
    case ZYDIS_MNEMONIC_CMC: words[CPU.Word.rflags] = flags ^ Flags.cf
    case ZYDIS_MNEMONIC_CLD: words[CPU.Word.rflags] = flags & ~CPU.Flag.df
    case ZYDIS_MNEMONIC_STD: words[CPU.Word.rflags] = flags | CPU.Flag.df
    case ZYDIS_MNEMONIC_LAHF:
      // SF:ZF:0:AF:0:PF:1:CF
      setRegister(cpu, 1, 1, flags & 0xD5 | 2)
    case ZYDIS_MNEMONIC_SAHF:
      let mask: UInt64 = 0xD5
      setFlags(cpu, mask, words[CPU.Register.ax] >> 8 & mask)
    default:
      // FWAIT: #NM when CR0.MP and CR0.TS are both set (Intel SDM Vol. 3A §2.5); no x87 exception can be
      // pending here.
      if words[CPU.Word.cr0] & 0xA == 0xA {
        raise(7)
        return .fault
      }
    }
    return .next
  }
}
