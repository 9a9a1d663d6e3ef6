import CZydis

// What `specialise` does, for 64-bit code.
extension MicroOp {
  /// Replaces the family by the case of the loop that does the same faster, where there is one.
  mutating func specialiseLong() {
    if prefixes & Prefix.lock != 0 { return }
    if isMemory {
      guard addressSize == 8, segment < CPU.Segment.fs, prefixes & Prefix.absolute == 0 else {
        return
      }
    }
    var special = self
    special.chooseLong()
    if special.code == code { return }
    if special.prefixes & Prefix.ripRelative != 0 {
      // The loop keeps `rip` in its word of the block: it is a base like any other.
      let (distance, overflow) = disp.addingReportingOverflow(Int32(length))
      if overflow { return }
      special.disp = distance
      special.base = UInt8(CPU.Word.rip)
      special.prefixes &= ~Prefix.ripRelative
    }
    self = special
  }

  private mutating func chooseLong() {
    let m = ZydisMnemonic(rawValue: UInt32(mnemonic))
    switch (code, operandSize) {
    case (.move, 8): specialise(.movQRR, .movQRI, .movQRM, .movQMR, .movQMI)
    case (.move, 4): specialise(.movRR, .movRI, .movRM, .movMR, .movMI)
    case (.move, 1): specialiseByte(.movRR8, .movRI8, .movRM8, .movMR8, .movMI8)
    case (.move, 2):
      if isMemory && form == .rmReg { code = .movMR16 }
      if isMemory && form == .rmImm { code = .movMI16 }
    case (.extend, 4), (.extend, 8): chooseExtension(m)
    case (.address, 8) where addressSize == 8 && reg != CPU.Register.sp: code = .lea
    case (.arithmetic, 8): chooseArithmetic(m)
    case (.arithmetic, 4) where !writesSP: specialiseArithmetic(m)
    case (.arithmetic, 1): specialiseByteArithmetic(m)
    case (.unary, 8) where !isMemory && !writesSP:
      if m == ZYDIS_MNEMONIC_INC { code = .incQR }
      if m == ZYDIS_MNEMONIC_DEC { code = .decQR }
      reg = rm
    case (.unary, 4): specialiseUnary(m)
    case (.shift, 8), (.shift, 4): chooseShift(m)
    case (.multiply, 8) where m == ZYDIS_MNEMONIC_IMUL && reg != CPU.Register.sp && !isMemory:
      if form == .regRm { code = .imulQRR }
      if form == .regRmImm { code = .imulQRRI }
    case (.multiply, 4) where m == ZYDIS_MNEMONIC_IMUL && reg != CPU.Register.sp:
      if form == .regRm { code = isMemory ? .imulRM : .imulRR }
      if form == .regRmImm { code = isMemory ? .imulRMI : .imulRRI }
    case (.accumulate, 4) where m == ZYDIS_MNEMONIC_CDQ: code = .cdq
    case (.conditional, 1) where !isMemory: code = .setR
    case (.conditional, 8) where !isMemory && reg != CPU.Register.sp: code = .cmovQRR
    case (.stack, 8): chooseStack(m)
    case (.branch, _): chooseBranch(m)
    default: break
    }
  }

  /// A 32-bit result clears the upper half, so that zero extensions to 64 bits are those to 32.
  private mutating func chooseExtension(_ m: ZydisMnemonic) {
    if reg == CPU.Register.sp { return }
    switch (extra, operandSize) {
    case (4, 8): code = isMemory ? .movsxdM : .movsxdR
    case (1, _) where m == ZYDIS_MNEMONIC_MOVZX: code = isMemory ? .movzxM8 : .movzxR8
    case (2, _) where m == ZYDIS_MNEMONIC_MOVZX: code = isMemory ? .movzxM16 : .movzxR16
    case (1, 4): code = isMemory ? .movsxM8 : .movsxR8
    case (2, 4): code = isMemory ? .movsxM16 : .movsxR16
    default: break
    }
  }

  private mutating func chooseArithmetic(_ m: ZydisMnemonic) {
    switch m {
    case ZYDIS_MNEMONIC_ADD:
      if form == .rmImm && writesSP { code = .addQSPI }
      specialise(.addQRR, .addQRI, .addQRM, .arithmetic, .arithmetic)
    case ZYDIS_MNEMONIC_SUB:
      if form == .rmImm && writesSP { code = .subQSPI }
      specialise(.subQRR, .subQRI, .subQRM, .arithmetic, .arithmetic)
    case ZYDIS_MNEMONIC_CMP: specialise(.cmpQRR, .cmpQRI, .cmpQRM, .cmpQMR, .cmpQMI)
    case ZYDIS_MNEMONIC_AND: specialise(.andQRR, .andQRI, .andQRM, .arithmetic, .arithmetic)
    case ZYDIS_MNEMONIC_OR: specialise(.orQRR, .orQRI, .orQRM, .arithmetic, .arithmetic)
    case ZYDIS_MNEMONIC_XOR: specialise(.xorQRR, .xorQRI, .xorQRM, .arithmetic, .arithmetic)
    case ZYDIS_MNEMONIC_TEST where !isMemory:
      specialise(.testQRR, .testQRI, .arithmetic, .arithmetic, .arithmetic)
    default: break
    }
  }

  /// Counts of zero, which clear the upper half of a 32-bit register, are left to the family.
  private mutating func chooseShift(_ m: ZydisMnemonic) {
    let isWide = operandSize == 8
    let count = imm & (isWide ? 63 : 31)
    guard !isMemory, !writesSP, form == .rmImm, count != 0 else { return }
    switch m {
    case ZYDIS_MNEMONIC_SHL: code = isWide ? .shlQRI : .shlRI
    case ZYDIS_MNEMONIC_SHR: code = isWide ? .shrQRI : .shrRI
    case ZYDIS_MNEMONIC_SAR: code = isWide ? .sarQRI : .sarRI
    case ZYDIS_MNEMONIC_ROL where !isWide: code = .rolRI
    case ZYDIS_MNEMONIC_ROR where !isWide: code = .rorRI
    default: return
    }
    imm = count
    reg = rm
  }

  private mutating func chooseStack(_ m: ZydisMnemonic) {
    switch (m, form) {
    case (ZYDIS_MNEMONIC_PUSH, .rm) where !isMemory:
      code = .pushQR
      reg = rm
    case (ZYDIS_MNEMONIC_PUSH, .imm): code = .pushQI
    case (ZYDIS_MNEMONIC_POP, .rm) where !isMemory && rm != CPU.Register.sp:
      code = .popQR
      reg = rm
    case (ZYDIS_MNEMONIC_LEAVE, _): code = .leaveQ
    default: break
    }
  }

  private mutating func chooseBranch(_ m: ZydisMnemonic) {
    switch m {
    case ZYDIS_MNEMONIC_JMP where !isMemory:
      code = form == .imm ? .jmp : .jmpQR
    case ZYDIS_MNEMONIC_CALL where !isMemory:
      code = form == .imm ? .callQ : .callQR
    case ZYDIS_MNEMONIC_RET where form != .imm: code = .retQ
    default:
      guard OpcodeTable.shared[mnemonic].hasCondition else { return }
      code = MicroOp.conditionCodes[Int(extra)]
    }
    extra = 0
    if code == .jmpQR || code == .callQR { reg = rm }
  }
}
