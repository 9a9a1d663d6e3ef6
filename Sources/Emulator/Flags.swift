/// Arithmetic and its flags on operands of any size. Intel SDM Vol. 1 §3.4.3.1, Vol. 2 under each
/// instruction. Operands come cut to their size; so do results.
enum Flags {
  static let cf = CPU.Flag.cf
  static let pf = CPU.Flag.pf
  static let af = CPU.Flag.af
  static let zf = CPU.Flag.zf
  static let sf = CPU.Flag.sf
  static let of = CPU.Flag.of
  /// The six arithmetic flags.
  static let all = cf | pf | af | zf | sf | of

  @inline(__always) static func mask(_ size: Int) -> UInt64 {
    ~0 as UInt64 >> UInt64(64 &- size &* 8)
  }

  @inline(__always) static func top(_ size: Int) -> UInt64 { 1 << UInt64(size &* 8 &- 1) }

  /// SF, ZF and PF of a result.
  @inline(__always) static func ofResult(_ r: UInt64, _ size: Int) -> UInt64 {
    var flags: UInt64 = 0
    if r == 0 { flags |= zf }
    if r & top(size) != 0 { flags |= sf }
    if UInt8(truncatingIfNeeded: r).nonzeroBitCount & 1 == 0 { flags |= pf }
    return flags
  }

  @inline(__always) static func add(
    _ a: UInt64, _ b: UInt64, carry: UInt64, _ size: Int
  ) -> (UInt64, UInt64) {
    let r = (a &+ b &+ carry) & mask(size)
    var flags = ofResult(r, size) | (a ^ b ^ r) & af
    if ((a & b) | ((a | b) & ~r)) & top(size) != 0 { flags |= cf }
    if (a ^ r) & (b ^ r) & top(size) != 0 { flags |= of }
    return (r, flags)
  }

  @inline(__always) static func subtract(
    _ a: UInt64, _ b: UInt64, borrow: UInt64, _ size: Int
  ) -> (UInt64, UInt64) {
    let r = (a &- b &- borrow) & mask(size)
    var flags = ofResult(r, size) | (a ^ b ^ r) & af
    if ((~a & b) | ((~a | b) & r)) & top(size) != 0 { flags |= cf }
    if (a ^ b) & (a ^ r) & top(size) != 0 { flags |= of }
    return (r, flags)
  }

  /// AND, OR, XOR, TEST: CF and OF are 0; AF is undefined and is cleared here, as processors do.
  @inline(__always) static func logic(_ r: UInt64, _ size: Int) -> UInt64 { ofResult(r, size) }

  /// Whether the condition in the low four bits of an opcode holds. Intel SDM Vol. 1 App. B.
  @inline(__always) static func holds(_ condition: UInt32, _ flags: UInt64) -> Bool {
    let result: Bool
    switch condition >> 1 {
    case 0: result = flags & of != 0
    case 1: result = flags & cf != 0
    case 2: result = flags & zf != 0
    case 3: result = flags & (cf | zf) != 0
    case 4: result = flags & sf != 0
    case 5: result = flags & pf != 0
    case 6: result = (flags & sf != 0) != (flags & of != 0)
    default: result = flags & zf != 0 || (flags & sf != 0) != (flags & of != 0)
    }
    return result != (condition & 1 != 0)
  }
}

/// The six arithmetic flags as the interpreter's loop carries them: not computed until asked for.
///
/// Every instruction of the loop leaves the result and the vector of carries; a flag is a bit of
/// one of them. Results of less than 64 bits are sign-extended. Carries are aligned so that the
/// carry out of the top bit is bit 31, the carry into it bit 30, the carry out of bit 3 is bit 3.
struct LazyFlags {
  /// ZF is whether this is zero.
  var zero: UInt64
  /// SF is its bit 63, PF the parity of its low byte.
  var sign: UInt64
  var carries: UInt32

  /// From the flags register.
  @inline(__always) init(_ flags: UInt64) {
    zero = ~flags & CPU.Flag.zf
    sign = (flags & CPU.Flag.sf) << 56 | (flags & CPU.Flag.pf != 0 ? 0 : 1)
    let c = UInt32(truncatingIfNeeded: flags & 1)
    let o = UInt32(truncatingIfNeeded: flags >> 11) & 1
    carries = c << 31 | (c ^ o) << 30 | UInt32(truncatingIfNeeded: flags & CPU.Flag.af) >> 1
  }

  @inline(__always) var cf: Bool { Int32(bitPattern: carries) < 0 }
  @inline(__always) var zf: Bool { zero == 0 }
  @inline(__always) var sf: Bool { Int64(bitPattern: sign) < 0 }
  @inline(__always) var of: Bool { Int32(bitPattern: carries ^ carries << 1) < 0 }
  @inline(__always) var pf: Bool { UInt8(truncatingIfNeeded: sign).nonzeroBitCount & 1 == 0 }

  /// As `Flags.holds`.
  @inline(__always) func holds(_ condition: UInt32) -> Bool {
    let result: Bool
    switch condition >> 1 {
    case 0: result = of
    case 1: result = cf
    case 2: result = zf
    case 3: result = cf || zf
    case 4: result = sf
    case 5: result = pf
    case 6: result = sf != of
    default: result = zf || sf != of
    }
    return result != (condition & 1 != 0)
  }

  /// The flags register with these flags and the others of `rest`.
  @inline(__always) func register(_ rest: UInt64) -> UInt64 {
    let c = UInt64(carries >> 31)
    let o = UInt64((carries ^ carries << 1) >> 31)
    let a = UInt64(carries & 8) << 1
    let z: UInt64 = zero == 0 ? CPU.Flag.zf : 0
    let s = (sign >> 63) << 7
    let p: UInt64 = pf ? CPU.Flag.pf : 0
    return rest & ~Flags.all | c | p | a | z | s | o << 11
  }

  // The setters of the 32-bit operations.

  @inline(__always) mutating func setResult(_ r: UInt32) {
    zero = UInt64(bitPattern: Int64(Int32(bitPattern: r)))
    sign = zero
  }

  @inline(__always) mutating func add(_ a: UInt32, _ b: UInt32, _ r: UInt32) {
    setResult(r)
    carries = (a & b) | ((a | b) & ~r)
  }

  @inline(__always) mutating func subtract(_ a: UInt32, _ b: UInt32, _ r: UInt32) {
    setResult(r)
    carries = (~a & b) | ((~a | b) & r)
  }

  @inline(__always) mutating func logic(_ r: UInt32) {
    setResult(r)
    carries = 0
  }

  // Those of the 64-bit operations.

  @inline(__always) mutating func setResult(_ r: UInt64) {
    zero = r
    sign = r
  }

  @inline(__always) private mutating func setCarries(_ c: UInt64) {
    carries =
      UInt32(truncatingIfNeeded: c >> 32) & 0xC000_0000 | UInt32(truncatingIfNeeded: c) & 8
  }

  @inline(__always) mutating func add(_ a: UInt64, _ b: UInt64, _ r: UInt64) {
    setResult(r)
    setCarries((a & b) | ((a | b) & ~r))
  }

  @inline(__always) mutating func subtract(_ a: UInt64, _ b: UInt64, _ r: UInt64) {
    setResult(r)
    setCarries((~a & b) | ((~a | b) & r))
  }

  @inline(__always) mutating func logic(_ r: UInt64) {
    setResult(r)
    carries = 0
  }

  /// INC: CF stays.
  @inline(__always) mutating func increment(_ a: UInt64, _ r: UInt64) {
    let c = carries >> 31
    setResult(r)
    let o: UInt32 = r == 1 << 63 ? 1 : 0
    carries = c << 31 | (c ^ o) << 30 | (r & 0xF == 0 ? 8 : 0)
  }

  /// DEC: CF stays.
  @inline(__always) mutating func decrement(_ a: UInt64, _ r: UInt64) {
    let c = carries >> 31
    setResult(r)
    let o: UInt32 = r == ~(1 << 63) ? 1 : 0
    carries = c << 31 | (c ^ o) << 30 | (r & 0xF == 0xF ? 8 : 0)
  }

  // Those of the 8-bit operations.

  @inline(__always) mutating func subtract8(_ a: UInt8, _ b: UInt8, _ r: UInt8) {
    logic8(r)
    let c = (~a & b) | ((~a | b) & r)
    carries = UInt32(c) << 24 | UInt32(c & 8)
  }

  @inline(__always) mutating func add8(_ a: UInt8, _ b: UInt8, _ r: UInt8) {
    logic8(r)
    let c = (a & b) | ((a | b) & ~r)
    carries = UInt32(c) << 24 | UInt32(c & 8)
  }

  @inline(__always) mutating func logic8(_ r: UInt8) {
    zero = UInt64(bitPattern: Int64(Int8(bitPattern: r)))
    sign = zero
    carries = 0
  }

  /// INC: CF stays.
  @inline(__always) mutating func increment(_ a: UInt32, _ r: UInt32) {
    let c = carries >> 31
    setResult(r)
    // Only 0x7FFF_FFFF + 1 overflows; the carry out of bit 3 is when the low four become 0.
    let o: UInt32 = r == 0x8000_0000 ? 1 : 0
    carries = c << 31 | (c ^ o) << 30 | (r & 0xF == 0 ? 8 : 0)
  }

  /// DEC: CF stays.
  @inline(__always) mutating func decrement(_ a: UInt32, _ r: UInt32) {
    let c = carries >> 31
    setResult(r)
    let o: UInt32 = r == 0x7FFF_FFFF ? 1 : 0
    carries = c << 31 | (c ^ o) << 30 | (r & 0xF == 0xF ? 8 : 0)
  }

  /// CF and OF after a shift, rotation or multiplication; AF is left clear.
  @inline(__always) mutating func setCarryOverflow(_ c: UInt32, _ o: UInt32) {
    carries = c << 31 | (c ^ o) << 30
  }
}
