import CZydis

/// One decoded instruction, 32 bytes, as it lies in the decode cache.
///
/// Operands are described once, by `form` and the register and address fields; `code` says which
/// case of the interpreter's switch executes it. Byte-sized register operands hold the *byte offset* in the
/// register block (AL 0, AH 1, CL 8 …), all other register operands the register's number.
public struct MicroOp {
  /// The case of the interpreter's switch.
  public var code: Code = .lookup
  /// Bits of `Prefix`.
  public var prefixes: UInt8 = 0
  /// Bits of `InstructionClass`.
  public var klass: UInt16 = 0
  /// Bytes of the instruction; the next one follows at this distance.
  public var length: UInt8 = 0
  /// Bytes of the operation: 1, 2, 4 or 8.
  public var operandSize: UInt8 = 0
  /// Bytes of an effective address: 2, 4 or 8.
  public var addressSize: UInt8 = 0
  /// `CPU.Segment` of the memory operand.
  public var segment: UInt8 = 0
  /// Register number, or `MicroOp.noRegister`.
  public var base: UInt8 = MicroOp.noRegister
  public var index: UInt8 = MicroOp.noRegister
  /// The index is shifted left by this: 0...3.
  public var scale: UInt8 = 0
  /// The operand that is always a register: ModRM.reg or the opcode's. For MOV with a segment,
  /// control or debug register, and for PUSH, POP, LDS … of a segment register, its number.
  public var reg: UInt8 = 0
  /// The r/m operand, when `Prefix.memory` is not set.
  public var rm: UInt8 = 0
  /// A `Form` value: which operands there are.
  public var form: Form = .none
  /// `ZydisMnemonic`.
  public var mnemonic: UInt16 = 0
  /// Displacement, sign-extended.
  public var disp: Int32 = 0
  /// A second immediate (ENTER's level), the selector of a far pointer, the source size of MOVZX
  /// and MOVSX, the condition of Jcc, SETcc and CMOVcc, or the pool index of a goto.
  public var extra: UInt32 = 0
  /// Immediate, sign-extended; distance of a relative branch; offset of a far pointer; or, with
  /// `Prefix.absolute`, the 64-bit address of the memory operand.
  public var imm: UInt64 = 0

  public init() {}

  /// A word of the CPU block that is always zero stands for "no base" and "no index".
  public static let noRegister: UInt8 = 23

  @inline(__always) public var isMemory: Bool { prefixes & Prefix.memory != 0 }
  @inline(__always) public var next: UInt64 { UInt64(length) }

  public enum Prefix {
    /// LOCK.
    public static let lock: UInt8 = 1 << 0
    /// REP, REPE.
    public static let rep: UInt8 = 1 << 1
    /// REPNE.
    public static let repne: UInt8 = 1 << 2
    /// The r/m operand is memory.
    public static let memory: UInt8 = 1 << 3
    /// The address is relative to the next instruction (64-bit mode).
    public static let ripRelative: UInt8 = 1 << 4
    /// The address is `imm`, too wide for `disp`.
    public static let absolute: UInt8 = 1 << 5
  }

  /// Which operands an instruction has, in Intel's order: destination first.
  public enum Form: UInt8 {
    case none
    /// r/m alone.
    case rm
    /// r/m ← reg.
    case rmReg
    /// reg ← r/m.
    case regRm
    /// r/m ← imm.
    case rmImm
    /// imm alone.
    case imm
    /// reg ← r/m, imm (IMUL), or r/m ← reg, imm (SHLD, SHRD).
    case regRmImm
    case rmRegImm
    /// MOV r/m, Sreg and PUSH Sreg.
    case fromSegment
    /// MOV Sreg, r/m and POP Sreg.
    case toSegment
    /// MOV r, CRn. `rm` is the general register, `reg` the control register.
    case fromControl
    /// MOV CRn, r.
    case toControl
    case fromDebug
    case toDebug
    /// JMP, CALL ptr16:16/32: `extra` the selector, `imm` the offset.
    case farPointer
    /// JMP, CALL m16:16/32; RETF (`imm` bytes to release).
    case far
    /// LDS, LES, LSS, LFS, LGS: `reg` the general register, `extra` the segment register.
    case farLoad
  }
}
