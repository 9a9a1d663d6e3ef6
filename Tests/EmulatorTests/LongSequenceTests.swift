import Emulator
import Testing

/// Random sequences of 64-bit code, executed plainly in one go and observed in pieces: everything must agree,
/// undefined flags included.
@Suite struct LongSequenceTests {
  private static let length = 16
  private static let count = 20_000

  /// Code in a page that the data window lies in, so that stores meet watched frames, and may change code
  /// that is about to be executed.
  private static let near = LongArena.base + 0x2E80

  @Test func sequencesAgreeHoweverTheyAreExecuted() {
    let seed = DifferentialTests.seed &+ 9
    print("64-bit sequence test: \(LongSequenceTests.count) sequences, LOCKLAB_SEED=\(seed &- 9)")
    let contents = LongArena.contents(seed: seed)
    var random = SplitMix64(seed: seed)
    let machines = (0..<2).map { _ in LongTestMachine(ramBytes: 24 << 20) }
    let saved = (0..<CPU.wordCount).map { machines[0].cpu[$0] }
    machines[1].machine.memory.setBase()
    machines[1].machine.observation.stopAtShared = false
    let first = machines[0].machine.instructions

    for number in 0..<LongSequenceTests.count {
      let start =
        number % 2 == 0
        ? LongSequenceTests.near : LongArena.codeBase + UInt64(number % 16_384) * 256
      var code: [UInt8] = []
      var opening: InstructionCase?
      for _ in 0..<LongSequenceTests.length {
        let at = start + UInt64(code.count)
        let c = CaseTemplates.makeLong(
          SplitMix64(seed: random.next()), data: contents[0].bytes, address: at, branch: at)
        opening = opening ?? c
        code += c.code
      }
      if start == LongSequenceTests.near { code = Array(code.prefix(0x80)) }
      for test in machines {
        for window in contents.prefix(2) { test.write(window.bytes, at: window.address) }
        test.write(code, at: start)
        for (i, word) in saved.enumerated() { test.cpu[i] = word }
        for (i, r) in opening!.registers.enumerated() { test.cpu[i] = r }
        test.cpu.rsp = LongArena.base + 0x7000
        test.cpu.rip = start
        test.cpu.rflags = UInt64(opening!.flags)
      }
      let before = machines[0].machine.instructions
      let stop = machines[0].machine.run(cpu: 0, limit: LongSequenceTests.length)
      let executed = Int(machines[0].machine.instructions - before)
      let other = follow(machines[1], executed, stop) { 1 + Int(random.next() % 5) }
      if other == .unmodelled, machines[1].machine.unmodelled!.hasPrefix("single steps") {
        // The one difference there is meant to be.
        copy(from: machines[0], to: machines[1])
        continue
      }
      #expect(other == stop, "sequence \(number), \(String(start, radix: 16))")
      for w in 0..<CPU.wordCount where machines[1].cpu[w] != machines[0].cpu[w] {
        let text = Machine.disassemble(code, mode: DecodeMode.long64, at: start).text
        Issue.record(
          """
          sequence \(number): word \(w) is \(String(machines[1].cpu[w], radix: 16)) observed, \
          \(String(machines[0].cpu[w], radix: 16)) plainly; it begins with \(text)
          """)
        return
      }
    }
    // Most sequences get somewhere.
    #expect(
      machines[0].machine.instructions - first > UInt64(LongSequenceTests.count) * 4)
    let (a, b) = (machines[0].machine.memory, machines[1].machine.memory)
    for at in stride(from: 0 as UInt64, to: a.hiddenBase + 9 * 4096, by: 8) {
      // The first hidden frame has the clock, which only counts plainly.
      if a.word(at: at) != b.word(at: at) && at / 4096 != a.hiddenBase / 4096 {
        Issue.record("memory differs at \(String(at, radix: 16))")
        return
      }
    }
  }

  private func copy(from source: LongTestMachine, to target: LongTestMachine) {
    let (a, b) = (source.machine.memory, target.machine.memory)
    for at in stride(from: 0 as UInt64, to: a.hiddenBase + 9 * 4096, by: 8)
    where a.word(at: at) != b.word(at: at) && at / 4096 != a.hiddenBase / 4096 {
      b.setWord(at: at, a.word(at: at))
    }
  }

  /// Executes `count` instructions in pieces, going on after events, until it stops by itself.
  private func follow(
    _ test: LongTestMachine, _ count: Int, _ expected: Stop, piece: () -> Int
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
