import Emulator

/// The set of states seen: for each 12 bytes of fingerprint, and an index of 32-bit entries over them.
///
/// An index entry holds the state's number plus one and, in the bits that numbers do not need yet, bits
/// of the fingerprint, so that few entries of others are followed. 96 bits: for n states the
/// probability that two of them are taken for one is below n²/2⁹⁷, 10⁻¹¹ for a thousand million.
struct StateTable {
  private struct Key: BitwiseCopyable {
    var a: UInt32
    var b: UInt32
    var c: UInt32

    init(_ f: Fingerprint) {
      a = UInt32(truncatingIfNeeded: f.low)
      b = UInt32(truncatingIfNeeded: f.low >> 32)
      c = UInt32(truncatingIfNeeded: f.high)
    }

    @inline(__always) static func == (x: Key, y: Key) -> Bool {
      x.a == y.a && x.b == y.b && x.c == y.c
    }
    /// Decides the place in the index.
    @inline(__always) var place: UInt64 { UInt64(b) << 32 | UInt64(a) }
  }

  private var keys = ChunkedArray<Key>()
  private var index: UnsafeMutablePointer<UInt32>
  private var capacity: Int
  /// Ones where an entry has its number.
  private var numberMask: UInt32 = 0

  init() {
    capacity = 1 << 12
    index = .allocate(capacity: capacity)
    index.initialize(repeating: 0, count: capacity)
    noteCapacity()
  }

  func deallocate() {
    keys.deallocate()
    index.deallocate()
  }

  var count: Int { keys.count }

  /// Bytes in use by the table.
  var bytes: Int { keys.bytes + capacity * 4 }

  private mutating func noteCapacity() {
    numberMask = UInt32(truncatingIfNeeded: 1 << (64 - capacity.leadingZeroBitCount) - 1)
  }

  @inline(__always) private func start(_ key: Key) -> Int {
    Int(truncatingIfNeeded: key.place.multipliedFullWidth(by: UInt64(capacity)).high)
  }

  /// The state's number, and whether it is new.
  mutating func insert(_ fingerprint: Fingerprint) -> (id: Int, isNew: Bool) {
    // Up to 5/6 full: some five bytes of index a state on average.
    if keys.count &* 6 >= capacity &* 5 { grow() }
    let key = Key(fingerprint)
    var slot = start(key)
    let tag = key.c & ~numberMask
    while true {
      let entry = index[slot]
      if entry == 0 { break }
      if entry & ~numberMask == tag {
        let id = Int(entry & numberMask) &- 1
        if keys[id] == key { return (id, false) }
      }
      slot &+= 1
      if slot == capacity { slot = 0 }
    }
    keys.append(key)
    index[slot] = tag | UInt32(truncatingIfNeeded: keys.count)
    return (keys.count &- 1, true)
  }

  private mutating func grow() {
    index.deallocate()
    capacity += capacity / 4
    precondition(capacity < Int(UInt32.max), "more states than 32 bits number")
    noteCapacity()
    index = .allocate(capacity: capacity)
    index.initialize(repeating: 0, count: capacity)
    for id in 0..<keys.count {
      let key = keys[id]
      var slot = start(key)
      while index[slot] != 0 {
        slot &+= 1
        if slot == capacity { slot = 0 }
      }
      index[slot] = key.c & ~numberMask | UInt32(truncatingIfNeeded: id + 1)
    }
  }
}
