import CZydis

// AAA, AAS, AAM, AAD, DAA, DAS. Intel SDM Vol. 2. Flags that the manual leaves undefined: OF is
// cleared; SF, ZF and PF of AAA and AAS follow AL; CF and AF of AAM and AAD are cleared.
extension Machine {
  func executeDecimal(_ cpu: Int, _ op: Op) -> Outcome {
    let words = cores[cpu].words
    let flags = words[CPU.Word.rflags]
    let ax = words[CPU.Register.ax] & 0xFFFF
    let al = ax & 0xFF
    let ah = ax >> 8
    let adjustLow = al & 0xF > 9 || flags & Flags.af != 0
    var new: UInt64 = 0
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_AAA:
      // The whole of AX takes the addition (all processors since the 80286).
      let r = adjustLow ? (ax &+ 0x106) & 0xFF0F : ax & 0xFF0F
      setRegister(cpu, UInt8(CPU.Register.ax), 2, r)
      new = Flags.ofResult(r & 0xFF, 1) | (adjustLow ? Flags.cf | Flags.af : 0)
    case ZYDIS_MNEMONIC_AAS:
      let r = adjustLow ? ((ax &- 6) & 0xFFFF &- 0x100) & 0xFF0F : ax & 0xFF0F
      setRegister(cpu, UInt8(CPU.Register.ax), 2, r)
      new = Flags.ofResult(r & 0xFF, 1) | (adjustLow ? Flags.cf | Flags.af : 0)
    case ZYDIS_MNEMONIC_AAM:
      let base = op.pointee.imm & 0xFF
      if base == 0 {
        raise(0)
        return .fault
      }
      setRegister(cpu, UInt8(CPU.Register.ax), 2, (al / base) << 8 | al % base)
      new = Flags.ofResult(al % base, 1)
    case ZYDIS_MNEMONIC_AAD:
      let r = (al &+ ah &* (op.pointee.imm & 0xFF)) & 0xFF
      setRegister(cpu, UInt8(CPU.Register.ax), 2, r)
      new = Flags.ofResult(r, 1)
    case ZYDIS_MNEMONIC_DAA:
      var r = al
      var carry = false
      if adjustLow {
        carry = flags & Flags.cf != 0 || al > 0xF9
        r = (r &+ 6) & 0xFF
        new |= Flags.af
      }
      if al > 0x99 || flags & Flags.cf != 0 {
        r = (r &+ 0x60) & 0xFF
        carry = true
      } else {
        carry = false
      }
      setRegister(cpu, 0, 1, r)
      new |= Flags.ofResult(r, 1) | (carry ? Flags.cf : 0)
    default:  // DAS
      var r = al
      var carry = false
      if adjustLow {
        carry = flags & Flags.cf != 0 || al < 6
        r = (r &- 6) & 0xFF
        new |= Flags.af
      }
      if al > 0x99 || flags & Flags.cf != 0 {
        r = (r &- 0x60) & 0xFF
        carry = true
      }
      setRegister(cpu, 0, 1, r)
      new |= Flags.ofResult(r, 1) | (carry ? Flags.cf : 0)
    }
    setFlags(cpu, Flags.all, new)
    return .next
  }
}
