/// A first-in-first-out queue of up to four bytes in one machine word, oldest byte lowest.
///
/// Taking a byte shifts the word, so equal queues are equal words: there is no read index
/// that goes round, and nothing stays behind in slots that are free. What explores every
/// state of a kernel then meets each content of the queue once, not once for every way of
/// having got there.
public struct ByteQueue: Equatable {
  public static let capacity: UInt32 = 4

  var bytes: UInt32 = 0
  public private(set) var count: UInt32 = 0

  public init() {}

  public var isEmpty: Bool { count == 0 }
  public var isFull: Bool { count == Self.capacity }

  /// Adds a byte at the end. Returns false, and drops it, when the queue is full.
  public mutating func append(_ byte: UInt8) -> Bool {
    if isFull { return false }
    bytes |= UInt32(byte) &<< (8 &* count)
    count &+= 1
    return true
  }

  /// Takes the oldest byte, or nil when there is none.
  public mutating func removeFirst() -> UInt8? {
    if isEmpty { return nil }
    let oldest = UInt8(truncatingIfNeeded: bytes)
    bytes &>>= 8
    count &-= 1
    return oldest
  }

  public func contains(_ byte: UInt8) -> Bool {
    var rest = bytes
    for _ in 0..<count {
      if UInt8(truncatingIfNeeded: rest) == byte { return true }
      rest &>>= 8
    }
    return false
  }
}
