/// The arithmetic of a ticket lock: who draws which number, and whose turn it is.
///
/// Numbers run modulo 2^32 and are never compared for size, only for being equal.
public struct Ticket: Equatable {
  public let number: UInt32

  public init(_ number: UInt32) { self.number = number }

  /// Whether the holder of this ticket is served when `serving` is shown.
  public func isServed(_ serving: UInt32) -> Bool { number == serving }

  /// What is shown after this ticket's holder is done.
  public var next: UInt32 { number &+ 1 }

  /// How many are before this one when `serving` is shown.
  public func ahead(_ serving: UInt32) -> UInt32 { number &- serving }
}
