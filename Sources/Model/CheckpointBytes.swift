/// Writes what a checkpoint consists of, as a stream of bytes that ends with a sum over them.
public final class CheckpointWriter {
  private var buffer: [UInt8] = []
  private let sink: (UnsafeRawBufferPointer) throws -> Void
  private var sum = CheckpointSum()
  private static let bufferBytes = 1 << 18

  /// - Parameter sink: Takes the bytes, in order.
  public init(_ sink: @escaping (UnsafeRawBufferPointer) throws -> Void) {
    self.sink = sink
    buffer.reserveCapacity(Self.bufferBytes)
  }

  public func put(_ bytes: UnsafeRawBufferPointer) throws {
    if buffer.count + bytes.count > Self.bufferBytes { try flush() }
    if bytes.count > Self.bufferBytes / 2 {
      sum.add(bytes)
      try sink(bytes)
    } else {
      buffer.append(contentsOf: bytes)
    }
  }

  func put<T: BitwiseCopyable>(_ value: T) throws {
    try withUnsafeBytes(of: value) { try put($0) }
  }

  public func put(_ value: Int) throws { try put(Int64(value)) }

  func put<T: BitwiseCopyable>(_ values: [T]) throws {
    try put(values.count)
    try values.withUnsafeBytes { try put($0) }
  }

  public func put(_ text: String) throws { try put(Array(text.utf8)) }

  func put<T>(all values: some Collection<T>, _ each: (T) throws -> Void) throws {
    try put(values.count)
    for value in values { try each(value) }
  }

  private func flush() throws {
    try buffer.withUnsafeBytes {
      sum.add($0)
      try sink($0)
    }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes what is left, and the sum.
  public func finish() throws {
    try flush()
    try put(sum.value)
    try buffer.withUnsafeBytes { try sink($0) }
    buffer.removeAll()
  }
}

/// Reads what `CheckpointWriter` wrote.
public final class CheckpointReader {
  private let source: (UnsafeMutableRawBufferPointer) throws -> Void

  /// - Parameter source: Fills the buffer with the next bytes; throws where there are not so many.
  public init(_ source: @escaping (UnsafeMutableRawBufferPointer) throws -> Void) {
    self.source = source
  }

  public func get(into buffer: UnsafeMutableRawBufferPointer) throws { try source(buffer) }

  func get<T: BitwiseCopyable>(_ type: T.Type) throws -> T {
    try withUnsafeTemporaryAllocation(of: T.self, capacity: 1) { place in
      try source(UnsafeMutableRawBufferPointer(place))
      return place[0]
    }
  }

  public func getInt() throws -> Int { Int(try get(Int64.self)) }

  func getArray<T: BitwiseCopyable>(_ type: T.Type) throws -> [T] {
    let count = try getInt()
    return try [T](unsafeUninitializedCapacity: count) { place, filled in
      try source(
        UnsafeMutableRawBufferPointer(
          start: place.baseAddress, count: count * MemoryLayout<T>.stride))
      filled = count
    }
  }

  public func getString() throws -> String {
    String(decoding: try getArray(UInt8.self), as: UTF8.self)
  }

  func getAll<T>(_ each: () throws -> T) throws -> [T] {
    try (0..<getInt()).map { _ in try each() }
  }
}

/// A sum over bytes that tells a file which was cut off or damaged; no protection against intent.
public struct CheckpointSum {
  public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  public init() {}

  /// The same bytes in other portions give the same sum.
  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var v = value
    for byte in bytes { v = (v ^ UInt64(byte)) &* 0x100_0000_01B3 }
    value = v
  }
}
