/// One instruction to execute, and what of its outcome is defined.
struct InstructionCase {
  var name: String
  var code: [UInt8]
  /// EAX ECX EDX EBX ESP EBP ESI EDI.
  var registers: [UInt32]
  var flags: UInt32
  /// The flags that the manual defines after it.
  var definedFlags: UInt32
  /// A repeated string instruction: it executes to its end.
  var repeats: Bool
}

/// Where the cases live: code at a place of its own for each, and two windows of data that
/// straddle a page.
enum Arena {
  static let codeBase: UInt32 = 0x10_0000
  static let codeSize: UInt32 = 0x80_0000
  static let codeStep: UInt32 = 32
  static let data: ClosedRange<UInt32> = 0x2F00...0x30FF
  static let stack: ClosedRange<UInt32> = 0x6F00...0x70FF
  /// Where instructions that may raise an exception have their stack.
  static let exceptionStack: UInt32 = 0x6000
  static let ramBytes = 16 << 20

  /// The windows' contents before each case. The stack holds addresses of code.
  static func contents(seed: UInt64) -> [(address: UInt32, bytes: [UInt8])] {
    var random = SplitMix64(seed: seed)
    let data = (0..<Arena.data.count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    var stack: [UInt8] = []
    for _ in 0..<(Arena.stack.count / 4) {
      let word = codeBase + UInt32(truncatingIfNeeded: random.next()) % (codeSize - 64)
      for i in 0..<4 { stack.append(UInt8(truncatingIfNeeded: word >> UInt32(8 * i))) }
    }
    return [(Arena.data.lowerBound, data), (Arena.stack.lowerBound, stack)]
  }
}

/// A small generator with a seed that can be printed and given again.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// Puts an instruction together: prefixes, opcode, operands, and registers that make its
/// addresses fall into the windows.
struct CaseBuilder {
  var random: SplitMix64
  var name = ""
  var prefixes: [UInt8] = []
  var body: [UInt8] = []
  var registers: [UInt32] = []
  var flags: UInt32 = 0
  var defined: UInt32 = CaseBuilder.allFlags
  var repeats = false
  /// Operand and address size in bytes.
  var size = 4
  var addressSize = 4
  /// Registers whose values matter elsewhere: no address may change them.
  var fixed: Set<Int> = []

  static let cf: UInt32 = 1
  static let pf: UInt32 = 4
  static let af: UInt32 = 16
  static let zf: UInt32 = 64
  static let sf: UInt32 = 128
  static let df: UInt32 = 1024
  static let of: UInt32 = 2048
  static let allFlags = cf | pf | af | zf | sf | df | of

  private let data: [UInt8]

  init(random: SplitMix64, data: [UInt8]) {
    self.random = random
    self.data = data
    let interesting: [UInt32] = [
      0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
      0x8080_8080, 0x0000_0100,
    ]
    registers = (0..<8).map { _ in
      let word = UInt32(truncatingIfNeeded: self.random.next())
      switch self.random.next() % 4 {
      case 0: return interesting[Int(word % UInt32(interesting.count))]
      case 1: return word & 0xFF
      default: return word
      }
    }
    flags = UInt32(truncatingIfNeeded: self.random.next()) & CaseBuilder.allFlags | 2
  }

  mutating func below(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
  mutating func chance(_ n: Int) -> Bool { below(n) == 0 }
  mutating func word() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }

  /// Half of the instructions that can have one get an operand-size prefix.
  mutating func chooseSize() {
    if chance(2) {
      size = 2
      prefixes.append(0x66)
    }
  }

  mutating func immediate(_ bytes: Int) {
    var value = word()
    if chance(3) { value = UInt32(bitPattern: Int32(below(5) - 2)) }
    for i in 0..<bytes { body.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * i))) }
  }

  mutating func append32(_ value: UInt32) {
    for i in 0..<4 { body.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * i))) }
  }

  mutating func append16(_ value: UInt32) {
    body.append(UInt8(truncatingIfNeeded: value))
    body.append(UInt8(truncatingIfNeeded: value >> 8))
  }

  /// An address in the data window with room for `room` bytes.
  mutating func target(_ room: Int) -> UInt32 {
    let lower = Arena.data.lowerBound
    if chance(4) { return 0x3000 - UInt32(below(8)) }
    return lower + UInt32(below(Arena.data.count - room))
  }

  /// A ModRM with a register operand in its r/m field.
  mutating func registerOperand(_ reg: Int, _ rm: Int? = nil) {
    body.append(UInt8(0xC0 | reg << 3 | (rm ?? below(8))))
  }

  /// ModRM, SIB and displacement of a memory operand at `address` (chosen when nil).
  mutating func memoryOperand(_ reg: Int, room: Int = 8, at address: UInt32? = nil) {
    let address = address ?? target(room)
    if chance(6) && body.first != 0xC8 {
      memoryOperand16(reg, at: address)
      return
    }
    let scale = below(4)
    let index = below(8)
    let base = below(8)
    switch below(5) {
    case 0:  // disp32
      body.append(UInt8(reg << 3 | 5))
      append32(address)
    case 1 where base != 4 && !fixed.contains(base):  // [base + disp8]
      let displacement = Int32(below(256) - 128)
      registers[base] = address &- UInt32(bitPattern: displacement)
      body.append(UInt8(0x40 | reg << 3 | base))
      body.append(UInt8(truncatingIfNeeded: displacement))
    case 2 where base != 4:  // [base + disp32]
      body.append(UInt8(0x80 | reg << 3 | base))
      append32(address &- registers[base])
    case 3 where index != 4:  // [base + index * scale + disp32]
      body.append(UInt8(0x80 | reg << 3 | 4))
      body.append(UInt8(scale << 6 | index << 3 | base))
      append32(address &- registers[base] &- registers[index] << UInt32(scale))
    case 4 where index != 4:  // [index * scale + disp32]
      body.append(UInt8(reg << 3 | 4))
      body.append(UInt8(scale << 6 | index << 3 | 5))
      append32(address &- registers[index] << UInt32(scale))
    default:
      body.append(UInt8(reg << 3 | 5))
      append32(address)
    }
  }

  /// The same with a 16-bit address.
  private mutating func memoryOperand16(_ reg: Int, at address: UInt32) {
    prefixes.append(0x67)
    addressSize = 2
    let (bx, bp, si, di) = (registers[3], registers[5], registers[6], registers[7])
    let sums = [bx &+ si, bx &+ di, bp &+ si, bp &+ di, si, di, bp, bx]
    let form = below(8)
    body.append(UInt8(0x80 | reg << 3 | form))
    append16(address &- sums[form])
  }

  /// A register or memory operand; says which.
  @discardableResult
  mutating func operand(_ reg: Int, room: Int = 8) -> Bool {
    if chance(2) {
      registerOperand(reg)
      return false
    }
    memoryOperand(reg, room: room)
    return true
  }

  /// What the data window holds there before the case.
  func initialWord(_ at: UInt32) -> UInt32 {
    let offset = Int(at - Arena.data.lowerBound)
    var word: UInt32 = 0
    for i in 0..<4 where offset + i < data.count {
      word |= UInt32(data[offset + i]) << UInt32(8 * i)
    }
    return word
  }

  mutating func finish() -> InstructionCase {
    InstructionCase(
      name: name, code: prefixes + body, registers: registers, flags: flags,
      definedFlags: defined, repeats: repeats)
  }
}
