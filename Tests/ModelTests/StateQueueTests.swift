import Emulator
import Testing

@testable import Model

@Suite struct StateQueueTests {
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
    var queue = StateQueue()
    defer { queue.deallocate() }
    var back: [DifferingWord] = []
    // Twice: a queue that was emptied is used again, and written while it is read.
    for round in 0..<2 {
      for (i, words) in states.enumerated() {
        queue.append(
          StateQueue.Header(
            id: i, choices: UInt32(i & 0x1FFFF),
            fingerprint: Fingerprint(low: UInt64(i), high: ~UInt64(round))), words)
      }
      #expect(queue.count == states.count)
      for (i, words) in states.enumerated() {
        let header = queue.next(into: &back)
        let same =
          header?.id == i && header?.choices == UInt32(i & 0x1FFFF) && back == words
          && header?.fingerprint == Fingerprint(low: UInt64(i), high: ~UInt64(round))
        if !same {
          Issue.record("state \(i) of round \(round)")
          return
        }
      }
      #expect(queue.isEmpty)
      #expect(queue.next(into: &back) == nil)
    }
  }
}
