import CZydis

/// Turns instruction bytes into micro-ops, by way of Zydis.
final class Decoder {
  enum Outcome {
    case done
    /// The bytes are the beginning of an instruction.
    case needsMore
  }

  /// Per `DecodeMode`.
  let decoders: UnsafeMutablePointer<ZydisDecoder>
  private let instruction: UnsafeMutablePointer<ZydisDecodedInstruction>
  private let operands: UnsafeMutablePointer<ZydisDecodedOperand>

  private static let operandCapacity = 10
  private static let needsMoreStatus: UInt32 = 0x8020_0000
  private static let tooLongStatus: UInt32 = 0x8020_0002

  init() {
    decoders = .allocate(capacity: DecodeMode.count)
    decoders.initialize(repeating: ZydisDecoder(), count: DecodeMode.count)
    instruction = .allocate(capacity: 1)
    instruction.initialize(to: ZydisDecodedInstruction())
    operands = .allocate(capacity: Decoder.operandCapacity)
    operands.initialize(repeating: ZydisDecodedOperand(), count: Decoder.operandCapacity)
    for mode in 0..<DecodeMode.count {
      let decoder = decoders + mode
      switch mode {
      case DecodeMode.segmented16:
        ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16)
      case DecodeMode.long64:
        ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
      default:
        ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32)
      }
      // The processor has no BMI1 and no LZCNT: their encodings are BSF and BSR, and compilers
      // rely on it. Intel SDM Vol. 2, "TZCNT", "LZCNT".
      ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_LZCNT, 0)
      ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_TZCNT, 0)
    }
  }

  deinit {
    decoders.deallocate()
    instruction.deallocate()
    operands.deallocate()
  }

  /// Decodes the instruction at `bytes`, of which `available` (at most 15) may be looked at.
  func decode(
    _ bytes: UnsafeRawPointer, _ available: Int, mode: Int, into op: inout MicroOp
  ) -> Outcome {
    let status = ZydisDecoderDecodeFull(
      decoders + mode, bytes, ZyanUSize(available), instruction, operands)
    if status & 0x8000_0000 != 0 {
      if status == Decoder.needsMoreStatus && available < 15 { return .needsMore }
      op.code =
        status == Decoder.tooLongStatus || status == Decoder.needsMoreStatus
        ? .tooLong : .undefined
      // A change of any byte that was looked at may make an instruction of it.
      op.length = UInt8(available)
      return .done
    }
    let i = instruction.pointee
    op.mnemonic = UInt16(truncatingIfNeeded: i.mnemonic.rawValue)
    op.length = i.length
    op.operandSize = i.operand_width / 8
    op.addressSize = i.address_width / 8
    notePrefixes(bytes, mode: mode, &op)
    describeOperands(bytes, mode: mode, &op)
    OpcodeTable.shared.classify(&op, i)
    if op.code == .vector { describeVector(&op) }
    if i.mnemonic == ZYDIS_MNEMONIC_XCHG && op.isMemory {
      op.klass |= InstructionClass.locked  // Intel SDM Vol. 3A §9.1.2.1
    }
    if op.prefixes & MicroOp.Prefix.lock != 0 { op.klass |= InstructionClass.locked }
    noteStackLoad(&op)
    if mode == DecodeMode.flat32 { op.specialise() }
    if mode == DecodeMode.long64 { op.specialiseLong() }
    return .done
  }

  /// Legacy prefixes as they stand in the bytes: of F2 and F3 the last one counts.
  /// A REX prefix that another prefix follows counts for nothing (Intel SDM Vol. 2A §2.2.1).
  private func notePrefixes(_ bytes: UnsafeRawPointer, mode: Int, _ op: inout MicroOp) {
    var i = 0
    while true {
      switch bytes.load(fromByteOffset: i, as: UInt8.self) {
      case 0xF0: op.prefixes |= MicroOp.Prefix.lock
      case 0xF2:
        op.prefixes = op.prefixes & ~MicroOp.Prefix.rep | MicroOp.Prefix.repne
      case 0xF3:
        op.prefixes = op.prefixes & ~MicroOp.Prefix.repne | MicroOp.Prefix.rep
      case 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67: break
      case 0x40...0x4F where mode == DecodeMode.long64: break
      default: return
      }
      i += 1
    }
  }

  // MARK: Operands

  private func describeOperands(_ bytes: UnsafeRawPointer, mode: Int, _ op: inout MicroOp) {
    let i = instruction.pointee
    let count = Int(i.operand_count_visible)
    var kinds: (ZydisOperandType?, ZydisOperandType?, ZydisOperandType?) = (nil, nil, nil)
    for n in 0..<count {
      let operand = operands[n]
      if n == 0 { kinds.0 = operand.type }
      if n == 1 { kinds.1 = operand.type }
      if n == 2 { kinds.2 = operand.type }
      switch operand.type {
      case ZYDIS_OPERAND_TYPE_MEMORY: describeMemory(operand, mode: mode, &op)
      case ZYDIS_OPERAND_TYPE_IMMEDIATE: op.imm = operand.imm.value.u
      case ZYDIS_OPERAND_TYPE_POINTER:
        op.extra = UInt32(operand.ptr.segment)
        op.imm = UInt64(operand.ptr.offset)
      default: break
      }
    }
    if count == 0 {
      // The source of a string instruction and XLAT's table are hidden operands; a prefix may
      // have changed their segment.
      for n in 0..<Int(i.operand_count) where operands[n].type == ZYDIS_OPERAND_TYPE_MEMORY {
        switch operands[n].mem.base {
        case ZYDIS_REGISTER_SI, ZYDIS_REGISTER_ESI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_BX,
          ZYDIS_REGISTER_EBX, ZYDIS_REGISTER_RBX:
          op.segment = UInt8(max(0, ZydisRegisterGetId(operands[n].mem.segment)))
        default: break
        }
      }
    }
    let register = ZYDIS_OPERAND_TYPE_REGISTER
    let memory = ZYDIS_OPERAND_TYPE_MEMORY
    let immediate = ZYDIS_OPERAND_TYPE_IMMEDIATE
    let far = i.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR
    if kinds.0 == ZYDIS_OPERAND_TYPE_POINTER {
      op.form = .farPointer
    } else if far {
      op.form = .far
    } else if i.mnemonic == ZYDIS_MNEMONIC_IN || i.mnemonic == ZYDIS_MNEMONIC_OUT {
      // The port is an immediate or DX; the other operand is the accumulator.
      op.form = kinds.0 == immediate || kinds.1 == immediate ? .imm : .none
      op.operandSize =
        UInt8(operands[i.mnemonic == ZYDIS_MNEMONIC_IN ? 0 : 1].size / 8)
    } else if kinds.0 == nil {
      op.form = .none
    } else if kinds.1 == nil {
      describeSingle(&op)
    } else if kinds.2 != nil {
      // SHLD and SHRD with CL have a register there: `extra` says so.
      if kinds.0 == memory || i.mnemonic == ZYDIS_MNEMONIC_SHLD
        || i.mnemonic == ZYDIS_MNEMONIC_SHRD
      {
        op.form = .rmRegImm
        if kinds.0 == register { op.rm = number(0) }
        op.reg = number(1)
        op.extra = kinds.2 == register ? 1 : 0
      } else {
        op.form = .regRmImm
        op.reg = number(0)
        if kinds.1 == register { op.rm = number(1) }
      }
    } else if kinds.0 == register && kinds.1 == register {
      describePair(&op)
    } else if kinds.0 == register && kinds.1 == memory {
      op.form = isSegment(0) ? .toSegment : .regRm
      op.reg = number(0)
    } else if kinds.0 == memory && kinds.1 == register {
      op.form = isSegment(1) ? .fromSegment : .rmReg
      op.reg = number(1)
    } else if kinds.1 == immediate {
      // ENTER has two immediates, the second in `extra`.
      if kinds.0 == immediate {
        op.form = .imm
        op.imm = operands[0].imm.value.u
        op.extra = UInt32(truncatingIfNeeded: operands[1].imm.value.u)
      } else {
        op.form = .rmImm
        if kinds.0 == register { op.rm = number(0) }
      }
    }
    switch i.mnemonic {
    case ZYDIS_MNEMONIC_MOVZX, ZYDIS_MNEMONIC_MOVSX, ZYDIS_MNEMONIC_MOVSXD:
      op.extra = UInt32(operands[1].size / 8)
      op.operandSize = UInt8(operands[0].size / 8)
    case ZYDIS_MNEMONIC_LDS: describeFarLoad(&op, CPU.Segment.ds)
    case ZYDIS_MNEMONIC_LES: describeFarLoad(&op, CPU.Segment.es)
    case ZYDIS_MNEMONIC_LSS: describeFarLoad(&op, CPU.Segment.ss)
    case ZYDIS_MNEMONIC_LFS: describeFarLoad(&op, CPU.Segment.fs)
    case ZYDIS_MNEMONIC_LGS: describeFarLoad(&op, CPU.Segment.gs)
    default:
      if OpcodeTable.shared[op.mnemonic].hasCondition { op.extra = UInt32(i.opcode & 0xF) }
    }
  }

  /// Which operands of a vector instruction are general registers or belong to MMX.
  private func describeVector(_ op: inout MicroOp) {
    for n in 0..<Int(instruction.pointee.operand_count_visible)
    where operands[n].type == ZYDIS_OPERAND_TYPE_REGISTER {
      switch registerClass(n) {
      case ZYDIS_REGCLASS_XMM: break
      case ZYDIS_REGCLASS_GPR16, ZYDIS_REGCLASS_GPR32, ZYDIS_REGCLASS_GPR64:
        op.extra |= n == 0 ? VectorKind.firstIsGeneral : VectorKind.secondIsGeneral
      default: op.extra |= VectorKind.other
      }
    }
  }

  private func describeFarLoad(_ op: inout MicroOp, _ segment: Int) {
    op.form = .farLoad
    op.reg = number(0)
    op.extra = UInt32(segment)
  }

  private func describeSingle(_ op: inout MicroOp) {
    switch operands[0].type {
    case ZYDIS_OPERAND_TYPE_IMMEDIATE: op.form = .imm
    case ZYDIS_OPERAND_TYPE_MEMORY: op.form = .rm
    default:
      op.rm = number(0)
      op.reg = op.rm
      op.form = .rm
      if isSegment(0) {
        op.form = instruction.pointee.mnemonic == ZYDIS_MNEMONIC_POP ? .toSegment : .fromSegment
      }
    }
  }

  private func describePair(_ op: inout MicroOp) {
    op.reg = number(0)
    op.rm = number(1)
    op.form = .regRm
    switch (registerClass(0), registerClass(1)) {
    case (ZYDIS_REGCLASS_SEGMENT, _): op.form = .toSegment
    case (ZYDIS_REGCLASS_CONTROL, _): op.form = .toControl
    case (ZYDIS_REGCLASS_DEBUG, _): op.form = .toDebug
    case (_, ZYDIS_REGCLASS_SEGMENT):
      op.form = .fromSegment
      (op.reg, op.rm) = (op.rm, op.reg)
    case (_, ZYDIS_REGCLASS_CONTROL):
      op.form = .fromControl
      (op.reg, op.rm) = (op.rm, op.reg)
    case (_, ZYDIS_REGCLASS_DEBUG):
      op.form = .fromDebug
      (op.reg, op.rm) = (op.rm, op.reg)
    default:
      switch OpcodeTable.shared[op.mnemonic].code {
      case .shift, .bitTest, .exchange, .atomic:
        // The first is the r/m operand: destination and source are not of one kind.
        op.form = .rmReg
        (op.reg, op.rm) = (op.rm, op.reg)
      case .system where ZydisMnemonic(UInt32(op.mnemonic)) == ZYDIS_MNEMONIC_ARPL:
        op.form = .rmReg
        (op.reg, op.rm) = (op.rm, op.reg)
      default: break
      }
    }
  }

  private func registerClass(_ n: Int) -> ZydisRegisterClass {
    ZydisRegisterGetClass(operands[n].reg.value)
  }

  private func isSegment(_ n: Int) -> Bool {
    operands[n].type == ZYDIS_OPERAND_TYPE_REGISTER
      && registerClass(n) == ZYDIS_REGCLASS_SEGMENT
  }

  /// The register's number; for a byte register its offset in the register block.
  private func number(_ n: Int) -> UInt8 {
    let value = operands[n].reg.value
    if ZydisRegisterGetClass(value) == ZYDIS_REGCLASS_GPR8 {
      // AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B … R15B.
      let id = UInt8(value.rawValue - ZYDIS_REGISTER_AL.rawValue)
      switch id {
      case 0...3: return id * 8
      case 4...7: return (id - 4) * 8 + 1
      default: return (id - 4) * 8
      }
    }
    let id = ZydisRegisterGetId(value)
    return id < 0 ? 0 : UInt8(id)
  }

  private func describeMemory(_ operand: ZydisDecodedOperand, mode: Int, _ op: inout MicroOp) {
    op.prefixes |= MicroOp.Prefix.memory
    op.segment = UInt8(max(0, ZydisRegisterGetId(operand.mem.segment)))
    let displacement = operand.mem.disp.value
    if operand.encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64 {
      op.prefixes |= MicroOp.Prefix.absolute
      op.imm = UInt64(bitPattern: displacement)
      if op.addressSize < 8 {
        // Also as a displacement, so that the short forms apply.
        op.disp = Int32(truncatingIfNeeded: displacement)
        op.prefixes &= ~MicroOp.Prefix.absolute
      }
    } else if operand.mem.disp.has_displacement != 0 {
      op.disp = Int32(truncatingIfNeeded: displacement)
    }
    switch operand.mem.base {
    case ZYDIS_REGISTER_NONE: break
    case ZYDIS_REGISTER_RIP, ZYDIS_REGISTER_EIP: op.prefixes |= MicroOp.Prefix.ripRelative
    default: op.base = UInt8(ZydisRegisterGetId(operand.mem.base))
    }
    if operand.mem.index != ZYDIS_REGISTER_NONE {
      op.index = UInt8(ZydisRegisterGetId(operand.mem.index))
      op.scale = UInt8(operand.mem.scale.trailingZeroBitCount)
    }
  }

  /// Marks instructions that load the stack pointer in a way that may mean another stack.
  private func noteStackLoad(_ op: inout MicroOp) {
    let i = instruction.pointee
    var writes = false
    for n in 0..<Int(i.operand_count_visible) {
      let operand = operands[n]
      guard operand.type == ZYDIS_OPERAND_TYPE_REGISTER,
        operand.actions & 0xA != 0  // ZYDIS_OPERAND_ACTION_MASK_WRITE
      else { continue }
      let value = operand.reg.value
      if value == ZYDIS_REGISTER_ESP || value == ZYDIS_REGISTER_SP || value == ZYDIS_REGISTER_RSP
        || value == ZYDIS_REGISTER_SS
      {
        writes = true
      }
    }
    if i.mnemonic == ZYDIS_MNEMONIC_LSS { writes = true }
    guard writes else { return }
    switch i.mnemonic {
    case ZYDIS_MNEMONIC_ADD, ZYDIS_MNEMONIC_SUB, ZYDIS_MNEMONIC_AND, ZYDIS_MNEMONIC_LEA,
      ZYDIS_MNEMONIC_INC, ZYDIS_MNEMONIC_DEC:
      return
    case ZYDIS_MNEMONIC_MOV where op.form == .regRm && !op.isMemory && op.rm == CPU.Register.bp:
      return
    default: op.klass |= InstructionClass.stackLoad
    }
  }
}
