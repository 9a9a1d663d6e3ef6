// The templates of 64-bit mode alone.
extension CaseTemplates {
  static func longMove(_ b: inout CaseBuilder) {
    switch b.below(3) {
    case 0:
      b.name = "mov r64"
      b.rex |= 8
      b.body = [b.chance(2) ? 0x89 : 0x8B]
      b.operand(b.register())
    case 1:
      b.name = "mov r64, imm32"
      b.rex |= 8
      b.body = [0xC7]
      b.operand(0)
      b.immediate(4)
    default:
      b.name = "lea r64"
      b.rex |= 8
      b.body = [0x8D]
      b.memoryOperand(b.register())
    }
  }

  static func extendDoubleWord(_ b: inout CaseBuilder) {
    b.name = "movsxd"
    if !b.chance(3) { b.rex |= 8 }
    b.body = [0x63]
    b.operand(b.register())
  }

  /// CMPXCHG16B, of aligned and other addresses.
  static func pairExchange(_ b: inout CaseBuilder) {
    b.name = "cmpxchg16b"
    b.rex |= 8
    b.body = [0x0F, 0xC7]
    b.fixed = [0, 2]
    let at = b.target(16) & (b.chance(6) ? ~0 : ~15)
    if b.chance(2) {
      b.registers[0] = b.initialWord(at)
      b.registers[2] = b.initialWord(at + 8)
    }
    b.memoryOperand(1, at: at)
    if b.chance(2) { b.prefixes.insert(0xF0, at: 0) }
  }

  /// Moves, logic and shuffles of SSE and SSE2.
  static func vectorMove(_ b: inout CaseBuilder) {
    typealias Form = (prefix: UInt8, opcode: UInt8, name: String)
    b.usesVectors = true
    // 16 bytes aligned; any alignment; 8 or 4 bytes.
    let aligned: [Form] = [
      (0, 0x28, "movaps"), (0, 0x29, "movaps"), (0x66, 0x6F, "movdqa"), (0x66, 0x7F, "movdqa"),
      (0x66, 0x28, "movapd"), (0, 0x57, "xorps"), (0x66, 0xEF, "pxor"), (0, 0x54, "andps"),
      (0, 0x55, "andnps"), (0, 0x56, "orps"), (0x66, 0xDB, "pand"), (0x66, 0xDF, "pandn"),
      (0x66, 0xEB, "por"), (0x66, 0x6C, "punpcklqdq"), (0x66, 0x6D, "punpckhqdq"),
      (0x66, 0x62, "punpckldq"), (0x66, 0x6A, "punpckhdq"), (0, 0x14, "unpcklps"),
      (0, 0x15, "unpckhps"), (0x66, 0x74, "pcmpeqb"), (0x66, 0x75, "pcmpeqw"),
      (0x66, 0x76, "pcmpeqd"), (0x66, 0x70, "pshufd"), (0, 0xC6, "shufps"),
    ]
    let others: [Form] = [
      (0, 0x10, "movups"), (0, 0x11, "movups"), (0xF3, 0x6F, "movdqu"), (0xF3, 0x7F, "movdqu"),
      (0x66, 0x11, "movupd"), (0xF3, 0x10, "movss"), (0xF3, 0x11, "movss"), (0xF2, 0x10, "movsd"),
      (0xF2, 0x11, "movsd"), (0xF3, 0x7E, "movq"), (0x66, 0xD6, "movq"), (0x66, 0x6E, "movd"),
      (0x66, 0x7E, "movd"),
    ]
    let halves: [Form] = [
      (0, 0x12, "movlps"), (0, 0x16, "movhps"), (0, 0x13, "movlps"), (0, 0x17, "movhps"),
    ]
    var at = b.target(16)
    let form: Form
    var isMemory = b.chance(2)
    switch b.below(7) {
    case 0, 1, 2:
      form = aligned[b.below(aligned.count)]
      if !b.chance(10) { at &= ~15 }
    case 3, 4, 5: form = others[b.below(others.count)]
    default:
      form = halves[b.below(halves.count)]
      // MOVHLPS and MOVLHPS with registers.
      if form.opcode & 1 != 0 { isMemory = true }
    }
    b.name = form.name
    if form.prefix != 0 { b.prefixes.append(form.prefix) }
    if form.name == "movd" && b.chance(2) { b.rex |= 8 }
    b.body = [0x0F, form.opcode]
    if isMemory { b.memoryOperand(b.below(16), at: at) } else { b.registerOperand(b.below(16)) }
    if form.opcode == 0x70 || form.opcode == 0xC6 { b.body.append(UInt8(b.below(256))) }
  }

  static func longBranch(_ b: inout CaseBuilder) {
    b.branches = true
    b.registers[4] = b.stackMiddle - 32 + UInt64(b.below(9) * 8)
    b.fixed = [4]
    let landing = LongArena.landing
    let anywhere = landing.lowerBound + b.random.next() % UInt64(landing.count)
    func relative(_ b: inout CaseBuilder, _ opcode: [UInt8]) {
      b.body = opcode
      // With the REX prefix that `finish` may add the target moves by one: still in the region.
      b.append32(anywhere &- (b.address! + UInt64(opcode.count) + 4))
    }
    // Not back into the instruction itself, which a processor would then go on to execute.
    func shortDistance(_ b: inout CaseBuilder) {
      let distance = b.chance(2) ? b.below(128) : b.below(112) - 128
      b.body.append(UInt8(truncatingIfNeeded: distance))
    }
    switch b.below(12) {
    case 0, 1, 2:
      b.name = "jcc"
      b.body = [UInt8(0x70 + b.below(16))]
      shortDistance(&b)
    case 3:
      b.name = "jcc near"
      relative(&b, [0x0F, UInt8(0x80 + b.below(16))])
    case 4, 5:
      let op = b.below(4)
      b.name = ["loopne", "loope", "loop", "jrcxz"][op]
      b.registers[1] = UInt64(b.below(4))
      if b.chance(4) {
        b.prefixes.append(0x67)
        b.registers[1] |= b.random.next() & ~0xFFFF_FFFF
      }
      b.body = [UInt8(0xE0 + op)]
      shortDistance(&b)
    case 6:
      b.name = "jmp"
      if b.chance(2) {
        b.body = [0xEB]
        shortDistance(&b)
      } else {
        relative(&b, [0xE9])
      }
    case 7:
      b.name = "call"
      relative(&b, [0xE8])
    case 8:
      let n = b.register()
      let op = b.chance(2) ? 2 : 4
      b.name = op == 2 ? "call rm" : "jmp rm"
      b.body = [0xFF]
      if n != 4 {
        b.registers[n] = anywhere
        b.registerOperand(op, n)
      } else {
        // Through the stack, which holds addresses of the landing region.
        b.memoryOperand(op, at: LongArena.stack.lowerBound + UInt64(b.below(60) * 8))
      }
    case 9, 10:
      b.name = "ret"
      b.body = [0xC3]
    default:
      b.name = "ret imm16"
      b.body = [0xC2]
      b.append16(UInt64(b.below(0x200)))
    }
  }
}
