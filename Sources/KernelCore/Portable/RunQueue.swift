/// The tasks that are ready to run, in the order in which they will.
///
/// A task is in it at most once, and neither the running task nor the idle task is ever in
/// it: whoever breaks that finds `add` returning false.
public struct RunQueue: Equatable {
  private var queue = ByteQueue()

  public init() {}

  public var isEmpty: Bool { queue.isEmpty }
  public var count: UInt32 { queue.count }

  public func contains(_ task: Int) -> Bool {
    queue.contains(UInt8(truncatingIfNeeded: task))
  }

  /// Puts `task` at the end. Returns false, and changes nothing, when it is there already or
  /// when there is no room.
  public mutating func add(_ task: Int) -> Bool {
    if contains(task) { return false }
    return queue.append(UInt8(truncatingIfNeeded: task))
  }

  /// Takes the task whose turn it is, or nil when none is ready.
  public mutating func next() -> Int? {
    guard let task = queue.removeFirst() else { return nil }
    return Int(task)
  }
}
