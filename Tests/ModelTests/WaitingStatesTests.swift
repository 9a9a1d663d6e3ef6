import Emulator
import Testing

@testable import Model

@Suite struct WaitingStatesTests {
  /// Values with every pattern of zero bytes, words that come, change and go, numbers at both ends of
  /// the range, and enough for several blocks.
  @Test func statesComeBackInOrder() {
    var random = SplitMix(state: 7)
    var contents: [UInt32: UInt64] = [:]
    var states: [[DifferingWord]] = [[]]
    for _ in 0..<3000 {
      for _ in 0..<random.below(6) {
        let number =
          random.below(8) == 0 ? .max - 1 - UInt32(random.below(9)) : UInt32(random.below(300))
        switch random.below(4) {
        case 0: contents[number] = nil
        case 1: contents[number] = 0
        default:
          var value = random.next()
          for b in 0..<8 where random.below(2) == 0 { value &= ~(0xFF << UInt64(8 * b)) }
          contents[number] = value
        }
      }
      states.append(
        contents.sorted { $0.key < $1.key }.map { DifferingWord(number: $0.key, value: $0.value) })
    }
    var writer = WaitingWriter()
    var back: [DifferingWord] = []
    // Twice: a writer that was emptied is used again.
    for round in 0..<2 {
      for (i, words) in states.enumerated() {
        writer.append(
          WaitingHeader(
            id: i, choices: UInt32(i & 0x1FFFF),
            fingerprint: Fingerprint(low: UInt64(i), high: ~UInt64(round)),
            isTentative: i % 3 == 0), words)
      }
      let blocks = writer.take()
      #expect(blocks.count > 3)
      #expect(blocks.reduce(0) { $0 + $1.states } == states.count)
      #expect(writer.isEmpty)
      var readers = blocks.map { WaitingReader($0) }
      defer { for reader in readers { reader.deallocate() } }
      var which = 0
      for (i, words) in states.enumerated() {
        var header = readers[which].next(into: &back)
        while header == nil && which + 1 < readers.count {
          which += 1
          header = readers[which].next(into: &back)
        }
        let same =
          header?.id == i && header?.choices == UInt32(i & 0x1FFFF) && back == words
          && header?.isTentative == (i % 3 == 0)
          && header?.fingerprint == Fingerprint(low: UInt64(i), high: ~UInt64(round))
        if !same {
          Issue.record("state \(i) of round \(round)")
          return
        }
      }
      #expect(readers[which].next(into: &back) == nil)
    }
  }
}
