import CZydis

/// What the code at a handler's entry makes of the registers that it found there.
public struct VictimUse: Sendable {
  /// A register or an arithmetic flag is used, other than by saving it on the stack, before it is
  /// written.
  public var usesRegisters = false
  /// Slots that PUSH and PUSHA filled with such registers, counted downwards from the stack pointer at
  /// entry (bit 0 is the first one pushed).
  public var savedSlots: UInt64 = 0
}

extension Machine {
  /// Follows a handler's code from its entry, without executing it, to the first calls and returns.
  ///
  /// A register that is pushed is saved; one that is otherwise read before it was written tells the
  /// handler what it interrupted. A called function is looked at too. After a call, and where a target
  /// is not known, less is found out: compiled code reads no register that it did not write.
  /// - Parameter endsFunction: whether a function ends before an address. A call that is a function's
  ///   last instruction does not return, and what stands behind it is not the handler's.
  public func victimUse(
    _ cpu: Int, entry: UInt64, endsFunction: @escaping (UInt64) -> Bool = { _ in false }
  ) -> VictimUse {
    var scan = VictimScan(machine: self, cpu: cpu, endsFunction: endsFunction)
    scan.run(entry)
    return scan.use
  }
}

private struct VictimScan {
  let machine: Machine
  let cpu: Int
  let endsFunction: (UInt64) -> Bool
  var use = VictimUse()
  /// Where the walk was, with the union of what was untouched there.
  private var seen: [UInt64: UInt64] = [:]
  private var work: [(at: UInt64, untouched: UInt64, slots: Int)] = []
  private var decoder = ZydisDecoder()
  private var instruction = ZydisDecodedInstruction()
  private var operands = [ZydisDecodedOperand](repeating: ZydisDecodedOperand(), count: 10)

  // What is untouched: three bits for each register (its low byte, its second byte, the rest), and
  // the arithmetic flags above them, in the order of EFLAGS.
  private static func part(_ n: Int, _ bits: UInt64) -> UInt64 { bits << UInt64(3 * n) }
  private static let flagShift: UInt64 = 48
  /// The low 16 bits of every register.
  private static let lowWords: UInt64 = 0o3333_3333_3333_3333
  /// Every register but the stack pointer, which belongs to the handler; CF, PF, AF, ZF, SF, OF (Intel
  /// SDM Vol. 1 §3.4.3.1).
  private let everything: UInt64
  /// What a called function may have changed, by the calling conventions of System V: EAX, ECX, EDX; in
  /// 64-bit code also RSI, RDI, R8–R11.
  private let volatiles: UInt64
  private static let arithmetic: UInt32 = 0x8D5
  private let is64Bit: Bool
  private static let instructionLimit = 4000

  init(machine: Machine, cpu: Int, endsFunction: @escaping (UInt64) -> Bool) {
    self.machine = machine
    self.cpu = cpu
    self.endsFunction = endsFunction
    is64Bit = machine.cpus[cpu].is64Bit
    let flags = UInt64(VictimScan.arithmetic) << VictimScan.flagShift
    everything =
      ((1 << (is64Bit ? 48 : 24)) - 1) & ~VictimScan.part(CPU.Register.sp, 7) | flags
    volatiles =
      VictimScan.part(0, 0x1FF) | flags
      | (is64Bit ? VictimScan.part(6, 0x3F) | VictimScan.part(8, 0xFFF) : 0)
    if is64Bit {
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
    } else {
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32)
    }
  }

  mutating func run(_ entry: UInt64) {
    visit(entry, everything, 0)
    var count = 0
    while let next = work.popLast(), count < VictimScan.instructionLimit {
      count += 1
      step(next.at, next.untouched, next.slots)
    }
  }

  private mutating func visit(_ at: UInt64, _ untouched: UInt64, _ slots: Int) {
    if untouched == 0 { return }
    let known = seen[at] ?? 0
    if known & untouched == untouched { return }
    seen[at] = known | untouched
    work.append((at, known | untouched, slots))
  }

  /// - Parameter slots: slots pushed since the entry while it is still certain, else -1.
  private mutating func step(_ at: UInt64, _ untouched: UInt64, _ slots: Int) {
    var bytes: [UInt8] = []
    for i in 0..<UInt64(15) {
      guard let byte = machine.peek(cpu, linear: at + i, size: 1) else { break }
      bytes.append(UInt8(byte))
    }
    guard
      ZydisDecoderDecodeFull(
        &decoder, bytes, ZyanUSize(bytes.count), &instruction, &operands) & 0x8000_0000 == 0
    else { return }
    let next = at + UInt64(instruction.length)
    var untouched = untouched
    var slots = slots
    let m = instruction.mnemonic
    switch m {
    case ZYDIS_MNEMONIC_PUSH:
      if let n = register(operands[0]) {
        if slots >= 0 && slots < 64 && untouched & VictimScan.part(n, 7) != 0 {
          use.savedSlots |= 1 << UInt64(slots)
        }
      } else {
        judgeReads(untouched)
      }
      if slots >= 0 { slots += 1 }
    case ZYDIS_MNEMONIC_PUSHAD:
      for n in 0..<8 where slots >= 0 && slots + n < 64 && untouched & VictimScan.part(n, 7) != 0 {
        use.savedSlots |= 1 << UInt64(slots + n)
      }
      if slots >= 0 { slots += 8 }
    case ZYDIS_MNEMONIC_PUSHFD, ZYDIS_MNEMONIC_PUSHFQ:
      if slots >= 0 { slots += 1 }
    case ZYDIS_MNEMONIC_XOR where isSameRegister, ZYDIS_MNEMONIC_SUB where isSameRegister,
      ZYDIS_MNEMONIC_LEA where isNothing,
      ZYDIS_MNEMONIC_XCHG where operands[0].reg.value == operands[1].reg.value:
      break
    case ZYDIS_MNEMONIC_MOV where isSaveOnStack:
      // As compilers save registers that a function must keep where they do not push them.
      if slots >= 0 {
        let slot = slots - 1 - Int(operands[0].mem.disp.value) / (is64Bit ? 8 : 4)
        let n = register(operands[1]) ?? 0
        if slot >= 0 && slot < 64 && untouched & VictimScan.part(n, 7) != 0 {
          use.savedSlots |= 1 << UInt64(slot)
        }
      }
    default:
      judgeReads(untouched)
      if writesStackPointer { slots = -1 }
    }
    untouched &= ~written()
    // What PUSHA saved is back.
    if m == ZYDIS_MNEMONIC_POPAD { untouched = everything }
    // What compilers put where nothing comes to, behind a call that does not return.
    if m == ZYDIS_MNEMONIC_UD2 { return }
    switch instruction.meta.category {
    case ZYDIS_CATEGORY_RET: return
    case ZYDIS_CATEGORY_UNCOND_BR:
      if let target = target(next) { visit(target, untouched, slots) }
    case ZYDIS_CATEGORY_COND_BR:
      if let target = target(next) { visit(target, untouched, slots) }
      visit(next, untouched, slots)
    case ZYDIS_CATEGORY_CALL:
      if let target = target(next) { visit(target, untouched, -1) }
      if !endsFunction(next) { visit(next, untouched & ~volatiles, slots) }
    default:
      visit(next, untouched, slots)
    }
  }

  private func target(_ next: UInt64) -> UInt64? {
    guard operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE, operands[0].imm.is_relative != 0 else {
      return nil
    }
    return (next &+ operands[0].imm.value.u) & (is64Bit ? ~0 : 0xFFFF_FFFF)
  }

  private var isSameRegister: Bool {
    guard let a = register(operands[0]) else { return false }
    return a == register(operands[1])
  }

  /// LEA of a register's own value, with which assemblers fill up space.
  private var isNothing: Bool {
    let memory = operands[1].mem
    return operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY && register(operands[0]) != nil
      && operands[0].reg.value == memory.base && memory.disp.value == 0
      && number(memory.index) == nil
  }

  /// MOV of a whole register to a place in the handler's own part of the stack.
  private var isSaveOnStack: Bool {
    guard operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY, register(operands[1]) != nil,
      operands[1].size == (is64Bit ? 64 : 32)
    else { return false }
    let memory = operands[0].mem
    return number(memory.base) == CPU.Register.sp && number(memory.index) == nil
      && memory.disp.value >= 0
  }

  /// Number of the general register that an operand is, whatever its width.
  private func register(_ operand: ZydisDecodedOperand) -> Int? {
    operand.type == ZYDIS_OPERAND_TYPE_REGISTER ? number(operand.reg.value) : nil
  }

  private func number(_ register: ZydisRegister) -> Int? {
    let whole = ZydisRegisterGetLargestEnclosing(
      is64Bit ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32, register)
    guard
      ZydisRegisterGetClass(whole) == (is64Bit ? ZYDIS_REGCLASS_GPR64 : ZYDIS_REGCLASS_GPR32)
    else { return nil }
    return Int(ZydisRegisterGetId(whole)) & 15
  }

  private var writesStackPointer: Bool {
    (0..<Int(instruction.operand_count)).contains {
      operands[$0].actions & 0xA != 0 && register(operands[$0]) == CPU.Register.sp
    }
  }

  private var loadsSegment: Bool {
    instruction.mnemonic == ZYDIS_MNEMONIC_MOV
      && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER
      && ZydisRegisterGetClass(operands[0].reg.value) == ZYDIS_REGCLASS_SEGMENT
  }

  /// The bits of an operand's register.
  private func parts(_ operand: ZydisDecodedOperand) -> UInt64 {
    guard let n = register(operand) else { return 0 }
    switch operand.reg.value {
    case ZYDIS_REGISTER_AH, ZYDIS_REGISTER_CH, ZYDIS_REGISTER_DH, ZYDIS_REGISTER_BH:
      return VictimScan.part(n, 2)
    default: return VictimScan.part(n, operand.size == 8 ? 1 : operand.size == 16 ? 3 : 7)
    }
  }

  private mutating func judgeReads(_ untouched: UInt64) {
    var reads: UInt64 = 0
    for n in 0..<Int(instruction.operand_count) {
      let operand = operands[n]
      if operand.type == ZYDIS_OPERAND_TYPE_MEMORY {
        if let base = number(operand.mem.base) { reads |= VictimScan.part(base, 7) }
        if let index = number(operand.mem.index) { reads |= VictimScan.part(index, 7) }
      } else if operand.actions & 0x5 != 0 {  // ZYDIS_OPERAND_ACTION_MASK_READ
        // A segment register takes 16 bits, however wide its source is. SDM Vol. 2B, MOV.
        let part = parts(operand)
        reads |= loadsSegment ? part & VictimScan.lowWords : part
      }
    }
    if let flags = instruction.cpu_flags {
      reads |= UInt64(flags.pointee.tested & VictimScan.arithmetic) << VictimScan.flagShift
    }
    if reads & untouched != 0 { use.usesRegisters = true }
  }

  /// What the instruction certainly writes.
  private func written() -> UInt64 {
    var result: UInt64 = 0
    for n in 0..<Int(instruction.operand_count) where operands[n].actions & 0x2 != 0 {
      result |= parts(operands[n])
    }
    if let flags = instruction.cpu_flags {
      let f = flags.pointee
      let all = f.modified | f.set_0 | f.set_1 | f.undefined
      result |= UInt64(all & VictimScan.arithmetic) << VictimScan.flagShift
    }
    return result
  }
}
