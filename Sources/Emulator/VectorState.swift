/// Where the registers of x87 and SSE are kept: a frame of hidden memory, 512 bytes for each CPU, so that
/// undo, comparison and fingerprint cover them at no cost to kernels that have no use for them. The
/// layout is that of FXSAVE's image (Intel SDM Vol. 1 §10.5.1, table 10-2).
enum VectorState {
  static let frame: UInt64 = 8
  static let byteCount: UInt64 = 512
  /// Control word in bits 0–15, status word in 16–31, abridged tag word in 32–39.
  static let control: UInt64 = 0
  /// MXCSR in the low half, its mask in the high half.
  static let mxcsr: UInt64 = 24
  static let registers: UInt64 = 160
  /// As FNINIT (FCW 37Fh, all registers empty) and RESET (MXCSR 1F80h) leave them.
  static let initialControl: UInt64 = 0x37F
  static let initialMXCSR: UInt64 = 0x0000_FFFF_0000_1F80
  static let mxcsrMask: UInt64 = 0xFFFF
}

/// What `MicroOp.extra` says of a vector instruction.
enum VectorKind {
  static let x87: UInt32 = 0
  static let sse: UInt32 = 1
  static let mmx: UInt32 = 2
  static let mask: UInt32 = 3
  /// The first, the second operand is a general register.
  static let firstIsGeneral: UInt32 = 4
  static let secondIsGeneral: UInt32 = 8
  /// An operand is a register of another kind.
  static let other: UInt32 = 16
}

/// An XMM register.
struct Vector128: Equatable {
  var low: UInt64 = 0
  var high: UInt64 = 0

  /// One of four 32-bit elements.
  subscript(_ n: Int) -> UInt64 {
    get { (n < 2 ? low : high) >> (UInt64(n & 1) * 32) & 0xFFFF_FFFF }
    set {
      let shift = UInt64(n & 1) * 32
      let mask: UInt64 = 0xFFFF_FFFF << shift
      if n < 2 {
        low = low & ~mask | newValue << shift
      } else {
        high = high & ~mask | newValue << shift
      }
    }
  }
}

extension Machine {
  func vectorWord(_ cpu: Int, _ offset: UInt64) -> UInt64 {
    memory.hiddenBase + VectorState.frame * UInt64(Memory.frameSize)
      + UInt64(cpu) * VectorState.byteCount + offset
  }

  func resetVectorState() {
    for cpu in cpus.indices {
      memory.setWord(at: vectorWord(cpu, VectorState.control), VectorState.initialControl)
      memory.setWord(at: vectorWord(cpu, VectorState.mxcsr), VectorState.initialMXCSR)
    }
  }

  func vector(_ cpu: Int, _ n: UInt8) -> Vector128 {
    let at = vectorWord(cpu, VectorState.registers + UInt64(n) * 16)
    return Vector128(low: memory.word(at: at), high: memory.word(at: at + 8))
  }

  func setVector(_ cpu: Int, _ n: UInt8, _ value: Vector128) {
    let at = vectorWord(cpu, VectorState.registers + UInt64(n) * 16)
    memory.setWord(at: at, value.low)
    memory.setWord(at: at + 8, value.high)
  }

  /// The contents of XMM`number` of a CPU, low half first.
  public func vectorRegister(_ cpu: Int, _ number: Int) -> (low: UInt64, high: UInt64) {
    let value = vector(cpu, UInt8(number))
    return (value.low, value.high)
  }

  public func setVectorRegister(_ cpu: Int, _ number: Int, low: UInt64, high: UInt64) {
    setVector(cpu, UInt8(number), Vector128(low: low, high: high))
  }
}
