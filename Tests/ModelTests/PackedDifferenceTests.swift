import Emulator
import Testing

@testable import Model

@Suite struct PackedDifferenceTests {
  @Test func whatIsPackedComesBack() {
    var random = SplitMix(state: 7)
    for count in [0, 1, 2, 3, 100] {
      let words = (0..<count).map { i in
        // Values with every pattern of zero bytes; numbers in no order, at both ends of the range.
        var value = random.next()
        for b in 0..<8 where i >> (b % 6) & 1 == 1 { value &= ~(0xFF << UInt64(8 * b)) }
        return DifferingWord(
          number: i % 7 == 0 ? .max - UInt32(i) : UInt32(random.below(1 << 20)), value: value)
      }
      var back: [DifferingWord] = [DifferingWord(number: 1, value: 1)]
      PackedDifference(words).unpack(into: &back)
      #expect(back == words)
    }
  }
}
