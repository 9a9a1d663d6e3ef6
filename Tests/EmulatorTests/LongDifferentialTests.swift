import Emulator
import Foundation
import Testing

/// Random instructions of 64-bit user mode, compared with the processor of this machine in every register,
/// defined flag and byte of memory.
///
/// Not compared, because the manual leaves it open or processors differ: the destination of BSF and BSR
/// of zero, near branches with an operand-size prefix (Intel's ignore it, AMD's do not), what PUSHF
/// stores, and FS, which the comparing program needs itself.
@Suite struct LongDifferentialTests {
  static let isHost64Bit: Bool = {
    #if arch(x86_64) && os(Linux)
      true
    #else
      false
    #endif
  }()

  static let count =
    ProcessInfo.processInfo.environment["LOCKLAB_CASES"].flatMap { Int($0) } ?? 1_000_000
  /// Cases that are generated, executed and compared at one go.
  private static let batch = 100_000

  @Test(
    .enabled(
      if: isHost64Bit,
      "THIS IS NO X86-64 LINUX: 64-bit instructions were not compared with a processor."))
  func randomInstructionsAgreeWithTheProcessor() throws {
    let seed = DifferentialTests.seed
    let count = LongDifferentialTests.count
    print("64-bit differential test: \(count) cases, LOCKLAB_SEED=\(seed)")
    let contents = LongArena.contents(seed: seed)
    let oracle = try NativeOracle()
    var random = SplitMix64(seed: seed &+ 2)
    var mismatches: [String: (count: Int, example: String)] = [:]
    for start in stride(from: 0, to: count, by: LongDifferentialTests.batch) {
      let cases = make(
        min(LongDifferentialTests.batch, count - start), &random, data: contents[0].bytes)
      let outcomes = try oracle.run(cases, contents: contents)
      for isObserved in [false, true] {
        compare(cases, outcomes, contents, isObserved: isObserved, &mismatches)
      }
    }
    let report = mismatches.sorted { $0.value.count > $1.value.count }
      .map { "\($0.key): \($0.value.count) differ, first \($0.value.example)" }
    #expect(report.isEmpty, "LOCKLAB_SEED=\(seed):\n\(report.joined(separator: "\n"))")
  }

  private func make(_ count: Int, _ random: inout SplitMix64, data: [UInt8]) -> [InstructionCase] {
    var branches: UInt64 = 0
    return (0..<UInt64(count)).map { number in
      let c = CaseTemplates.makeLong(
        SplitMix64(seed: random.next()), data: data,
        address: LongArena.codeBase + number * LongArena.codeStep,
        branch: LongArena.branchBase + branches * LongArena.branchStep + LongArena.branchStep / 2)
      if c.branches { branches += 1 }
      return c
    }
  }

  private func compare(
    _ cases: [InstructionCase], _ outcomes: [NativeOracle.Outcome],
    _ contents: [(address: UInt64, bytes: [UInt8])], isObserved: Bool,
    _ mismatches: inout [String: (count: Int, example: String)]
  ) {
    let test = LongTestMachine()
    let machine = test.machine
    let cpu = test.cpu
    for c in cases { test.write(c.code, at: c.address) }
    for window in contents { put(window, test) }
    let saved = (0..<CPU.wordCount).map { cpu[$0] }
    if isObserved {
      machine.memory.setBase()
      machine.observation.stopAtShared = false
    }
    var expected = contents.map(\.bytes)
    for (number, c) in cases.enumerated() {
      for (i, word) in saved.enumerated() { cpu[i] = word }
      for (i, r) in c.registers.enumerated() { cpu[i] = r }
      cpu.rip = c.address
      cpu.rflags = UInt64(c.flags)
      var stop = machine.run(cpu: 0, limit: 1)
      if c.repeats {
        // An iteration is an instruction: go on until `rip` has left.
        while stop == .limit && cpu.rip == c.address { stop = machine.run(cpu: 0, limit: 1) }
      }
      let outcome = outcomes[number]
      for change in outcome.changes { expected[change.window].put(change.value, change.offset) }
      if let difference = difference(c, outcome, expected, test, stop, contents) {
        let bytes = c.code.map { String(format: "%02x", $0) }.joined(separator: " ")
        let text = Machine.disassemble(c.code, mode: DecodeMode.long64, at: c.address).text
        let example =
          "\(isObserved ? "observed" : "plain"): \(text) (\(bytes)) at \(hex(c.address)) flags \(hex(UInt64(c.flags))) registers "
          + c.registers.map(hex).joined(separator: " ") + ": " + difference
        mismatches[c.name, default: (0, example)].count += 1
        for window in contents { put(window, test) }
      }
      for change in outcome.changes {
        expected[change.window].put(
          contents[change.window].bytes.word(change.offset), change.offset)
      }
      if isObserved {
        machine.memory.undo(to: 0)
      } else {
        for change in outcome.changes {
          let window = contents[change.window]
          setWord(test, window.address, change.offset, window.bytes.word(change.offset))
        }
      }
    }
  }

  private func put(_ window: (address: UInt64, bytes: [UInt8]), _ test: LongTestMachine) {
    for offset in stride(from: 0, to: window.bytes.count, by: 8) {
      setWord(test, window.address, offset, window.bytes.word(offset))
    }
  }

  private func setWord(_ test: LongTestMachine, _ window: UInt64, _ offset: Int, _ value: UInt64) {
    if window != 0 {
      test.machine.memory.setWord(at: window - LongArena.base + UInt64(offset), value)
      return
    }
    let old = test.machine.vectorRegister(0, offset / 16)
    test.machine.setVectorRegister(
      0, offset / 16, low: offset & 8 == 0 ? value : old.low,
      high: offset & 8 == 0 ? old.high : value)
  }

  private func word(_ test: LongTestMachine, _ window: UInt64, _ offset: Int) -> UInt64 {
    if window != 0 {
      return test.machine.memory.word(at: window - LongArena.base + UInt64(offset))
    }
    let vector = test.machine.vectorRegister(0, offset / 16)
    return offset & 8 == 0 ? vector.low : vector.high
  }

  private func difference(
    _ c: InstructionCase, _ outcome: NativeOracle.Outcome, _ windows: [[UInt8]],
    _ test: LongTestMachine, _ stop: Stop, _ contents: [(address: UInt64, bytes: [UInt8])]
  ) -> String? {
    let cpu = test.cpu
    if stop == .unmodelled { return "not modelled: \(test.machine.unmodelled ?? "")" }
    if outcome.exception.map(Int.init) != test.exception {
      func name(_ vector: Int?) -> String { vector.map { "exception \($0)" } ?? "no exception" }
      return "\(name(outcome.exception.map(Int.init))) expected, \(name(test.exception)) here"
    }
    var differences: [String] = []
    func note(_ what: String, _ expected: UInt64, _ here: UInt64) {
      if expected != here {
        differences.append("\(what) \(hex(expected)) expected, \(hex(here)) here")
      }
    }
    let isFault = outcome.exception != nil
    note("rip", outcome.rip, isFault ? test.faultingIP : cpu.rip)
    let undefined = outcome.flags & CPU.Flag.zf != 0 ? c.undefined : []
    for i in 0..<16 where !undefined.contains(i) && !(isFault && i == CPU.Register.sp) {
      note("register \(i)", outcome.registers[i], cpu[i])
    }
    if !isFault {
      let defined = UInt64(c.definedFlags)
      note("flags", outcome.flags & defined, cpu.rflags & defined)
    }
    for (n, window) in contents.enumerated() where window.address != 0 || c.usesVectors {
      for offset in stride(from: 0, to: window.bytes.count, by: 8) {
        let expected = windows[n].word(offset)
        let here = word(test, window.address, offset)
        if expected != here {
          note("window \(n) at \(offset)", expected, here)
          break
        }
      }
    }
    return differences.isEmpty ? nil : differences.joined(separator: ", ")
  }

  private func hex(_ value: UInt64) -> String { String(value, radix: 16) }
}

extension [UInt8] {
  fileprivate func word(_ offset: Int) -> UInt64 {
    withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
  }

  fileprivate mutating func put(_ value: UInt64, _ offset: Int) {
    withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: UInt64.self) }
  }
}
