/// The tasks that wait for one thing, a bit for each.
///
/// As a set it has no order: whoever is woken first is decided by the run queues. Equal sets are equal
/// words, whatever order they came in.
public struct WaitingTasks: Equatable {
  private var bits: UInt32 = 0

  public init() {}

  public var isEmpty: Bool { bits == 0 }

  public func contains(_ task: Int) -> Bool { bits >> UInt32(truncatingIfNeeded: task) & 1 != 0 }

  public mutating func insert(_ task: Int) { bits |= 1 &<< UInt32(truncatingIfNeeded: task) }

  /// Takes out the task of the lowest number, or nil when there is none.
  public mutating func removeFirst() -> Int? {
    if bits == 0 { return nil }
    let task = bits.trailingZeroBitCount
    bits &= bits &- 1
    return task
  }
}
