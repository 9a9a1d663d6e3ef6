import CZydis

extension MicroOp {
  /// Whether decoding stops after this instruction.
  var endsBlock: Bool {
    switch code {
    case .jmp, .jmpR, .jmpM, .call, .callR, .callM, .ret, .retI, .branch, .system, .undefined,
      .callQ, .callQR, .retQ, .jmpQR,
      .tooLong, .vector, .unmodelled:
      return true
    default: return false
    }
  }

  /// Replaces the family by the case of the loop that does the same faster, where there is one.
  /// Only for flat 32-bit code.
  mutating func specialise() {
    if prefixes & Prefix.lock != 0 { return }
    if isMemory {
      // CS is flat too, but must not be written.
      guard addressSize == 4, segment < 4, segment != CPU.Segment.cs else { return }
    }
    let m = ZydisMnemonic(rawValue: UInt32(mnemonic))
    switch (code, operandSize) {
    case (.move, 4): specialise(.movRR, .movRI, .movRM, .movMR, .movMI)
    case (.move, 1): specialiseByte(.movRR8, .movRI8, .movRM8, .movMR8, .movMI8)
    case (.move, 2):
      if isMemory && form == .rmReg { code = .movMR16 }
      if isMemory && form == .rmImm { code = .movMI16 }
    case (.extend, 4):
      if reg == CPU.Register.sp { return }
      let signed = m == ZYDIS_MNEMONIC_MOVSX
      switch (extra, isMemory) {
      case (1, false): code = signed ? .movsxR8 : .movzxR8
      case (2, false): code = signed ? .movsxR16 : .movzxR16
      case (1, true): code = signed ? .movsxM8 : .movzxM8
      default: code = signed ? .movsxM16 : .movzxM16
      }
    case (.address, 4) where addressSize == 4 && reg != CPU.Register.sp: code = .lea
    case (.arithmetic, 4): specialiseArithmetic(m)
    case (.arithmetic, 1): specialiseByteArithmetic(m)
    case (.unary, 4): specialiseUnary(m)
    case (.shift, 4): specialiseShift(m)
    case (.multiply, 4) where m == ZYDIS_MNEMONIC_IMUL && reg != CPU.Register.sp:
      if form == .regRm { code = isMemory ? .imulRM : .imulRR }
      if form == .regRmImm { code = isMemory ? .imulRMI : .imulRRI }
    case (.accumulate, 4) where m == ZYDIS_MNEMONIC_CDQ: code = .cdq
    case (.exchange, 4)
    where !isMemory && reg != CPU.Register.sp && rm != CPU.Register.sp:
      code = .xchgRR
    case (.conditional, 1) where !isMemory: code = .setR
    case (.conditional, 4) where reg != CPU.Register.sp: code = isMemory ? .cmovRM : .cmovRR
    case (.stack, 4): specialiseStack(m)
    case (.branch, 4): specialiseBranch(m)
    default: break
    }
  }

  var writesSP: Bool {
    switch form {
    case .regRm, .regRmImm: return reg == CPU.Register.sp
    case .rm, .rmReg, .rmImm: return !isMemory && rm == CPU.Register.sp
    default: return false
    }
  }

  mutating func specialise(_ rr: Code, _ ri: Code, _ rm: Code, _ mr: Code, _ mi: Code) {
    let writes = rr != .cmpRR && rr != .testRR && rr != .cmpQRR && rr != .testQRR
    if writes && writesSP { return }
    switch (form, isMemory) {
    case (.regRm, false): code = rr
    case (.rmImm, false): code = ri
    case (.regRm, true): code = rm
    case (.rmReg, true): code = mr
    case (.rmImm, true): code = mi
    default: return
    }
    if form == .rmImm && !isMemory { reg = self.rm }
  }

  mutating func specialiseByte(
    _ rr: Code, _ ri: Code, _ rm: Code, _ mr: Code, _ mi: Code
  ) {
    switch (form, isMemory) {
    case (.regRm, false): code = rr
    case (.rmImm, false): code = ri
    case (.regRm, true): code = rm
    case (.rmReg, true): code = mr
    case (.rmImm, true): code = mi
    default: return
    }
    if form == .rmImm && !isMemory { reg = self.rm }
  }

  mutating func specialiseArithmetic(_ m: ZydisMnemonic) {
    switch m {
    case ZYDIS_MNEMONIC_ADD:
      if form == .rmImm && writesSP { code = .addSPI }
      specialise(.addRR, .addRI, .addRM, .addMR, .addMI)
    case ZYDIS_MNEMONIC_SUB:
      if form == .rmImm && writesSP { code = .subSPI }
      specialise(.subRR, .subRI, .subRM, .subMR, .subMI)
    case ZYDIS_MNEMONIC_CMP: specialise(.cmpRR, .cmpRI, .cmpRM, .cmpMR, .cmpMI)
    case ZYDIS_MNEMONIC_AND: specialise(.andRR, .andRI, .andRM, .andMR, .andMI)
    case ZYDIS_MNEMONIC_OR: specialise(.orRR, .orRI, .orRM, .orMR, .orMI)
    case ZYDIS_MNEMONIC_XOR: specialise(.xorRR, .xorRI, .xorRM, .xorMR, .xorMI)
    case ZYDIS_MNEMONIC_TEST: specialise(.testRR, .testRI, .testMR, .testMR, .testMI)
    case ZYDIS_MNEMONIC_ADC: specialise(.adcRR, .adcRI, .adcRM, .arithmetic, .arithmetic)
    case ZYDIS_MNEMONIC_SBB: specialise(.sbbRR, .sbbRI, .sbbRM, .arithmetic, .arithmetic)
    default: break
    }
  }

  mutating func specialiseByteArithmetic(_ m: ZydisMnemonic) {
    switch m {
    case ZYDIS_MNEMONIC_CMP: specialiseByte(.cmpRR8, .cmpRI8, .cmpRM8, .cmpMR8, .cmpMI8)
    case ZYDIS_MNEMONIC_TEST: specialiseByte(.testRR8, .testRI8, .testMR8, .testMR8, .testMI8)
    case ZYDIS_MNEMONIC_AND:
      specialiseByte(.andRR8, .andRI8, .arithmetic, .arithmetic, .arithmetic)
    case ZYDIS_MNEMONIC_OR: specialiseByte(.orRR8, .orRI8, .arithmetic, .arithmetic, .arithmetic)
    case ZYDIS_MNEMONIC_XOR where !isMemory && form == .regRm: code = .xorRR8
    case ZYDIS_MNEMONIC_ADD where !isMemory && form == .rmImm:
      code = .addRI8
      reg = rm
    default: break
    }
  }

  mutating func specialiseUnary(_ m: ZydisMnemonic) {
    if writesSP { return }
    if !isMemory { reg = rm }
    switch m {
    case ZYDIS_MNEMONIC_INC: code = isMemory ? .incM : .incR
    case ZYDIS_MNEMONIC_DEC: code = isMemory ? .decM : .decR
    case ZYDIS_MNEMONIC_NEG where !isMemory: code = .negR
    case ZYDIS_MNEMONIC_NOT where !isMemory: code = .notR
    default: break
    }
  }

  private mutating func specialiseShift(_ m: ZydisMnemonic) {
    if isMemory || writesSP { return }
    if form == .rmImm {
      // A count of zero changes nothing, not even the flags.
      if imm & 31 == 0 {
        code = .nop
        return
      }
      switch m {
      case ZYDIS_MNEMONIC_SHL: code = .shlRI
      case ZYDIS_MNEMONIC_SHR: code = .shrRI
      case ZYDIS_MNEMONIC_SAR: code = .sarRI
      case ZYDIS_MNEMONIC_ROL: code = .rolRI
      case ZYDIS_MNEMONIC_ROR: code = .rorRI
      default: return
      }
      imm &= 31
      reg = rm
    } else if form == .rmReg {
      switch m {
      case ZYDIS_MNEMONIC_SHL: code = .shlRC
      case ZYDIS_MNEMONIC_SHR: code = .shrRC
      case ZYDIS_MNEMONIC_SAR: code = .sarRC
      default: return
      }
      reg = rm
    }
  }

  private mutating func specialiseStack(_ m: ZydisMnemonic) {
    switch (m, form) {
    case (ZYDIS_MNEMONIC_PUSH, .rm):
      if isMemory {
        code = .pushM
      } else {
        code = .pushR
        reg = rm
      }
    case (ZYDIS_MNEMONIC_PUSH, .imm): code = .pushI
    case (ZYDIS_MNEMONIC_POP, .rm) where !isMemory && rm != CPU.Register.sp:
      code = .popR
      reg = rm
    case (ZYDIS_MNEMONIC_LEAVE, _): code = .leave
    default: break
    }
  }

  static let conditionCodes: [Code] = [
    .jo, .jno, .jb, .jnb, .jz, .jnz, .jbe, .jnbe, .js, .jns, .jp, .jnp, .jl, .jnl, .jle, .jnle,
  ]

  private mutating func specialiseBranch(_ m: ZydisMnemonic) {
    switch m {
    case ZYDIS_MNEMONIC_JMP:
      code = form == .imm ? .jmp : isMemory ? .jmpM : .jmpR
      if form == .imm { extra = 0 }
    case ZYDIS_MNEMONIC_CALL:
      code = form == .imm ? .call : isMemory ? .callM : .callR
      if form == .imm { extra = 0 }
    case ZYDIS_MNEMONIC_RET: code = form == .imm ? .retI : .ret
    default:
      guard OpcodeTable.shared[mnemonic].hasCondition else { return }
      code = MicroOp.conditionCodes[Int(extra)]
      extra = 0
    }
    if code == .jmpR || code == .callR { reg = rm }
  }
}
