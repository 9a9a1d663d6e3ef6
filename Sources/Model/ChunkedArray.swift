/// An array that grows by whole chunks: growing copies nothing and leaves less than a chunk unused,
/// which matters where elements are counted in tens of millions.
struct ChunkedArray<Element: BitwiseCopyable>: RandomAccessCollection {
  private var chunks: [UnsafeMutablePointer<Element>] = []
  private(set) var count = 0
  private static var shift: Int { 12 }
  private static var chunkCount: Int { 1 << shift }

  var startIndex: Int { 0 }
  var endIndex: Int { count }

  /// Bytes allocated.
  var bytes: Int {
    chunks.count * (ChunkedArray.chunkCount * MemoryLayout<Element>.stride + 8)
  }

  @inline(__always) subscript(_ i: Int) -> Element {
    get { chunks[i >> ChunkedArray.shift][i & (ChunkedArray.chunkCount - 1)] }
    nonmutating set {
      chunks[i >> ChunkedArray.shift][i & (ChunkedArray.chunkCount - 1)] = newValue
    }
  }

  @inline(__always) mutating func append(_ element: Element) {
    if count & (ChunkedArray.chunkCount - 1) == 0 {
      chunks.append(.allocate(capacity: ChunkedArray.chunkCount))
    }
    chunks[count >> ChunkedArray.shift][count & (ChunkedArray.chunkCount - 1)] = element
    count &+= 1
  }

  func deallocate() {
    for chunk in chunks { chunk.deallocate() }
  }

  /// Calls `body` with the elements, chunk by chunk.
  func forEachChunk(_ body: (UnsafeBufferPointer<Element>) throws -> Void) rethrows {
    for (i, chunk) in chunks.enumerated() {
      let used = Swift.min(ChunkedArray.chunkCount, count - i << ChunkedArray.shift)
      try body(UnsafeBufferPointer(start: chunk, count: used))
    }
  }

  /// Fills an empty array, chunk by chunk.
  mutating func append(
    _ total: Int, _ fill: (UnsafeMutableBufferPointer<Element>) throws -> Void
  ) rethrows {
    while count < total {
      let chunk = UnsafeMutablePointer<Element>.allocate(capacity: ChunkedArray.chunkCount)
      chunks.append(chunk)
      let used = Swift.min(ChunkedArray.chunkCount, total - count)
      try fill(UnsafeMutableBufferPointer(start: chunk, count: used))
      count += used
    }
  }
}
