/// The one word of a queue lock: a flag that says whether the lock is held, and which CPU is the last
/// that waits for it.
public struct QueueWord: Equatable {
  public static let held: UInt32 = 1

  public let bits: UInt32

  public init(_ bits: UInt32) { self.bits = bits }

  /// The word in which `cpu` waits last.
  public static func tail(_ cpu: Int) -> UInt32 { UInt32(truncatingIfNeeded: cpu &+ 1) &<< 1 }

  public var isHeld: Bool { bits & Self.held != 0 }

  /// Who waits last, without the flag.
  public var tail: UInt32 { bits & ~Self.held }

  /// The CPU that a tail names, or nil when nobody waits.
  public var lastWaiting: Int? { tail == 0 ? nil : Int(tail &>> 1) &- 1 }
}
