import Testing

@testable import Emulator

/// Frames that are kept as less than their bytes are the same frames.
@Suite struct SparseMemoryTests {
  /// Random stores, runs of one word and compactions, against a plain array.
  @Test func contents_are_those_of_an_array() {
    for seed in 1...UInt64(20) {
      var random = SplitMixer(state: seed)
      let frames = 24
      let memory = Memory(ramBytes: frames << 12, disks: [[UInt8](repeating: 7, count: 5000)])
      var plain = [UInt64](repeating: 0, count: frames * 512)
      for _ in 0..<400 {
        switch random.below(6) {
        case 0:
          let frame = random.below(frames)
          let fill = [0, 0x0101_0101_0101_0101, ~0, random.next()][random.below(4)]
          for w in 0..<512 {
            memory.setWord(at: UInt64(frame * 512 + w) * 8, fill)
            plain[frame * 512 + w] = fill
          }
        case 1: memory.compact()
        default:
          let word = random.below(frames * 512)
          let value = random.below(3) == 0 ? 0 : random.next()
          memory.setWord(at: UInt64(word) * 8, value)
          plain[word] = value
        }
      }
      memory.compact()
      for word in plain.indices {
        #expect(memory.word(at: UInt64(word) * 8) == plain[word])
        #expect(memory.contents(ofWord: UInt64(word)) == plain[word])
      }
    }
  }

  /// Undo and the fingerprint know nothing of which frames have an allocation.
  @Test func an_observed_run_comes_back() {
    for seed in 1...UInt64(20) {
      var random = SplitMixer(state: seed)
      func made() -> Memory {
        let memory = Memory(ramBytes: 16 << 12)
        for frame in 0..<12 {
          for w in 0..<512 { memory.setWord(at: UInt64(frame * 512 + w) * 8, UInt64(frame) * 3) }
          memory.setWord(at: UInt64(frame) << 12, 0x1234_5678)
        }
        memory.compact()
        memory.setBase()
        return memory
      }
      let memory = made()
      let other = made()
      #expect(memory.fingerprint == other.fingerprint)
      let before = memory.fingerprint
      let stores = (0..<200).map { _ in
        (word: UInt64(random.below(16 * 512)) * 8, value: random.next() & 3)
      }
      for (word, value) in stores { memory.setWord(at: word, value) }
      // The other one has looked at every frame before.
      for frame in 0..<16 { _ = other.frame(frame) }
      for (word, value) in stores { other.setWord(at: word, value) }
      #expect(memory.fingerprint == other.fingerprint)
      var difference: [DifferingWord] = []
      memory.difference(into: &difference)
      var same: [DifferingWord] = []
      other.difference(into: &same)
      #expect(difference == same)
      for (word, _) in stores { #expect(memory.word(at: word) == other.word(at: word)) }
      memory.undo(to: 0)
      memory.fingerprint = before
      let fresh = made()
      for word in stride(from: UInt64(0), to: 16 << 12, by: 8) {
        #expect(memory.word(at: word) == fresh.word(at: word))
      }
    }
  }

  @Test func damaged_and_foreign_checkpoints_are_refused() throws {
    let machine = Machine(ramBytes: 1 << 20)
    machine.memory.setWord(at: 0x5008, 0x1122_3344)
    machine.serialOutput = Array("hello".utf8)
    let kept = machine.checkpoint()
    let copy = Machine(ramBytes: 1 << 20)
    #expect(copy.restore(kept))
    #expect(copy.memory.word(at: 0x5008) == 0x1122_3344)
    #expect(String(decoding: copy.serialOutput, as: UTF8.self) == "hello")
    #expect(!Machine(ramBytes: 2 << 20).restore(kept))
    #expect(!Machine(cpuCount: 2, ramBytes: 1 << 20).restore(kept))
    #expect(!copy.restore(Checkpoint(bytes: [])))
    #expect(!copy.restore(Checkpoint(bytes: [UInt8](repeating: 0, count: 4096))))
    for index in stride(from: 0, to: kept.bytes.count, by: 37) {
      var bytes = kept.bytes
      bytes[index] ^= 0x10
      #expect(!copy.restore(Checkpoint(bytes: bytes)), "byte \(index)")
      #expect(!copy.restore(Checkpoint(bytes: Array(kept.bytes[0..<index]))), "\(index) bytes")
    }
  }
}

/// Numbers that are random enough, the same each time.
struct SplitMixer {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
}
