/// One processor's architectural state: a fixed block of 64-bit words.
///
/// A block rather than a struct with fields, so that a snapshot is one `memcpy`, a fingerprint is
/// one pass over the words, and the interpreter loop reaches every register through one raw
/// pointer. Between calls of `Machine.run` the block is complete: flags are materialised, `rip` is
/// the next instruction.
public struct CPU {
  /// Number of 64-bit words in the block.
  public static let wordCount = 96
  /// Words `0..<hotWords` change with almost every instruction; the rest only by privileged ones.
  public static let hotWords = 24

  public let words: UnsafeMutablePointer<UInt64>

  public init() {
    words = .allocate(capacity: CPU.wordCount)
    words.initialize(repeating: 0, count: CPU.wordCount)
  }

  public func deallocate() { words.deallocate() }

  /// Word numbers of the block.
  public enum Word {
    // 0...15: general registers in the encoding's order: RAX RCX RDX RBX RSP RBP RSI RDI R8...R15.
    public static let rip = 16
    public static let rflags = 17
    /// 0: none; 1: after STI; 2: after MOV SS or POP SS. Intel SDM Vol. 3A §6.8.
    public static let shadow = 18
    /// An `Activity` raw value.
    public static let activity = 19
    /// Bit 0: NMI blocked until IRET (Vol. 3A §6.7.1); bit 1: an NMI is latched.
    public static let nmi = 20
    /// Current privilege level, 0...3.
    public static let cpl = 21
    /// Segment registers: 4 words each (selector, base, limit in bytes, attributes), in the
    /// encoding's order ES CS SS DS FS GS, then LDTR and TR.
    public static let segments = 24
    public static let gdtrBase = 56
    public static let gdtrLimit = 57
    public static let idtrBase = 58
    public static let idtrLimit = 59
    public static let cr0 = 60
    public static let cr2 = 61
    public static let cr3 = 62
    public static let cr4 = 63
    public static let efer = 64
    public static let cr8 = 65
    public static let star = 66
    public static let lstar = 67
    public static let cstar = 68
    public static let fmask = 69
    public static let kernelGSBase = 70
    public static let sysenterCS = 71
    public static let sysenterESP = 72
    public static let sysenterEIP = 73
    public static let tscAux = 74
    public static let apicBase = 75
    public static let dr0 = 76  // ...83: DR0–DR7
    public static let pat = 84
  }

  public enum Activity {
    public static let running: UInt64 = 0
    public static let halted: UInt64 = 1
    /// After a triple fault. Intel SDM Vol. 3A §6.15, "Interrupt 8".
    public static let shutdown: UInt64 = 2
    public static let waitForSIPI: UInt64 = 3
  }

  /// General registers by encoding number.
  public enum Register {
    public static let ax = 0
    public static let cx = 1
    public static let dx = 2
    public static let bx = 3
    public static let sp = 4
    public static let bp = 5
    public static let si = 6
    public static let di = 7
  }

  /// Segment registers by encoding number; LDTR and TR follow.
  public enum Segment {
    public static let es = 0
    public static let cs = 1
    public static let ss = 2
    public static let ds = 3
    public static let fs = 4
    public static let gs = 5
    public static let ldtr = 6
    public static let tr = 7
  }

  /// Bits of RFLAGS. Intel SDM Vol. 1 §3.4.3.
  public enum Flag {
    public static let cf: UInt64 = 1 << 0
    public static let fixed: UInt64 = 1 << 1
    public static let pf: UInt64 = 1 << 2
    public static let af: UInt64 = 1 << 4
    public static let zf: UInt64 = 1 << 6
    public static let sf: UInt64 = 1 << 7
    public static let tf: UInt64 = 1 << 8
    public static let `if`: UInt64 = 1 << 9
    public static let df: UInt64 = 1 << 10
    public static let of: UInt64 = 1 << 11
    public static let iopl: UInt64 = 3 << 12
    public static let nt: UInt64 = 1 << 14
    public static let rf: UInt64 = 1 << 16
    public static let vm: UInt64 = 1 << 17
    public static let ac: UInt64 = 1 << 18
    public static let vif: UInt64 = 1 << 19
    public static let vip: UInt64 = 1 << 20
    public static let id: UInt64 = 1 << 21
  }

  @inline(__always) public subscript(_ word: Int) -> UInt64 {
    get { words[word] }
    nonmutating set { words[word] = newValue }
  }

  @inline(__always) public var rip: UInt64 {
    get { words[Word.rip] }
    nonmutating set { words[Word.rip] = newValue }
  }
  @inline(__always) public var rsp: UInt64 {
    get { words[Register.sp] }
    nonmutating set { words[Register.sp] = newValue }
  }
  @inline(__always) public var rflags: UInt64 {
    get { words[Word.rflags] }
    nonmutating set { words[Word.rflags] = newValue }
  }
  /// IA-32e mode is active: EFER.LMA. Intel SDM Vol. 3A §2.2.1.
  @inline(__always) public var isLongMode: Bool { words[Word.efer] & 1 << 10 != 0 }
  /// The code that runs is 64-bit code: IA-32e mode with CS.L set. Intel SDM Vol. 3A §5.2.1.
  @inline(__always) public var is64Bit: Bool {
    isLongMode && attributes(Segment.cs) & 1 << 13 != 0
  }
  /// Linear address of the next instruction. Intel SDM Vol. 3A §3.4.4: the base of CS is taken as 0
  /// in 64-bit mode.
  @inline(__always) public var linearIP: UInt64 {
    is64Bit ? rip : (base(Segment.cs) &+ rip) & 0xFFFF_FFFF
  }
  @inline(__always) public var cpl: Int { Int(truncatingIfNeeded: words[Word.cpl]) }
  @inline(__always) public var interruptsEnabled: Bool { words[Word.rflags] & Flag.if != 0 }

  /// The selector held by a segment register.
  @inline(__always) public func selector(_ segment: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: words[Word.segments + segment * 4])
  }
  @inline(__always) public func base(_ segment: Int) -> UInt64 {
    words[Word.segments + segment * 4 + 1]
  }
  @inline(__always) public func limit(_ segment: Int) -> UInt64 {
    words[Word.segments + segment * 4 + 2]
  }
  /// Descriptor attributes: bits 0–3 type, 4 S, 5–6 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G,
  /// as in descriptor bits 40–55. 0 for a null selector. Intel SDM Vol. 3A §3.4.5.
  @inline(__always) public func attributes(_ segment: Int) -> UInt64 {
    words[Word.segments + segment * 4 + 3]
  }
  public func setSegment(
    _ segment: Int, selector: UInt16, base: UInt64, limit: UInt64, attributes: UInt64
  ) {
    let w = words + Word.segments + segment * 4
    w[0] = UInt64(selector)
    w[1] = base
    w[2] = limit
    w[3] = attributes
  }
}
