import Glibc

/// An array of raw memory that never moves: addresses are reserved for as many elements as there may
/// ever be, and the system gives memory to those that are touched.
///
/// So it grows in place: nothing is copied, and growing takes no more than what is new.
struct Region<Element: BitwiseCopyable> {
  let base: UnsafeMutablePointer<Element>
  /// Elements that addresses are reserved for.
  let limit: Int
  private let byteCount: Int

  /// - Parameter limit: fewer are reserved where the system has no room for so many addresses.
  init(limit: Int) {
    var bytes = max(limit, 1) * MemoryLayout<Element>.stride
    var memory: UnsafeMutableRawPointer?
    while true {
      memory = mmap(
        nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
      if memory != MAP_FAILED { break }
      bytes /= 2
      precondition(bytes >= 1 << 16, "no memory for the search")
    }
    byteCount = bytes
    self.limit = bytes / MemoryLayout<Element>.stride
    base = memory!.bindMemory(to: Element.self, capacity: self.limit)
  }

  func deallocate() { munmap(base, byteCount) }

  /// Makes the first elements zero again.
  func clear(_ count: Int) {
    memset(base, 0, count * MemoryLayout<Element>.stride)
  }
}
