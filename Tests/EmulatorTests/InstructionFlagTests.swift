import Emulator
import Testing

/// An instruction, what it starts from, and every flag it leaves. A flag is named when it is set:
/// O S Z A P C; one of `undefined` is not looked at.
struct FlagFact: CustomTestStringConvertible, Sendable {
  var name: String
  var code: [UInt8]
  var eax: UInt64 = 0
  var ecx: UInt64 = 0
  var edx: UInt64 = 0
  /// Set before the instruction.
  var before = ""
  var result: UInt64
  var set: String
  var undefined = ""
  /// EDX afterwards, when it matters.
  var resultDX: UInt64?
  var testDescription: String { name }
}

@Suite struct InstructionFlagTests {
  static let bits: [(Character, UInt64)] = [
    ("O", CPU.Flag.of), ("S", CPU.Flag.sf), ("Z", CPU.Flag.zf), ("A", CPU.Flag.af),
    ("P", CPU.Flag.pf), ("C", CPU.Flag.cf),
  ]

  // Intel SDM Vol. 2 under each instruction.
  static let facts: [FlagFact] = [
    FlagFact(name: "add: nothing", code: [0x01, 0xC8], eax: 1, ecx: 3, result: 4, set: ""),
    FlagFact(
      name: "add: to zero with carry", code: [0x01, 0xC8], eax: 0xFFFF_FFFF, ecx: 1, result: 0,
      set: "ZAPC"),
    FlagFact(
      name: "add: signed overflow", code: [0x01, 0xC8], eax: 0x7FFF_FFFF, ecx: 1,
      result: 0x8000_0000, set: "OSAP"),
    FlagFact(
      name: "add: both negative, overflow and carry", code: [0x01, 0xC8], eax: 0x8000_0000,
      ecx: 0x8000_0000, result: 0, set: "OZPC"),
    FlagFact(
      name: "add al, cl: only the byte changes", code: [0x00, 0xC8], eax: 0x1234_56FF, ecx: 1,
      result: 0x1234_5600, set: "ZAPC"),
    FlagFact(
      name: "add ax, cx: only the word changes", code: [0x66, 0x01, 0xC8], eax: 0x1234_7FFF,
      ecx: 1, result: 0x1234_8000, set: "OSAP"),
    FlagFact(
      name: "adc: carry in makes the carry out", code: [0x11, 0xC8], eax: 0xFFFF_FFFF, ecx: 0,
      before: "C", result: 0, set: "ZAPC"),
    FlagFact(
      name: "adc: all ones and carry", code: [0x11, 0xC8], eax: 0xFFFF_FFFF, ecx: 0xFFFF_FFFF,
      before: "C", result: 0xFFFF_FFFF, set: "SAPC"),
    FlagFact(
      name: "sub: borrow", code: [0x29, 0xC8], eax: 0, ecx: 1, result: 0xFFFF_FFFF, set: "SAPC"),
    FlagFact(
      name: "sub: signed overflow", code: [0x29, 0xC8], eax: 0x8000_0000, ecx: 1,
      result: 0x7FFF_FFFF, set: "OAP"),
    FlagFact(
      name: "sbb: borrow from borrow", code: [0x19, 0xC8], eax: 5, ecx: 5, before: "C",
      result: 0xFFFF_FFFF, set: "SAPC"),
    FlagFact(
      name: "sbb eax, eax spreads the carry", code: [0x19, 0xC0], eax: 77, before: "C",
      result: 0xFFFF_FFFF, set: "SAPC"),
    FlagFact(
      name: "cmp changes nothing but flags", code: [0x39, 0xC8], eax: 7, ecx: 7, result: 7,
      set: "ZP"),
    FlagFact(
      name: "cmp al, imm: below", code: [0x3C, 0x80], eax: 0x10, result: 0x10, set: "OSPC"),
    FlagFact(
      name: "and clears O and C", code: [0x21, 0xC8], eax: 0xFF00, ecx: 0x0FF0, before: "OC",
      result: 0x0F00, set: "P", undefined: "A"),
    FlagFact(
      name: "or: sign", code: [0x09, 0xC8], eax: 0x8000_0000, ecx: 1, before: "OC",
      result: 0x8000_0001, set: "S", undefined: "A"),
    FlagFact(
      name: "xor with itself", code: [0x31, 0xC0], eax: 0x1234, before: "OSC", result: 0,
      set: "ZP", undefined: "A"),
    FlagFact(
      name: "test: byte, sign", code: [0x84, 0xC8], eax: 0x80, ecx: 0xFF, before: "OCZ",
      result: 0x80, set: "S", undefined: "A"),
    FlagFact(
      name: "inc keeps C", code: [0x40], eax: 0xFFFF_FFFF, before: "C", result: 0, set: "ZAPC"),
    FlagFact(
      name: "inc: overflow without C", code: [0x40], eax: 0x7FFF_FFFF, result: 0x8000_0000,
      set: "OSAP"),
    FlagFact(name: "dec keeps C clear", code: [0x48], eax: 0, result: 0xFFFF_FFFF, set: "SAP"),
    FlagFact(
      name: "dec: overflow", code: [0x48], eax: 0x8000_0000, before: "C", result: 0x7FFF_FFFF,
      set: "OAPC"),
    FlagFact(name: "neg of zero clears C", code: [0xF7, 0xD8], before: "C", result: 0, set: "ZP"),
    FlagFact(
      name: "neg of the smallest overflows", code: [0xF7, 0xD8], eax: 0x8000_0000,
      result: 0x8000_0000, set: "OSPC"),
    FlagFact(
      name: "not touches no flag", code: [0xF7, 0xD0], eax: 0, before: "OSZAPC",
      result: 0xFFFF_FFFF, set: "OSZAPC"),
    FlagFact(
      name: "shl by 1: carry and overflow", code: [0xD1, 0xE0], eax: 0x8000_0001, result: 2,
      set: "OC", undefined: "A"),
    FlagFact(
      name: "shl by 0 keeps every flag", code: [0xD3, 0xE0], eax: 0x8000_0001, ecx: 32,
      before: "OSZAPC", result: 0x8000_0001, set: "OSZAPC"),
    FlagFact(
      name: "shr by 1: O is the old sign", code: [0xD1, 0xE8], eax: 0x8000_0001,
      result: 0x4000_0000, set: "OPC", undefined: "A"),
    FlagFact(
      name: "sar by 4 fills with the sign", code: [0xC1, 0xF8, 4], eax: 0x8000_0008,
      result: 0xF800_0000, set: "SPC", undefined: "AO"),
    FlagFact(
      name: "rol by 1: C and O", code: [0xD1, 0xC0], eax: 0x8000_0000, before: "Z", result: 1,
      set: "OZC"),
    FlagFact(
      name: "ror by 8 of a word", code: [0x66, 0xC1, 0xC8, 8], eax: 0x1234_80FF,
      result: 0x1234_FF80, set: "C", undefined: "O"),
    FlagFact(
      name: "rcl through C", code: [0xD1, 0xD0], eax: 0x8000_0000, before: "C", result: 1,
      set: "OC"),
    FlagFact(
      name: "rcr of a byte by 9 is a full turn", code: [0xC0, 0xD8, 9], eax: 0x5A, before: "C",
      result: 0x5A, set: "C", undefined: "O"),
    FlagFact(
      name: "shld", code: [0x0F, 0xA4, 0xC8, 4], eax: 0xF123_4567, ecx: 0xA000_0000,
      result: 0x1234_567A, set: "C", undefined: "AO"),
    FlagFact(
      name: "shrd", code: [0x0F, 0xAC, 0xC8, 4], eax: 0x1234_5678, ecx: 0xA,
      result: 0xA123_4567, set: "SC", undefined: "AO"),
    FlagFact(
      name: "mul: high half sets C and O", code: [0xF7, 0xE1], eax: 0x8000_0000, ecx: 4,
      result: 0, set: "OC", undefined: "SZAP", resultDX: 2),
    FlagFact(
      name: "mul: fits", code: [0xF7, 0xE1], eax: 3, ecx: 4, edx: 9, before: "OC", result: 12,
      set: "", undefined: "SZAP", resultDX: 0),
    FlagFact(
      name: "imul: -1 times -1 fits", code: [0xF7, 0xE9], eax: 0xFFFF_FFFF, ecx: 0xFFFF_FFFF,
      before: "OC", result: 1, set: "", undefined: "SZAP", resultDX: 0),
    FlagFact(
      name: "imul r, r: overflow", code: [0x0F, 0xAF, 0xC1], eax: 0x10000, ecx: 0x8000,
      result: 0x8000_0000, set: "OC", undefined: "SZAP"),
    FlagFact(
      name: "div", code: [0xF7, 0xF1], eax: 7, ecx: 16, edx: 1, result: 0x1000_0000, set: "",
      undefined: "OSZAPC", resultDX: 7),
    FlagFact(
      name: "idiv truncates towards zero", code: [0xF7, 0xF9], eax: 0xFFFF_FFF9, ecx: 2,
      edx: 0xFFFF_FFFF, result: 0xFFFF_FFFD, set: "", undefined: "OSZAPC", resultDX: 0xFFFF_FFFF),
    FlagFact(
      name: "bt", code: [0x0F, 0xA3, 0xC8], eax: 0x10, ecx: 36, before: "Z", result: 0x10,
      set: "ZC", undefined: "OSAP"),
    FlagFact(
      name: "bts sets and tells", code: [0x0F, 0xAB, 0xC8], eax: 0, ecx: 31, before: "C",
      result: 0x8000_0000, set: "", undefined: "OSAP"),
    FlagFact(
      name: "btr", code: [0x0F, 0xBA, 0xF0, 3], eax: 0xFF, result: 0xF7, set: "C",
      undefined: "OSAP"),
    FlagFact(
      name: "btc", code: [0x0F, 0xBA, 0xF8, 3], eax: 0xFF, result: 0xF7, set: "C",
      undefined: "OSAP"),
    FlagFact(
      name: "bsf", code: [0x0F, 0xBC, 0xC1], eax: 5, ecx: 0x50, before: "Z", result: 4, set: "",
      undefined: "OSAPC"),
    FlagFact(
      name: "bsr of zero: Z, and the destination stays", code: [0x0F, 0xBD, 0xC1], eax: 5,
      result: 5, set: "Z", undefined: "OSAPC"),
    FlagFact(
      name: "rep bsf is bsf here", code: [0xF3, 0x0F, 0xBC, 0xC1], ecx: 0x100, result: 8,
      set: "", undefined: "OSAPC"),
    FlagFact(
      name: "xadd exchanges and adds", code: [0x0F, 0xC1, 0xC8], eax: 0xFFFF_FFFF, ecx: 1,
      result: 0, set: "ZAPC"),
    FlagFact(
      name: "cmpxchg taken", code: [0x0F, 0xB1, 0xD1], eax: 5, ecx: 5, edx: 9, result: 5,
      set: "ZP"),
    FlagFact(
      name: "cmpxchg not taken loads the accumulator", code: [0x0F, 0xB1, 0xD1], eax: 5, ecx: 6,
      edx: 9, result: 6, set: "SAPC"),
    FlagFact(
      name: "daa", code: [0x27], eax: 0x9A, result: 0, set: "ZAPC", undefined: "O"),
    FlagFact(
      name: "das", code: [0x2F], eax: 0x01, before: "AC", result: 0x9B, set: "SAC",
      undefined: "OP"),
    FlagFact(
      name: "aaa", code: [0x37], eax: 0x0F, result: 0x0105, set: "AC", undefined: "OSZP"),
    FlagFact(
      name: "aas borrows from AH twice", code: [0x3F], eax: 0x0200, before: "A", result: 0x000A,
      set: "AC",
      undefined: "OSZP"),
    FlagFact(
      name: "aam", code: [0xD4, 10], eax: 0x63, result: 0x0909, set: "P", undefined: "OAC"),
    FlagFact(
      name: "aad", code: [0xD5, 10], eax: 0x0909, result: 0x63, set: "P", undefined: "OAC"),
    FlagFact(
      name: "sahf loads five flags", code: [0x9E], eax: 0xFF00, before: "O", result: 0xFF00,
      set: "OSZAPC"),
    FlagFact(
      name: "lahf", code: [0x9F], before: "OSZAPC", result: 0xD700, set: "OSZAPC"),
    FlagFact(name: "cmc", code: [0xF5], before: "OC", result: 0, set: "O"),
    FlagFact(
      name: "setl: S differs from O", code: [0x0F, 0x9C, 0xC0], eax: 0x55AA, before: "S",
      result: 0x5501, set: "S"),
    FlagFact(
      name: "cmovle not taken", code: [0x0F, 0x4E, 0xC1], eax: 1, ecx: 2, before: "SO", result: 1,
      set: "SO"),
    FlagFact(
      name: "movsx", code: [0x0F, 0xBE, 0xC1], ecx: 0x80, before: "ZC", result: 0xFFFF_FF80,
      set: "ZC"),
    FlagFact(
      name: "movzx from ch", code: [0x0F, 0xB6, 0xC5], eax: 0xFFFF_FFFF, ecx: 0x8100,
      result: 0x81, set: ""),
    FlagFact(
      name: "cdq", code: [0x99], eax: 0x8000_0000, result: 0x8000_0000, set: "",
      resultDX: 0xFFFF_FFFF),
    FlagFact(name: "cwde", code: [0x98], eax: 0x1234_8000, result: 0xFFFF_8000, set: ""),
    FlagFact(name: "bswap", code: [0x0F, 0xC8], eax: 0x1234_5678, result: 0x7856_3412, set: ""),
  ]

  /// The same fact holds on the fast path, through the families, and observed.
  @Test(arguments: facts) func fact(_ fact: FlagFact) {
    for path in 0..<3 {
      let test = TestMachine()
      test.write(fact.code)
      test.cpu[0] = fact.eax
      test.cpu[1] = fact.ecx
      test.cpu[2] = fact.edx
      for (letter, bit) in InstructionFlagTests.bits where fact.before.contains(letter) {
        test.cpu.rflags |= bit
      }
      test.machine.segmentsForced = path == 1
      if path == 2 { test.machine.memory.setBase() }
      #expect(test.machine.run(cpu: 0, limit: 1) == .limit)
      #expect(test.cpu[0] == fact.result, "eax on path \(path)")
      if let dx = fact.resultDX { #expect(test.cpu[2] == dx, "edx on path \(path)") }
      #expect(test.cpu.rip == TestMachine.code + UInt64(fact.code.count))
      for (letter, bit) in InstructionFlagTests.bits where !fact.undefined.contains(letter) {
        #expect(
          (test.cpu.rflags & bit != 0) == fact.set.contains(letter), "\(letter) on path \(path)")
      }
    }
  }
}
