import Emulator
import Synchronization
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
    var stream = StepStream()
    defer { stream.deallocate() }
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
      targets.withUnsafeBufferPointer { stream.add(from: source, choices: choices, targets: $0) }
    }
    var edges: [Edge] = []
    stream.forEachEdge { edges.append(Edge(source: $0, choice: $1, target: $2)) }
    let same = edges == expected
    #expect(same)
    #expect(stream.edgeCount == expected.count)
  }

  @Test func aStateIsKnownAgain() {
    var random = SplitMix(state: 5)
    let table = StateTable(memoryLimit: 1 << 26)
    var mine = StateTable.Reservation()
    let keys = (0..<20_000).map { _ in Fingerprint(low: random.next(), high: random.next()) }
    func insertAll() -> [Bool] {
      keys.enumerated().map { i, key in
        if table.isNearlyFull { table.grow(unused: [mine.rest]) }
        let (id, isNew) = table.insert(key, &mine)
        return id == i && isNew
      }
    }
    let first = insertAll().allSatisfy { $0 }
    #expect(first)
    let second = keys.enumerated().allSatisfy { table.insert($1, &mine) == ($0, false) }
    #expect(second)
    // Keys that differ in one bit only are others.
    for bit in 0..<80 {
      var key = keys[7]
      if bit < 64 { key.low ^= 1 << UInt64(bit) } else { key.high ^= 1 << UInt64(bit - 64) }
      #expect(table.insert(key, &mine).isNew)
    }
  }

  /// Four threads enter the same keys: each is new to one of them, and has one number.
  @Test func threadsAgreeOnNumbers() {
    let table = StateTable(memoryLimit: 1 << 26)
    var unused: [Range<Int>] = []
    let crew = Crew()
    defer { crew.dismiss() }
    for round in 0..<6 {
      let count = 3000 << round
      while Double(table.capacity) * 0.6 < Double(count) { table.grow(unused: unused) }
      let found = Mutex<[[Int]]>([])
      let new = Mutex<Int>(0)
      let rests = Mutex<[Range<Int>]>([])
      crew.run(4) { thread in
        var mine = StateTable.Reservation()
        var ids = [Int](repeating: 0, count: count)
        var fresh = 0
        for i in 0..<count {
          // Each begins elsewhere.
          let n = (i + thread * 31) % count
          var random = SplitMix(state: UInt64(n) &* 0x9E37_79B9)
          let (id, isNew) = table.insert(
            Fingerprint(low: random.next(), high: random.next()), &mine)
          ids[n] = id
          if isNew { fresh += 1 }
        }
        found.withLock { $0.append(ids) }
        new.withLock { $0 += fresh }
        rests.withLock { $0.append(mine.rest) }
      }
      unused += rests.withLock { $0 }
      let ids = found.withLock { $0 }
      #expect(ids.count == 4 && Set(ids).count == 1)
      #expect(Set(ids[0]).count == count)
      #expect(new.withLock { $0 } == count - (round == 0 ? 0 : 3000 << (round - 1)))
    }
  }
}
