// The templates that need a stack, string registers or a branch target.
extension CaseTemplates {
  private typealias B = CaseBuilder

  static func stack(_ b: inout CaseBuilder) {
    let middle = b.stackMiddle
    b.registers[4] = middle - 16 + UInt64(b.chance(2) ? b.below(9) * 4 : b.below(33))
    b.fixed = [4]
    // PUSHA and POPA are not there in 64-bit mode.
    var choice = b.below(12)
    if b.isLong && (choice == 7 || choice == 8) { choice = 0 }
    switch choice {
    case 0:
      b.name = "push"
      b.chooseStackSize()
      b.body = [b.inOpcode(0x50, b.register())]
    case 1:
      b.name = "push imm"
      b.chooseStackSize()
      b.body = [0x68]
      b.immediate(b.size)
    case 2:
      b.name = "push imm8"
      b.chooseStackSize()
      b.body = [0x6A]
      b.immediate(1)
    case 3:
      b.name = "push rm"
      b.chooseStackSize()
      b.body = [0xFF]
      b.memoryOperand(6)
    case 4, 5:
      b.name = "pop"
      b.chooseStackSize()
      b.body = [b.inOpcode(0x58, b.register())]
    case 6:
      b.name = "pop rm"
      b.chooseStackSize()
      b.body = [0x8F]
      b.memoryOperand(0)
    // A base of ESP counts with its value after the pop; the address then lies a little higher.
    case 7:
      b.name = "pusha"
      b.chooseSize()
      b.body = [0x60]
    case 8:
      b.name = "popa"
      b.chooseSize()
      b.body = [0x61]
    case 9, 10:
      b.name = "enter"
      b.chooseStackSize()
      b.registers[5] = middle + UInt64(b.below(64))
      b.body = [0xC8]
      b.append16(UInt64(b.below(40)))
      b.body.append(UInt8(b.below(4)))
    default:
      b.name = "leave"
      b.chooseStackSize()
      b.registers[5] = middle - 32 + UInt64(b.below(64))
      b.body = [0xC9]
    }
  }

  static func string(_ b: inout CaseBuilder) {
    let kinds: [(UInt8, String)] = [
      (0xA4, "movs"), (0xA6, "cmps"), (0xAA, "stos"), (0xAC, "lods"), (0xAE, "scas"),
    ]
    let kind = kinds[b.below(kinds.count)]
    b.name = kind.1
    let wide = b.chance(2) == false
    if wide { b.chooseSize() }
    if b.chance(5) {
      b.prefixes.append(0x67)
      b.addressSize = b.isLong ? 4 : 2
    }
    let compares = kind.0 == 0xA6 || kind.0 == 0xAE
    if b.chance(3) == false {
      b.repeats = true
      b.prefixes.append(compares && b.chance(2) ? 0xF2 : 0xF3)
      b.name = (b.prefixes.last == 0xF2 ? "repne " : "rep ") + kind.1
      b.registers[1] = UInt64(b.below(5) == 0 ? 0 : b.below(wide && b.size == 8 ? 25 : 50))
      // With nothing to repeat, Intel's processors clear the upper halves of the registers, AMD's leave them.
      if b.isLong && b.addressSize == 4 && b.registers[1] == 0 { b.registers[1] = 1 }
      b.fillAboveAddress(1)
    }
    let middle = b.dataMiddle
    b.registers[6] = middle - 32 + UInt64(b.below(64))
    b.registers[7] =
      b.chance(3)
      ? b.registers[6] &+ UInt64(bitPattern: Int64(b.below(17) - 8))
      : middle - 32 + UInt64(b.below(64))
    if compares && b.chance(2) { b.registers[7] = b.registers[6] }
    b.fillAboveAddress(6)
    b.fillAboveAddress(7)
    b.body = [kind.0 + (wide ? 1 : 0)]
  }

  static func branch(_ b: inout CaseBuilder) {
    b.registers[4] = b.stackMiddle - 16 + UInt64(b.below(9) * 4)
    b.fixed = [4]
    let conditions = [
      "jo", "jno", "jb", "jnb", "jz", "jnz", "jbe", "jnbe", "js", "jns", "jp", "jnp", "jl", "jnl",
      "jle", "jnle",
    ]
    let anywhere = UInt64(Arena.codeBase + b.word() % (Arena.codeSize - 64))
    switch b.below(12) {
    case 0, 1, 2:
      let condition = b.below(16)
      b.name = conditions[condition]
      b.body = [UInt8(0x70 + condition)]
      b.immediate(1)
    case 3:
      let condition = b.below(16)
      b.name = conditions[condition] + " near"
      b.body = [0x0F, UInt8(0x80 + condition)]
      b.append32(UInt64(b.below(0x1000)))
    case 4, 5:
      let op = b.below(4)
      b.name = ["loopne", "loope", "loop", "jecxz"][op]
      b.registers[1] = UInt64(b.below(4))
      if b.chance(4) {
        b.prefixes.append(0x67)
        b.registers[1] |= UInt64(b.word() & 0xFFFF_0000)
      }
      b.body = [UInt8(0xE0 + op)]
      b.immediate(1)
    case 6:
      b.name = "jmp"
      b.body = [b.chance(2) ? 0xEB : 0xE9]
      if b.body[0] == 0xEB { b.immediate(1) } else { b.append32(UInt64(b.below(0x1000))) }
    case 7:
      b.name = "call"
      b.body = [0xE8]
      b.append32(UInt64(b.below(0x1000)))
    case 8:
      let n = b.below(8)
      let op = b.chance(2) ? 2 : 4
      b.name = op == 2 ? "call r" : "jmp r"
      if n != 4 {
        b.registers[n] = anywhere
        b.body = [0xFF]
        b.registerOperand(op, n)
      } else {
        // Through the stack, which holds addresses of code.
        b.body = [0xFF]
        b.memoryOperand(op, at: UInt64(Arena.stack.lowerBound) + UInt64(b.below(60) * 4))
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
