/// The bookkeeping of a sleeping mutex: who owns it.
///
/// It is not itself safe against interrupts; the kernel keeps it under a spin lock.
public struct MutexOwner: Equatable {
  // The owner's number plus one; zero is nobody, so that a mutex in zeroed memory is free.
  private var ownerPlusOne: UInt8 = 0

  public init() {}

  public var owner: Int? { ownerPlusOne == 0 ? nil : Int(ownerPlusOne) &- 1 }

  /// Makes `task` the owner if nobody is. A task that owns it already does not get it twice.
  public mutating func tryAcquire(by task: Int) -> Bool {
    if ownerPlusOne != 0 { return false }
    ownerPlusOne = UInt8(truncatingIfNeeded: task &+ 1)
    return true
  }

  /// Frees it. Returns false, and changes nothing, unless `task` is the owner.
  public mutating func release(by task: Int) -> Bool {
    if owner != task { return false }
    ownerPlusOne = 0
    return true
  }
}
