/// Which locks were acquired while which others were held, over the whole search.
///
/// What is noted during a pass of the search is told apart from what was known when it began: an inversion
/// is judged by the latter alone, so that the order in which a pass comes by two acquires does not matter.
struct LockOrder {
  /// By the lock held first.
  var noted: [UInt64: Set<UInt64>] = [:]
  var known: [UInt64: Set<UInt64>] = [:]

  mutating func note(_ first: UInt64, then second: UInt64) {
    noted[first, default: []].insert(second)
  }

  /// Makes known what was noted.
  mutating func know() { known = noted }

  mutating func know(_ first: UInt64, then second: UInt64) {
    note(first, then: second)
    know()
  }

  /// Takes what is known from another search for the same.
  mutating func know(as other: LockOrder) { known = other.known }

  mutating func formUnion(_ other: LockOrder) {
    noted.merge(other.noted) { $0.union($1) }
  }

  /// Whether the second lock, or what is acquired while it is held, leads back to the first.
  func isInverted(_ first: UInt64, _ second: UInt64) -> Bool {
    LockOrder.leads(known, from: second, to: first)
  }

  /// Whether something was noted that makes an inversion which was not known.
  var hasNewInversion: Bool {
    if noted == known { return false }
    return noted.contains { first, seconds in
      seconds.contains {
        LockOrder.leads(noted, from: $0, to: first) && !LockOrder.leads(known, from: $0, to: first)
      }
    }
  }

  private static func leads(
    _ after: [UInt64: Set<UInt64>], from begin: UInt64, to end: UInt64
  ) -> Bool {
    var seen: Set<UInt64> = [begin]
    var work = [begin]
    while let lock = work.popLast() {
      if lock == end { return true }
      for next in after[lock] ?? [] where seen.insert(next).inserted { work.append(next) }
    }
    return false
  }
}
