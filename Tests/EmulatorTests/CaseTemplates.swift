/// Random cases of every integer instruction of user mode, by mnemonic and form.
enum CaseTemplates {
  typealias Template = @Sendable (inout CaseBuilder) -> Void

  /// - Parameter data: what the data window holds before the case.
  static func make(_ random: SplitMix64, data: [UInt8]) -> InstructionCase {
    var builder = CaseBuilder(random: random, data: data)
    let template = weighted[builder.below(weighted.count)]
    template(&builder)
    return builder.finish()
  }

  /// A case of 64-bit mode.
  /// - Parameters:
  ///   - address: where its code will lie,
  ///   - branch: or there if it branches.
  static func makeLong(
    _ random: SplitMix64, data: [UInt8], address: UInt64, branch: UInt64
  ) -> InstructionCase {
    var builder = CaseBuilder(random: random, data: data, address: address)
    let chosen = builder.below(longWeighted.count)
    if chosen < branchCount { builder.address = branch }
    longWeighted[chosen](&builder)
    return builder.finish()
  }

  private static let branchCount = 4
  private static let longWeighted: [Template] =
    [Template](repeating: longBranch, count: branchCount)
    + weightedCommon + [Template](repeating: longMove, count: 4)
    + [Template](repeating: vectorMove, count: 5) + [pairExchange, extendDoubleWord]

  private static let weighted: [Template] =
    weightedCommon + [Template](repeating: branch, count: 5) + [decimal, decimal]

  /// What both modes have.
  private static let weightedCommon: [Template] =
    [Template](repeating: arithmetic, count: 10) + [Template](repeating: shift, count: 8)
    + [Template](repeating: string, count: 6) + [Template](repeating: move, count: 5)
    + [Template](repeating: stack, count: 5)
    + [Template](repeating: bitTest, count: 4) + [Template](repeating: multiply, count: 4)
    + [Template](repeating: divide, count: 4) + [Template](repeating: extend, count: 3)
    + [Template](repeating: conditional, count: 3) + [Template](repeating: unary, count: 4)
    + [Template](repeating: atomic, count: 4) + [Template](repeating: doubleShift, count: 3)
    + [test, bitScan, byteSwap, exchange, loadAddress, flagBit, accumulate]

  private typealias B = CaseBuilder

  // MARK: Arithmetic

  static func arithmetic(_ b: inout CaseBuilder) {
    let names = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"]
    let op = b.below(8)
    b.name = names[op]
    if op == 1 || op == 4 || op == 6 { b.defined &= ~B.af }
    let opcode = UInt8(op * 8)
    var memoryTarget = false
    switch b.below(9) {
    case 0:
      b.body = [opcode]
      memoryTarget = b.operand(b.register())
    case 1:
      b.chooseSize()
      b.body = [opcode + 1]
      memoryTarget = b.operand(b.register())
    case 2:
      b.body = [opcode + 2]
      b.operand(b.register())
    case 3:
      b.chooseSize()
      b.body = [opcode + 3]
      b.operand(b.register())
    case 4:
      b.body = [opcode + 4]
      b.immediate(1)
    case 5:
      b.chooseSize()
      b.body = [opcode + 5]
      b.immediate(b.size)
    case 6:
      b.body = [0x80]
      memoryTarget = b.operand(op)
      b.immediate(1)
    case 7:
      b.chooseSize()
      b.body = [0x81]
      memoryTarget = b.operand(op)
      b.immediate(b.size)
    default:
      b.chooseSize()
      b.body = [0x83]
      memoryTarget = b.operand(op)
      b.immediate(1)
    }
    if memoryTarget && op != 7 && b.chance(4) { b.prefixes.append(0xF0) }
  }

  static func test(_ b: inout CaseBuilder) {
    b.name = "test"
    b.defined &= ~B.af
    switch b.below(4) {
    case 0:
      b.body = [0x84]
      b.operand(b.register())
    case 1:
      b.chooseSize()
      b.body = [0x85]
      b.operand(b.register())
    case 2:
      b.body = [0xF6]
      b.operand(0)
      b.immediate(1)
    default:
      b.chooseSize()
      b.body = [0xF7]
      b.operand(0)
      b.immediate(b.size)
    }
  }

  static func unary(_ b: inout CaseBuilder) {
    let op = b.below(4)
    b.name = ["inc", "dec", "not", "neg"][op]
    let wide = b.chance(2)
    if wide { b.chooseSize() }
    if op < 2 {
      if b.chance(3) && wide && !b.isLong {
        b.body = [UInt8(0x40 + op * 8 + b.below(8))]
        return
      }
      b.body = [wide ? 0xFF : 0xFE]
      b.operand(op)
    } else {
      b.body = [wide ? 0xF7 : 0xF6]
      b.operand(op)
    }
  }

  // MARK: Shifts

  static func shift(_ b: inout CaseBuilder) {
    let op = [0, 1, 2, 3, 4, 5, 7][b.below(7)]
    b.name = ["rol", "ror", "rcl", "rcr", "shl", "shr", "", "sar"][op]
    let wide = b.chance(3) == false
    if wide { b.chooseSize() }
    let bits = (wide ? b.size : 1) * 8
    let mask = wide && b.size == 8 ? 63 : 31
    let count: Int
    b.fixed = [1]
    switch b.below(3) {
    case 0:
      b.body = [wide ? 0xD1 : 0xD0]
      b.operand(op)
      count = 1
    case 1:
      b.body = [wide ? 0xD3 : 0xD2]
      if b.chance(2) { b.registers[1] = UInt64(b.below(70)) }
      b.operand(op)
      count = Int(truncatingIfNeeded: b.registers[1]) & mask
    default:
      b.body = [wide ? 0xC1 : 0xC0]
      b.operand(op)
      let given = b.chance(4) ? b.below(256) : b.below(b.isLong ? 66 : 34)
      b.body.append(UInt8(given))
      count = given & mask
    }
    if count == 0 { return }
    if count != 1 { b.defined &= ~B.of }
    if op >= 4 {
      b.defined &= ~B.af
      if op != 7 && count >= bits { b.defined &= ~B.cf }
    }
  }

  static func doubleShift(_ b: inout CaseBuilder) {
    let left = b.chance(2)
    b.name = left ? "shld" : "shrd"
    b.chooseSize()
    b.fixed = [1]
    // More than the operand's width is undefined.
    let count = b.below(b.size == 2 ? 17 : b.size * 8)
    if b.chance(2) {
      b.registers[1] = UInt64(count)
      b.body = [0x0F, left ? 0xA5 : 0xAD]
      b.operand(b.register())
    } else {
      b.body = [0x0F, left ? 0xA4 : 0xAC]
      b.operand(b.register())
      b.body.append(UInt8(count))
    }
    if count == 0 { return }
    b.defined &= ~B.af
    if count != 1 { b.defined &= ~B.of }
  }

  // MARK: Multiplication and division

  static func multiply(_ b: inout CaseBuilder) {
    b.defined = B.cf | B.of | B.df
    switch b.below(5) {
    case 0:
      let signed = b.below(2)
      b.name = signed == 1 ? "imul" : "mul"
      b.body = [0xF6]
      b.operand(4 + signed)
    case 1:
      let signed = b.below(2)
      b.name = signed == 1 ? "imul" : "mul"
      b.chooseSize()
      b.body = [0xF7]
      b.operand(4 + signed)
    case 2:
      b.name = "imul r, rm"
      b.chooseSize()
      b.body = [0x0F, 0xAF]
      b.operand(b.register())
    case 3:
      b.name = "imul r, rm, imm"
      b.chooseSize()
      b.body = [0x69]
      b.operand(b.register())
      b.immediate(b.size)
    default:
      b.name = "imul r, rm, imm8"
      b.chooseSize()
      b.body = [0x6B]
      b.operand(b.register())
      b.immediate(1)
    }
  }

  static func divide(_ b: inout CaseBuilder) {
    let signed = b.below(2)
    b.name = signed == 1 ? "idiv" : "div"
    b.defined = B.df
    let wide = b.chance(4) == false
    if wide {
      b.chooseSize()
      switch b.below(4) {
      case 0: b.registers[2] = 0
      case 1:
        let bits = UInt64(b.size * 8)
        b.registers[2] =
          b.registers[0] >> (bits - 1) & 1 == 0 ? 0 : ~0 as UInt64 >> (64 - bits)
      case 2:
        b.registers[2] = UInt64(bitPattern: Int64(b.below(64) - 32)) & b.wholeMask
      default: break
      }
    } else if b.chance(2) {
      b.registers[0] &= ~0xFC00
    }
    b.fixed = [0, 2, 4]
    b.registers[4] = b.exceptionStack
    b.body = [wide ? 0xF7 : 0xF6]
    b.operand(6 + signed)
  }

  // MARK: Moves

  static func move(_ b: inout CaseBuilder) {
    b.name = "mov"
    switch b.below(8) {
    case 0:
      b.body = [0x88]
      b.operand(b.register())
    case 1:
      b.chooseSize()
      b.body = [0x89]
      b.operand(b.register())
    case 2:
      b.body = [0x8A]
      b.operand(b.register())
    case 3:
      b.chooseSize()
      b.body = [0x8B]
      b.operand(b.register())
    case 4:
      let opcode = UInt8(0xA0 + b.below(4))
      if opcode & 1 != 0 { b.chooseSize() }
      b.body = [opcode]
      let at = b.target(8)
      b.append32(at)
      if b.isLong { b.append32(b.chance(2) ? 0 : LongArena.secondDistance >> 32) }
    case 5:
      b.body = [b.inOpcode(0xB0, b.register())]
      b.immediate(1)
    case 6:
      b.chooseSize()
      b.body = [b.inOpcode(0xB8, b.register())]
      b.immediate(b.size)
      if b.size == 8 { b.immediate(4) }
    default:
      let wide = b.chance(2)
      if wide { b.chooseSize() }
      b.body = [wide ? 0xC7 : 0xC6]
      b.operand(0)
      b.immediate(wide ? b.size : 1)
    }
  }

  static func extend(_ b: inout CaseBuilder) {
    let opcode = [0xB6, 0xB7, 0xBE, 0xBF][b.below(4)]
    b.name = opcode < 0xB8 ? "movzx" : "movsx"
    if opcode & 1 == 0 { b.chooseSize() }
    b.body = [0x0F, UInt8(opcode)]
    b.operand(b.register())
  }

  static func exchange(_ b: inout CaseBuilder) {
    b.name = "xchg"
    switch b.below(3) {
    case 0:
      b.body = [0x86]
      b.operand(b.register())
    case 1:
      b.chooseSize()
      b.body = [0x87]
      b.operand(b.register())
    default:
      b.chooseSize()
      b.body = [b.inOpcode(0x90, b.register())]
    }
  }

  static func loadAddress(_ b: inout CaseBuilder) {
    b.name = "lea"
    b.chooseSize()
    b.body = [0x8D]
    b.memoryOperand(b.register())
  }

  static func flagBit(_ b: inout CaseBuilder) {
    let opcodes: [(UInt8, String)] = [
      (0x9E, "sahf"), (0x9F, "lahf"), (0xF5, "cmc"), (0xF8, "clc"), (0xF9, "stc"), (0xFC, "cld"),
      (0xFD, "std"),
    ]
    let choice = opcodes[b.below(opcodes.count)]
    b.name = choice.1
    b.body = [choice.0]
  }

  static func accumulate(_ b: inout CaseBuilder) {
    switch b.below(3) {
    case 0:
      b.chooseSize()
      b.name = [2: "cbw", 4: "cwde", 8: "cdqe"][b.size]!
      b.body = [0x98]
    case 1:
      b.chooseSize()
      b.name = [2: "cwd", 4: "cdq", 8: "cqo"][b.size]!
      b.body = [0x99]
    default:
      b.name = "xlat"
      let at = b.target(1)
      b.registers[3] = (at &- b.registers[0] & 0xFF) & b.wholeMask
      b.body = [0xD7]
    }
  }

  static func decimal(_ b: inout CaseBuilder) {
    let (cf, pf, af, zf, sf) = (B.cf, B.pf, B.af, B.zf, B.sf)
    switch b.below(6) {
    case 0:
      (b.name, b.body, b.defined) = ("daa", [0x27], cf | pf | af | zf | sf | B.df)
    case 1:
      (b.name, b.body, b.defined) = ("das", [0x2F], cf | pf | af | zf | sf | B.df)
    case 2: (b.name, b.body, b.defined) = ("aaa", [0x37], cf | af | B.df)
    case 3: (b.name, b.body, b.defined) = ("aas", [0x3F], cf | af | B.df)
    case 4:
      (b.name, b.body, b.defined) = ("aam", [0xD4], pf | zf | sf | B.df)
      b.body.append(b.chance(2) ? 10 : UInt8(b.below(20)))
      b.registers[4] = b.exceptionStack
    default:
      (b.name, b.body, b.defined) = ("aad", [0xD5], pf | zf | sf | B.df)
      b.body.append(b.chance(2) ? 10 : UInt8(b.below(256)))
    }
  }

  // MARK: Conditions and bits

  private static let conditions = [
    "o", "no", "b", "nb", "z", "nz", "be", "nbe", "s", "ns", "p", "np", "l", "nl", "le", "nle",
  ]

  static func conditional(_ b: inout CaseBuilder) {
    let condition = b.below(16)
    if b.chance(2) {
      b.name = "set" + conditions[condition]
      b.body = [0x0F, UInt8(0x90 + condition)]
      b.operand(0)
    } else {
      b.name = "cmov" + conditions[condition]
      b.chooseSize()
      b.body = [0x0F, UInt8(0x40 + condition)]
      b.operand(b.register())
    }
  }

  static func bitTest(_ b: inout CaseBuilder) {
    let op = b.below(4)
    b.name = ["bt", "bts", "btr", "btc"][op]
    b.defined = B.cf | B.zf | B.df
    b.chooseSize()
    let data =
      b.isLong ? LongArena.data : UInt64(Arena.data.lowerBound)...UInt64(Arena.data.upperBound)
    let middle = (data.lowerBound + data.upperBound) / 2 & ~7
    if b.chance(2) {
      let n = b.register()
      b.body = [0x0F, UInt8(0xA3 + op * 8)]
      if b.chance(3) {
        b.registerOperand(n)
      } else {
        // Far outside of the operand, on both sides.
        let mask = ~0 as UInt64 >> UInt64(64 - b.size * 8)
        let offset = UInt64(bitPattern: Int64(b.below(1600) - 800))
        b.registers[n] = b.registers[n] & ~mask | offset & mask
        b.fixed = [n]
        b.memoryOperand(n, at: middle + UInt64(b.below(16)))
      }
    } else {
      b.body = [0x0F, 0xBA]
      b.operand(4 + op)
      b.body.append(UInt8(b.below(256)))
    }
  }

  static func bitScan(_ b: inout CaseBuilder) {
    let opcode = b.chance(2) ? 0xBC : 0xBD
    b.name = opcode == 0xBC ? "bsf" : "bsr"
    b.defined = B.zf | B.df
    b.chooseSize()
    b.body = [0x0F, UInt8(opcode)]
    let n = b.register()
    b.operand(n)
    // Of zero the manual leaves the result open, in 64-bit mode the upper half, too.
    if b.isLong { b.undefined = [n] }
  }

  static func byteSwap(_ b: inout CaseBuilder) {
    b.name = "bswap"
    if b.isLong && b.chance(2) { b.rex |= 8 }
    b.body = [0x0F, b.inOpcode(0xC8, b.register())]
  }

  // MARK: Atomics

  static func atomic(_ b: inout CaseBuilder) {
    var memory = true
    switch b.below(5) {
    case 0:
      b.name = "xadd"
      b.body = [0x0F, 0xC0]
      memory = b.operand(b.register())
    case 1:
      b.name = "xadd"
      b.chooseSize()
      b.body = [0x0F, 0xC1]
      memory = b.operand(b.register())
    case 2, 3:
      b.name = "cmpxchg"
      let wide = b.chance(2)
      if wide { b.chooseSize() }
      b.body = [0x0F, wide ? 0xB1 : 0xB0]
      let n = b.register()
      if b.chance(2) {
        let rm = b.register()
        if b.chance(2) { b.registers[0] = b.registers[rm] }
        b.registerOperand(n, rm)
        memory = false
      } else {
        b.fixed = [0]
        let at = b.target(8)
        if b.chance(2) { b.registers[0] = b.initialWord(at) }
        b.memoryOperand(n, at: at)
      }
    default:
      b.name = "cmpxchg8b"
      b.body = [0x0F, 0xC7]
      b.fixed = [0, 2]
      let at = b.target(8)
      if b.chance(2) {
        b.registers[0] = b.initialWord(at) & 0xFFFF_FFFF
        b.registers[2] = b.initialWord(at + 4) & 0xFFFF_FFFF
      }
      b.memoryOperand(1, at: at)
    }
    if memory && b.chance(2) { b.prefixes.append(0xF0) }
  }
}
