import Emulator
import Testing

@testable import Model

/// What the search relies on: fingerprints that agree with the contents, undo that restores them, and
/// an honest answer where it cannot know.
@Suite struct ConsistencyTests {
  /// The fingerprint of all memory, computed from its contents.
  static func fresh(_ memory: Memory) -> Fingerprint {
    var f = Fingerprint()
    for index in 0..<memory.frameCount {
      guard let frame = memory.frames[index] else { continue }
      let words = frame.assumingMemoryBound(to: UInt64.self)
      for w in 0..<512 {
        f.replace(0, by: Memory.live(words[w]), at: UInt64(index) << 12 | UInt64(w) << 3)
      }
    }
    return f
  }

  @Test(arguments: SmallKernel.Feature.allCases)
  func fingerprintsAndUndoAgreeWithTheContents(_ feature: SmallKernel.Feature) throws {
    for seed in 1...UInt64(20) {
      let kernel = SmallKernel(seed: seed, features: [feature])
      let world = try World(
        scenario: kernel.scenario, image: kernel.kernel.prepared,
        reductions: seed % 2 == 0 ? [] : Set(Reduction.allCases))
      var r = SplitMix(state: seed)
      var kept: [(snapshot: Snapshot, contents: Fingerprint, key: Fingerprint, outcome: Outcome)] =
        []
      var outcome = world.begin()
      for _ in 0..<200 {
        let contents = Self.fresh(world.memory)
        #expect(world.memory.fingerprint == contents, "\(feature), seed \(seed)")
        if case .choices(let mask) = outcome {
          var snapshot = Snapshot(world.machine)
          snapshot.take(world.machine)
          kept.append((snapshot, contents, world.key(), outcome))
          let choices = (0..<32).filter { mask >> UInt32($0) & 1 != 0 }
          outcome = world.advance(choices[r.below(choices.count)])
        } else {
          // A dead end, whatever its kind: some way back.
          for _ in 0..<r.below(4) where kept.count > 1 { kept.removeLast() }
          guard let back = kept.popLast() else { break }
          back.snapshot.putBack(world.machine)
          #expect(Self.fresh(world.memory) == back.contents, "\(feature), seed \(seed): undo")
          #expect(world.memory.fingerprint == back.contents)
          #expect(world.key() == back.key)
          outcome = back.outcome
        }
      }
    }
  }

  static func result(
    main: (inout Assembler) -> Void, expecting exceptions: [Int] = [],
    others: [(vector: Int, body: (inout Assembler) -> Void)] = []
  ) throws -> ScenarioResult {
    let tiny = TinyKernel(main: main, handlers: [{ _ in }], others: others)
    var scenario = tiny.scenario(arrivals: [1])
    scenario.expectedExceptions = exceptions
    return try Explorer(
      scenario: scenario, image: tiny.prepared, options: ExplorationOptions()
    ).run()
  }

  @Test(arguments: [
    [0x0F, 0x31],  // rdtsc
    [0xE4, 0x40],  // in al, 0x40
    [0x31, 0xC0, 0xE6, 0x70, 0xE4, 0x71],  // seconds of the calendar
  ])
  func codeThatReadsAClockIsNotCalledClean(_ code: [UInt8]) throws {
    let result = try Self.result(main: { $0.bytes([0xFB] + code) })
    #expect(result.verdict == .inconclusive)
    #expect(result.notes.contains { $0.contains("clock") }, "\(result.notes)")
  }

  /// Waiting for time to pass is no deadlock, though time does not pass here.
  @Test func waitingForTimeIsNoDeadlock() throws {
    let result = try Self.result(main: { a in
      a.bytes([0x0F, 0x31, 0x89, 0xC1])  // rdtsc; mov ecx, eax
      a.bytes([0x0F, 0x31, 0x39, 0xC8, 0x74, 0xFA])  // rdtsc; cmp eax, ecx; je to the rdtsc
    })
    #expect(result.verdict == .inconclusive, "\(result.rules)")
  }

  @Test func anExceptionForEverIsALoop() throws {
    let result = try Self.result(
      main: { $0.bytes([0x0F, 0x0B]) }, expecting: [6], others: [(6, { _ in })])
    #expect(result.verdict == .violated)
  }

  /// Two owners, no known part of the stack, and bytes above the stack pointer.
  @Test func bytesAboveAnUnknownStackAreNobodysOwn() throws {
    let tiny = TinyKernel(
      main: { a in
        for _ in 0..<2 {
          a.bytes([0xC7, 0x05])  // mov dword [0x134000], 1
          a.word(0x13_4000)
          a.word(1)
        }
      }, handlers: [])
    let world = try World(
      scenario: tiny.scenario(arrivals: []), image: tiny.prepared, reductions: [])
    let machine = world.machine
    for owner in 1...UInt32(2) {
      machine.observation.owner = owner
      machine.observation.stackTop = 0
      _ = machine.run(cpu: 0, limit: 1)
    }
    #expect(machine.observation.newlyShared == 1)
  }
}
