/// Which locks were acquired while which others were held, over the whole search.
struct LockOrder {
  /// By the lock held first.
  private var after: [UInt64: Set<UInt64>] = [:]

  /// Grows with whatever is learned.
  private(set) var count = 0

  mutating func note(_ first: UInt64, then second: UInt64) {
    if after[first, default: []].insert(second).inserted { count += 1 }
  }

  /// Whether the second lock, or what is acquired while it is held, leads back to the first.
  func isInverted(_ first: UInt64, _ second: UInt64) -> Bool {
    var seen: Set<UInt64> = [second]
    var work = [second]
    while let lock = work.popLast() {
      if lock == first { return true }
      for next in after[lock] ?? [] where seen.insert(next).inserted { work.append(next) }
    }
    return false
  }
}
