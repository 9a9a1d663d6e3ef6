import Emulator
import Foundation
import Testing

/// Random instructions, compared with Unicorn in every register, defined flag and byte of memory.
@Suite struct DifferentialTests {
  /// How the same case is executed: each must agree.
  enum Path: String, CaseIterable {
    /// The cases of the loop.
    case fast
    /// The families, as with segments that are not flat.
    case segmented
    /// With journal and sharing shadow.
    case observed
  }

  static let count =
    ProcessInfo.processInfo.environment["LOCKLAB_CASES"].flatMap { Int($0) } ?? 120_000
  static let seed =
    ProcessInfo.processInfo.environment["LOCKLAB_SEED"].flatMap { UInt64($0) }
    ?? UInt64.random(in: 0...UInt64.max)

  @Test func randomInstructionsAgreeWithUnicorn() throws {
    let seed = DifferentialTests.seed
    let count = DifferentialTests.count
    print("differential test: \(count) cases, LOCKLAB_SEED=\(seed)")
    let contents = Arena.contents(seed: seed)
    var random = SplitMix64(seed: seed &+ 1)
    let cases = (0..<count).map { _ in
      CaseTemplates.make(SplitMix64(seed: random.next()), data: contents[0].bytes)
    }
    let outcomes = try Oracle.run(cases, contents: contents)

    for path in Path.allCases {
      let report = compare(cases, outcomes, contents, path)
      #expect(
        report.isEmpty,
        "\(path.rawValue) path, LOCKLAB_SEED=\(seed):\n\(report.joined(separator: "\n"))")
    }
  }

  /// Executes all cases one way; one line per mnemonic that differs, with its first example.
  private func compare(
    _ cases: [InstructionCase], _ outcomes: [Oracle.Outcome],
    _ contents: [(address: UInt32, bytes: [UInt8])], _ path: Path
  ) -> [String] {
    let test = TestMachine(ramBytes: Arena.ramBytes)
    let machine = test.machine
    let cpu = test.cpu
    machine.segmentsForced = path == .segmented
    for (number, c) in cases.enumerated() {
      test.write(c.code, at: UInt64(Arena.codeBase + UInt32(number) * Arena.codeStep))
    }
    for window in contents { test.write(window.bytes, at: UInt64(window.address)) }
    let saved = (0..<CPU.wordCount).map { cpu[$0] }
    machine.memory.setBase()
    // A read below the stack pointer ends a run that is searched; here it is a read like others.
    machine.observation.stopAtShared = false
    if path != .observed { machine.memory.stopObserving() }

    var mismatches: [String: (count: Int, example: String)] = [:]
    for (number, c) in cases.enumerated() {
      for (i, word) in saved.enumerated() { cpu[i] = word }
      let start = Arena.codeBase + UInt32(number) * Arena.codeStep
      for (i, r) in c.registers.enumerated() { cpu[i] = r }
      cpu.rip = UInt64(start)
      cpu.rflags = UInt64(c.flags)
      var stop = machine.run(cpu: 0, limit: 1)
      if c.repeats {
        // An iteration is an instruction: go on until `rip` has left.
        while stop == .limit && cpu.rip == UInt64(start) { stop = machine.run(cpu: 0, limit: 1) }
      }
      let expected = outcomes[number]
      if let difference = difference(c, expected, test, stop, contents) {
        let bytes = c.code.map { String(format: "%02x", $0) }.joined(separator: " ")
        let text = Machine.disassemble(c.code, mode: DecodeMode.flat32, at: UInt64(start)).text
        let example =
          "case \(number): \(text) (\(bytes)) flags \(String(c.flags, radix: 16)) registers "
          + c.registers.map { String($0, radix: 16) }.joined(separator: " ") + ": " + difference
        mismatches[c.name, default: (0, example)].count += 1
      }
      if path == .observed {
        machine.memory.undo(to: 0)
      } else if expected.windows != nil || expected.exception != nil {
        for window in contents { test.write(window.bytes, at: UInt64(window.address)) }
      }
    }
    return mismatches.sorted { $0.value.count > $1.value.count }
      .map { "\($0.key): \($0.value.count) differ, first \($0.value.example)" }
  }

  private func difference(
    _ c: InstructionCase, _ expected: Oracle.Outcome, _ test: TestMachine, _ stop: Stop,
    _ contents: [(address: UInt32, bytes: [UInt8])]
  ) -> String? {
    let cpu = test.cpu
    if let exception = expected.exception {
      return test.exception == Int(exception)
        ? nil : "exception \(exception) expected, \(test.exception.map(String.init) ?? "none") here"
    }
    if stop == .unmodelled { return "not modelled: \(test.machine.unmodelled ?? "")" }
    if let exception = test.exception { return "exception \(exception) here, none expected" }
    var differences: [String] = []
    func note(_ what: String, _ expected: UInt32, _ here: UInt64) {
      if UInt64(expected) != here {
        differences.append(
          "\(what) \(String(expected, radix: 16)) expected, \(String(here, radix: 16)) here")
      }
    }
    let names = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"]
    for i in 0..<8 { note(names[i], expected.registers[i], cpu[i]) }
    note("eip", expected.eip, cpu.rip)
    note(
      "flags", expected.flags & c.definedFlags, cpu.rflags & UInt64(c.definedFlags))
    for (n, window) in contents.enumerated() {
      let bytes = expected.windows?[n] ?? window.bytes
      for (i, byte) in bytes.enumerated() {
        let at = UInt64(window.address) + UInt64(i)
        if test.machine.memory.byte(at: at) != byte {
          note(
            "memory at \(String(at, radix: 16))", UInt32(byte),
            UInt64(test.machine.memory.byte(at: at)))
          break
        }
      }
    }
    return differences.isEmpty ? nil : differences.joined(separator: ", ")
  }
}
