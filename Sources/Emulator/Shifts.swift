import CZydis

// SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD. Intel SDM Vol. 2, "SAL/SAR/SHL/SHR",
// "RCL/RCR/ROL/ROR", "SHLD", "SHRD".
//
// Where the manual leaves a flag undefined: AF after a shift is cleared; OF for counts other than
// 1 is what the rule for 1 gives for the last step; CF of SHL and SHR by more than the operand's
// width is 0. A count that is 0 after masking changes nothing.
extension Machine {
  func executeShift(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    let given =
      op.pointee.form == .rmReg
      ? register(cpu, op.pointee.reg, 1) : op.pointee.form == .rm ? 1 : op.pointee.imm
    let count = given & (size == 8 ? 63 : 31)
    guard let a = readRMForWrite(cpu, op, size) else { return .fault }
    if count == 0 {
      // A 32-bit register is still written: its upper half is cleared.
      if !op.pointee.isMemory { writeRM(cpu, op, size, a) }
      return .next
    }
    let carry = cores[cpu].words[CPU.Word.rflags] & Flags.cf
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_SHL, ZYDIS_MNEMONIC_SHR, ZYDIS_MNEMONIC_SAR:
      shift(cpu, op, a, count, size)
    default: rotate(cpu, op, a, count, size, carry)
    }
    return .next
  }

  private func shift(_ cpu: Int, _ op: Op, _ a: UInt64, _ count: UInt64, _ size: Int) {
    let mask = Flags.mask(size)
    let top = Flags.top(size)
    let r: UInt64
    let c: Bool
    let o: Bool
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_SHL:
      // Swift's << yields 0 for shifts past the width, as wanted.
      r = (a << count) & mask
      c = (a << (count - 1)) & top != 0
      o = (r & top != 0) != c
    case ZYDIS_MNEMONIC_SHR:
      r = a >> count
      c = (a >> (count - 1)) & 1 != 0
      o = (a >> (count - 1)) & top != 0
    default:
      let wide = Int64(bitPattern: Machine.signExtend(a, size))
      r = UInt64(bitPattern: wide >> Int64(count)) & mask
      c = (wide >> Int64(count - 1)) & 1 != 0
      o = false
    }
    writeRM(cpu, op, size, r)
    var flags = Flags.ofResult(r, size)
    if c { flags |= Flags.cf }
    if o { flags |= Flags.of }
    setFlags(cpu, Flags.all, flags)
  }

  /// Rotations change CF and OF alone.
  private func rotate(
    _ cpu: Int, _ op: Op, _ a: UInt64, _ masked: UInt64, _ size: Int, _ carry: UInt64
  ) {
    let bits = UInt64(size * 8)
    let mask = Flags.mask(size)
    let top = Flags.top(size)
    var r = a
    var c = carry != 0
    let o: Bool
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_ROL:
      let n = masked % bits
      r = (a << n | a >> (bits - n)) & mask
      c = r & 1 != 0
      o = (r & top != 0) != c
    case ZYDIS_MNEMONIC_ROR:
      let n = masked % bits
      r = (a >> n | a << (bits - n)) & mask
      c = r & top != 0
      o = c != (r & top >> 1 != 0)
    case ZYDIS_MNEMONIC_RCL:
      for _ in 0..<(masked % (bits + 1)) {
        let out = r & top != 0
        r = (r << 1) & mask | (c ? 1 : 0)
        c = out
      }
      o = (r & top != 0) != c
    default:
      for _ in 0..<(masked % (bits + 1)) {
        let out = r & 1 != 0
        r = r >> 1 | (c ? top : 0)
        c = out
      }
      o = (r & top != 0) != (r & top >> 1 != 0)
    }
    writeRM(cpu, op, size, r)
    setFlags(cpu, Flags.cf | Flags.of, (c ? Flags.cf : 0) | (o ? Flags.of : 0))
  }

  /// A 16-bit operand shifted by more than 16 is undefined altogether: the source is shifted in
  /// twice here, as if the three words were one.
  func executeDoubleShift(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    let bits = UInt64(size * 8)
    let given =
      op.pointee.extra == 1 ? register(cpu, UInt8(CPU.Register.cx * 8), 1) : op.pointee.imm
    let count = given & (size == 8 ? 63 : 31)
    guard let a = readRMForWrite(cpu, op, size) else { return .fault }
    if count == 0 {
      if !op.pointee.isMemory { writeRM(cpu, op, size, a) }
      return .next
    }
    let b = register(cpu, op.pointee.reg, size)
    let mask = Flags.mask(size)
    let top = Flags.top(size)
    let r: UInt64
    let c: Bool
    if op.pointee.mnemonic == UInt16(ZYDIS_MNEMONIC_SHLD.rawValue) {
      if count <= bits {
        r = (a << count | b >> (bits - count)) & mask
        c = (a >> (bits - count)) & 1 != 0
      } else {
        r = (b << (count - bits) | b >> (2 * bits - count)) & mask
        c = (b >> (2 * bits - count)) & 1 != 0
      }
    } else {
      if count <= bits {
        r = (a >> count | b << (bits - count)) & mask
        c = (a >> (count - 1)) & 1 != 0
      } else {
        r = (b >> (count - bits) | b << (2 * bits - count)) & mask
        c = (b >> (count - bits - 1)) & 1 != 0
      }
    }
    writeRM(cpu, op, size, r)
    var flags = Flags.ofResult(r, size)
    if c { flags |= Flags.cf }
    if (r ^ a) & top != 0 { flags |= Flags.of }
    setFlags(cpu, Flags.all, flags)
    return .next
  }
}
