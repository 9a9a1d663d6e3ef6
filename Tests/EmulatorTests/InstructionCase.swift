/// One instruction to execute, and what of its outcome is defined.
struct InstructionCase {
  var name: String
  var code: [UInt8]
  /// In the encoding's order: EAX ECX EDX EBX ESP EBP ESI EDI; in 64-bit mode sixteen.
  var registers: [UInt64]
  var flags: UInt32
  /// The flags that the manual defines after it.
  var definedFlags: UInt32
  /// A repeated string instruction: it executes to its end.
  var repeats: Bool
  /// Registers whose value the manual leaves undefined where ZF is set afterwards (BSF, BSR), by number.
  var undefined: Set<Int> = []
  /// It may go elsewhere than to the next instruction.
  var branches = false
  /// It uses vector registers.
  var usesVectors = false
  /// Where its code lies (64-bit mode).
  var address: UInt64 = 0
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

/// The same in 64-bit mode. Data and stack can be seen at a second place, beyond 32 bits.
enum LongArena {
  /// Linear address of physical address 0.
  static let base: UInt64 = 0x2000_0000
  static let dataSize: UInt64 = 0x1_0000
  static let secondDistance: UInt64 = 0x1234_0000_0000
  static let gsBase: UInt64 = 0x1234_2000_0000
  static let data: ClosedRange<UInt64> = 0x2000_2F00...0x2000_30FF
  static let stack: ClosedRange<UInt64> = 0x2000_6F00...0x2000_70FF
  static let codeBase: UInt64 = 0x2100_0000
  static let codeStep: UInt64 = 32
  /// Cases that branch: around each, and in `landing`, there is nothing else.
  static let branchBase: UInt64 = 0x2180_0000
  static let branchStep: UInt64 = 512
  static let landing: Range<UInt64> = 0x2200_0000..<0x2210_0000
  static let codeSize: UInt64 = 0x110_0000
  static let ramBytes = 64 << 20

  static func contents(seed: UInt64) -> [(address: UInt64, bytes: [UInt8])] {
    var random = SplitMix64(seed: seed)
    let data = (0..<LongArena.data.count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    var stack: [UInt8] = []
    for _ in 0..<(LongArena.stack.count / 8) {
      let word = landing.lowerBound + random.next() % UInt64(landing.count)
      for i in 0..<8 { stack.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * i))) }
    }
    let vectors = (0..<256).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    return [(LongArena.data.lowerBound, data), (LongArena.stack.lowerBound, stack), (0, vectors)]
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
  var registers: [UInt64] = []
  var flags: UInt32 = 0
  var defined: UInt32 = CaseBuilder.allFlags
  var repeats = false
  /// Operand and address size in bytes.
  var size = 4
  var addressSize = 4
  /// Registers whose values matter elsewhere: no address may change them.
  var fixed: Set<Int> = []
  var undefined: Set<Int> = []
  var branches = false
  var usesVectors = false
  /// 64-bit mode: where the code will lie. nil in 32-bit code.
  var address: UInt64?
  var isLong: Bool { address != nil }
  /// Bits W, R, X and B of the REX prefix.
  var rex: UInt8 = 0
  /// The prefix stands there even with none of its bits.
  var hasREX = false
  /// A displacement relative to the next instruction: its place in `body`, and where it leads.
  private var relative: (place: Int, target: UInt64)?

  static let cf: UInt32 = 1
  static let pf: UInt32 = 4
  static let af: UInt32 = 16
  static let zf: UInt32 = 64
  static let sf: UInt32 = 128
  static let df: UInt32 = 1024
  static let of: UInt32 = 2048
  static let allFlags = cf | pf | af | zf | sf | df | of

  private let data: [UInt8]

  private static let interesting: [UInt64] = [
    0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
    0x8080_8080, 0x0000_0100, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, ~0,
    0xFFFF_FFFF_8000_0000,
    0x1_0000_0000,
  ]

  init(random: SplitMix64, data: [UInt8], address: UInt64? = nil) {
    self.random = random
    self.data = data
    self.address = address
    let mask: UInt64 = address == nil ? 0xFFFF_FFFF : ~0
    registers = (0..<(address == nil ? 8 : 16)).map { _ in
      let word = self.random.next()
      switch self.random.next() % 4 {
      case 0:
        return CaseBuilder.interesting[Int(word % UInt64(CaseBuilder.interesting.count))] & mask
      case 1: return word & 0xFF
      default: return word & mask
      }
    }
    flags = UInt32(truncatingIfNeeded: self.random.next()) & CaseBuilder.allFlags | 2
  }

  mutating func below(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
  mutating func chance(_ n: Int) -> Bool { below(n) == 0 }
  mutating func word() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }

  /// All bits that a register has.
  var wholeMask: UInt64 { isLong ? ~0 : 0xFFFF_FFFF }
  var exceptionStack: UInt64 { isLong ? LongArena.base + 0x6000 : UInt64(Arena.exceptionStack) }
  var stackMiddle: UInt64 { isLong ? LongArena.base + 0x7000 : 0x7000 }
  var dataMiddle: UInt64 { isLong ? LongArena.base + 0x3000 : 0x3000 }

  /// Bits of a register above the address size count for nothing.
  mutating func fillAboveAddress(_ register: Int) {
    if isLong && addressSize == 4 && prefixes.contains(0x67) {
      registers[register] |= random.next() & ~0xFFFF_FFFF
    } else if addressSize == 2 {
      registers[register] |= random.next() & 0xFFFF_0000
    }
  }

  /// A general register's number.
  mutating func register() -> Int { below(isLong ? 16 : 8) }

  /// Half of the instructions that can have one get an operand-size prefix; in 64-bit mode as many get
  /// REX.W.
  mutating func chooseSize() {
    switch below(isLong ? 3 : 2) {
    case 0: break
    case 1:
      size = 2
      prefixes.append(0x66)
    default:
      size = 8
      rex |= 8
    }
  }

  /// The size of an instruction whose operands have 64 bits unless they have 16.
  mutating func chooseStackSize() {
    if isLong { size = 8 }
    if chance(2) {
      size = 2
      prefixes.append(0x66)
    }
  }

  /// An immediate; of 64-bit operands it has 32 bits.
  mutating func immediate(_ bytes: Int) {
    var value = word()
    if chance(3) { value = UInt32(bitPattern: Int32(below(5) - 2)) }
    for i in 0..<min(bytes, 4) { body.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * i))) }
  }

  mutating func append32(_ value: UInt64) {
    for i in 0..<4 { body.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
  }

  mutating func append16(_ value: UInt64) {
    body.append(UInt8(truncatingIfNeeded: value))
    body.append(UInt8(truncatingIfNeeded: value >> 8))
  }

  /// The low register bits of an opcode; the fourth goes into REX.B.
  mutating func inOpcode(_ opcode: UInt8, _ register: Int) -> UInt8 {
    if register > 7 { rex |= 1 }
    return opcode + UInt8(register & 7)
  }

  /// An address in the data window with room for `room` bytes; in 64-bit mode at either of the places
  /// where the window can be seen.
  mutating func target(_ room: Int) -> UInt64 {
    let data =
      isLong ? LongArena.data : UInt64(Arena.data.lowerBound)...UInt64(Arena.data.upperBound)
    let lower = data.lowerBound
    if chance(4) { return (lower & ~0xFFF) + 0x1000 - UInt64(below(8)) }
    return lower + UInt64(below(data.count - room))
  }

  /// A ModRM with a register operand in its r/m field.
  mutating func registerOperand(_ reg: Int, _ rm: Int? = nil) {
    let rm = rm ?? register()
    rex |= UInt8(reg >> 3) << 2 | UInt8(rm >> 3)
    body.append(UInt8(0xC0 | (reg & 7) << 3 | rm & 7))
  }

  /// ModRM, SIB and displacement of a memory operand at `address` (chosen when nil).
  mutating func memoryOperand(_ reg: Int, room: Int = 8, at address: UInt64? = nil) {
    let address = address ?? target(room)
    if isLong {
      longMemoryOperand(reg, at: address)
      return
    }
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
      let displacement = Int64(below(256) - 128)
      registers[base] = (address &- UInt64(bitPattern: displacement)) & 0xFFFF_FFFF
      body.append(UInt8(0x40 | reg << 3 | base))
      body.append(UInt8(truncatingIfNeeded: displacement))
    case 2 where base != 4:  // [base + disp32]
      body.append(UInt8(0x80 | reg << 3 | base))
      append32(address &- registers[base])
    case 3 where index != 4:  // [base + index * scale + disp32]
      body.append(UInt8(0x80 | reg << 3 | 4))
      body.append(UInt8(scale << 6 | index << 3 | base))
      append32(address &- registers[base] &- registers[index] << UInt64(scale))
    case 4 where index != 4:  // [index * scale + disp32]
      body.append(UInt8(reg << 3 | 4))
      body.append(UInt8(scale << 6 | index << 3 | 5))
      append32(address &- registers[index] << UInt64(scale))
    default:
      body.append(UInt8(reg << 3 | 5))
      append32(address)
    }
  }

  /// The same with a 16-bit address.
  private mutating func memoryOperand16(_ reg: Int, at address: UInt64) {
    prefixes.append(0x67)
    addressSize = 2
    let (bx, bp, si, di) = (registers[3], registers[5], registers[6], registers[7])
    let sums = [bx &+ si, bx &+ di, bp &+ si, bp &+ di, si, di, bp, bx]
    let form = below(8)
    body.append(UInt8(0x80 | reg << 3 | form))
    append16(address &- sums[form])
  }

  /// The forms of 64-bit mode: relative to RIP, absolute, and with base and index of 64 or 32 bits;
  /// through GS, too.
  private mutating func longMemoryOperand(_ reg: Int, at given: UInt64) {
    var address = given
    rex |= UInt8(reg >> 3) << 2
    let field = UInt8((reg & 7) << 3)
    let isNarrow = chance(6)
    if isNarrow {
      prefixes.append(0x67)
    } else if chance(2) {
      address += LongArena.secondDistance
    }
    var isRelative = true
    if !isNarrow && chance(8) {
      prefixes.append(0x65)
      address &-= LongArena.gsBase
      isRelative = false
    }
    let mask: UInt64 = isNarrow ? 0xFFFF_FFFF : ~0
    let scale = UInt64(below(4))
    let base = register()
    let index = register()
    let displacement = UInt64(
      bitPattern: chance(2) ? Int64(below(256) - 128) : Int64(Int32(bitPattern: word())))
    let isShort = Int64(bitPattern: displacement).magnitude < 128
    let isFree = !fixed.contains(base)
    /// Upper halves count for nothing where addresses have 32 bits.
    let rest = isNarrow ? random.next() & ~mask : 0
    switch below(5) {
    case 0,
      1 where isFree:  // [base + disp]
      guard isFree else { break }
      registers[base] = (address &- displacement) & mask | rest
      rex |= UInt8(base >> 3)
      body.append((isShort ? 0x40 : 0x80) | field | UInt8(base & 7))
      if base & 7 == 4 { body.append(0x24) }
      if isShort {
        body.append(UInt8(truncatingIfNeeded: displacement))
      } else {
        append32(displacement)
      }
      return
    case 2, 3:  // [base + index * scale + disp]
      guard isFree, index != 4, index != base else { break }
      registers[base] = (address &- displacement &- registers[index] << scale) & mask | rest
      rex |= UInt8(base >> 3) | UInt8(index >> 3) << 1
      body.append((isShort ? 0x40 : 0x80) | field | 4)
      body.append(UInt8(scale) << 6 | UInt8(index & 7) << 3 | UInt8(base & 7))
      if isShort {
        body.append(UInt8(truncatingIfNeeded: displacement))
      } else {
        append32(displacement)
      }
      return
    default: break
    }
    if isRelative && address >> 32 == 0 {
      if chance(3) {  // disp32
        body += [field | 4, 0x25]
        append32(address)
      } else {
        body.append(field | 5)
        relative = (body.count, address)
        append32(0)
      }
      return
    }
    // Out of reach, and no register may change: the first copy of the window, absolutely.
    prefixes.removeAll { $0 == 0x65 }
    body += [field | 4, 0x25]
    append32(given)
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
  func initialWord(_ at: UInt64) -> UInt64 {
    let lower = isLong ? LongArena.data.lowerBound : UInt64(Arena.data.lowerBound)
    let offset = Int(at - lower)
    var word: UInt64 = 0
    for i in 0..<(isLong ? 8 : 4) where offset + i < data.count {
      word |= UInt64(data[offset + i]) << UInt64(8 * i)
    }
    return word
  }

  mutating func finish() -> InstructionCase {
    // Sometimes there is a REX prefix that changes nothing but the byte registers 4 to 7.
    if isLong && (rex != 0 || hasREX || chance(8)) { prefixes.append(0x40 | rex) }
    if let relative, let address {
      let next = address + UInt64(prefixes.count + body.count)
      let distance = relative.target &- next
      for i in 0..<4 {
        body[relative.place + i] = UInt8(truncatingIfNeeded: distance >> UInt64(8 * i))
      }
    }
    return InstructionCase(
      name: name, code: prefixes + body, registers: registers, flags: flags,
      definedFlags: defined, repeats: repeats, undefined: undefined, branches: branches,
      usesVectors: usesVectors, address: address ?? 0)
  }
}
