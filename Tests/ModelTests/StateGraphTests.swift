import Emulator
import Testing

@testable import Model

@Suite struct StateGraphTests {
  private struct Edge: Hashable {
    var source: Int
    var choice: Int
    var target: Int
  }

  @Test func edgesComeBack() {
    var random = SplitMix(state: 3)
    var graph = StateGraph()
    defer { graph.deallocate() }
    var expected: [Edge] = []
    var known = 2
    for source in [1, 0] + Array(2..<4000) + [5, 5] {
      let choices = UInt32(random.next() & 0x1FFFF) & (random.below(3) == 0 ? 0x1FFFF : 3)
      var targets: [Int] = []
      for bit in 0..<17 where choices >> UInt32(bit) & 1 != 0 {
        let target = random.below(3) == 0 ? known + random.below(2) : random.below(known)
        known = max(known, target + 1)
        targets.append(target)
        expected.append(Edge(source: source, choice: bit, target: target))
      }
      targets.withUnsafeBufferPointer {
        graph.addEdges(from: source, choices: choices, targets: $0)
      }
    }
    var edges: [Edge] = []
    graph.forEachEdge { edges.append(Edge(source: $0, choice: $1, target: $2)) }
    let same = edges == expected
    #expect(same)
    #expect(graph.edgeCount == expected.count)
  }

  @Test func aStateIsKnownAgain() {
    var random = SplitMix(state: 5)
    var table = StateTable()
    defer { table.deallocate() }
    let keys = (0..<20_000).map { _ in Fingerprint(low: random.next(), high: random.next()) }
    let first = keys.enumerated().allSatisfy { table.insert($1) == ($0, true) }
    let second = keys.enumerated().allSatisfy { table.insert($1) == ($0, false) }
    #expect(first && second)
    #expect(table.count == keys.count)
    // Keys that differ in one bit only are others.
    for bit in 0..<64 {
      var key = keys[7]
      key.low ^= 1 << UInt64(bit)
      #expect(table.insert(key).isNew)
    }
  }
}
