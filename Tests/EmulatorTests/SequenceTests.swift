import Emulator
import Testing

/// Random sequences executed in three ways, which must agree in everything, undefined flags
/// included: what a search finds must not depend on how a run was cut up or who watched.
@Suite struct SequenceTests {
  private static let length = 16
  private static let count = 50_000

  /// Code in a page that the data window lies in, so that stores meet watched frames, and may
  /// change code that is about to be executed.
  private static let near: UInt64 = 0x2E80

  @Test func sequencesAgreeHoweverTheyAreExecuted() {
    let seed = DifferentialTests.seed &+ 7
    print("sequence test: \(SequenceTests.count) sequences, LOCKLAB_SEED=\(seed &- 7)")
    let contents = Arena.contents(seed: seed)
    var random = SplitMix64(seed: seed)
    let machines = (0..<3).map { _ in TestMachine(ramBytes: 4 << 20) }
    machines[1].machine.segmentsForced = true
    let saved = (0..<CPU.wordCount).map { machines[0].cpu[$0] }
    machines[2].machine.memory.setBase()
    // What the code shares with the processor (descriptor tables) is not this test's matter.
    machines[2].machine.observation.stopAtShared = false

    for number in 0..<SequenceTests.count {
      let cases = (0..<SequenceTests.length).map { _ in
        CaseTemplates.make(SplitMix64(seed: random.next()), data: contents[0].bytes)
      }
      let start =
        number % 2 == 0 ? SequenceTests.near : TestMachine.code + UInt64(number % 16_384) * 128
      var code = cases.flatMap(\.code)
      if start == SequenceTests.near { code = Array(code.prefix(0x80)) }
      for test in machines {
        for window in contents { test.write(window.bytes, at: UInt64(window.address)) }
        test.write(code, at: start)
        for (i, word) in saved.enumerated() { test.cpu[i] = word }
        for n in 0..<8 { test.cpu[n] = cases[0].registers[n] }
        test.cpu.rsp = 0x7000
        test.cpu.rip = start
        test.cpu.rflags = UInt64(cases[0].flags)
      }
      let before = machines[0].machine.instructions
      let stop = machines[0].machine.run(cpu: 0, limit: SequenceTests.length)
      let executed = Int(machines[0].machine.instructions - before)
      let stopB = follow(machines[1], executed, stop) { 1 }
      let stopC = follow(machines[2], executed, stop) { 1 + Int(random.next() % 5) }
      if stopC == .unmodelled, machines[2].machine.unmodelled!.hasPrefix("single steps") {
        // The one difference there is meant to be.
        copy(from: machines[0], to: machines[2])
        continue
      }
      let text = cases.map {
        Machine.disassemble($0.code, mode: DecodeMode.flat32, at: start).text
      }.joined(separator: "; ")
      for (test, otherStop) in [(machines[1], stopB), (machines[2], stopC)] {
        let name = test === machines[1] ? "segmented" : "observed"
        #expect(otherStop == stop, "\(name), sequence \(number): \(text)")
        for w in 0..<CPU.wordCount where test.cpu[w] != machines[0].cpu[w] {
          Issue.record(
            """
            \(name), sequence \(number): word \(w) is \(String(test.cpu[w], radix: 16)), \
            \(String(machines[0].cpu[w], radix: 16)) on the fast path: \(text)
            """)
          return
        }
      }
    }
    // Most sequences get somewhere.
    #expect(machines[0].machine.instructions > UInt64(SequenceTests.count) * 4)
    for at in stride(from: 0 as UInt64, to: 4 << 20, by: 8) {
      let word = machines[0].machine.memory.word(at: at)
      for test in machines[1...] where test.machine.memory.word(at: at) != word {
        Issue.record("memory differs at \(String(at, radix: 16))")
        return
      }
    }
  }

  /// Whatever bytes are executed, nothing traps, registers keep to 32 bits, and a run that stops
  /// says why.
  @Test func anyBytesCanBeExecuted() {
    let seed = DifferentialTests.seed &+ 8
    var random = SplitMix64(seed: seed)
    let test = TestMachine(ramBytes: 4 << 20)
    let machine = test.machine
    let saved = (0..<CPU.wordCount).map { test.cpu[$0] }
    for number in 0..<200_000 {
      for (i, word) in saved.enumerated() { test.cpu[i] = word }
      for n in 0..<8 { test.cpu[n] = random.next() & 0x3FFFFF }
      let start = TestMachine.code + UInt64(number % 0x1000) * 16
      machine.memory.setWord(at: start, random.next())
      machine.memory.setWord(at: start + 8, random.next())
      test.cpu.rip = start
      machine.segmentsForced = number & 1 != 0
      let text = machine.disassemble(cpu: 0, at: start).text
      let stop = machine.run(cpu: 0, limit: 1)
      let wide = (0..<8).contains { test.cpu[$0] >> 32 != 0 } || test.cpu.rip >> 32 != 0
      #expect(!wide, "seed \(seed), number \(number): \(text)")
      #expect(stop != .unmodelled || machine.unmodelled != nil)
      if wide { return }
    }
  }

  private func copy(from source: TestMachine, to target: TestMachine) {
    for at in stride(from: 0 as UInt64, to: 4 << 20, by: 8) {
      let word = source.machine.memory.word(at: at)
      if target.machine.memory.word(at: at) != word {
        target.machine.memory.setWord(at: at, word)
      }
    }
  }

  /// Executes `count` instructions in pieces, going on after events, until it stops by itself.
  private func follow(
    _ test: TestMachine, _ count: Int, _ expected: Stop, piece: () -> Int
  ) -> Stop {
    let machine = test.machine
    let end = machine.instructions + UInt64(count)
    while machine.instructions < end {
      let stop = machine.run(cpu: 0, limit: min(piece(), Int(end - machine.instructions)))
      if stop != .limit && stop != .event { return stop }
    }
    // What ends a run before its next instruction is told by the run after.
    return expected == .limit ? .limit : machine.run(cpu: 0, limit: 1)
  }
}
