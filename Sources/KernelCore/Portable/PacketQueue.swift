/// Input bytes between an interrupt that brings them and the code that has time for them.
///
/// A full queue drops what comes: the device is faster than its reader, and an interrupt
/// handler can not wait.
public struct PacketQueue: Equatable {
  public static let capacity: UInt32 = 2

  private var queue = ByteQueue()

  public init() {}

  public var isEmpty: Bool { queue.isEmpty }
  public var count: UInt32 { queue.count }

  /// Queues `packet`, or drops it when the queue is full.
  public mutating func put(_ packet: UInt8) {
    if count < Self.capacity { _ = queue.append(packet) }
  }

  /// Takes the oldest packet, or nil when there is none.
  public mutating func take() -> UInt8? {
    queue.removeFirst()
  }
}
