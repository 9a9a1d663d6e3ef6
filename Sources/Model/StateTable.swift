import Emulator
import Synchronization

/// The set of states seen, which any number of threads add to without locks: for each state ten bytes
/// of its fingerprint, in the order of discovery, and an index of 32-bit entries over them.
///
/// An index entry holds the state's number plus one and, in the bits that numbers do not need yet, bits
/// of the fingerprint, so that few entries of others are followed. An entry is written once, by
/// compare-and-exchange, after what it points to. 80 bits: for n states the probability that two of them
/// are taken for one is below n²/2⁸¹, 4·10⁻⁹ for a hundred million.
final class StateTable: @unchecked Sendable {
  static let keyBytes = 10

  /// What is kept of a fingerprint; the order of keys has no meaning but is the same in every search.
  struct Key: Comparable, BitwiseCopyable {
    var a: UInt64
    var b: UInt16

    @inline(__always) init(_ f: Fingerprint) {
      a = f.low
      b = UInt16(truncatingIfNeeded: f.high)
    }
    @inline(__always) init(a: UInt64, b: UInt16) {
      self.a = a
      self.b = b
    }
    static func < (x: Key, y: Key) -> Bool { (x.a, x.b) < (y.a, y.b) }
  }

  /// Numbers that one thread may give to the states which it finds.
  struct Reservation {
    fileprivate(set) var next = 0
    fileprivate(set) var end = 0
    /// Those that are not given yet.
    var rest: Range<Int> { next..<end }
  }

  /// Numbers given to no state that no thread will give any more.
  private var abandoned: [Range<Int>] = []
  private let keys: Region<UInt8>
  private let index: Region<UInt32>
  private let entries: UnsafeMutablePointer<Atomic<UInt32>>
  private let reserved = Atomic<Int>(0)
  private(set) var capacity: Int
  /// Ones where an entry has its number.
  private var numberMask: UInt32 = 0
  /// Most states that there is room for.
  let limit: Int

  /// - Parameter memoryLimit: bytes that the table will not need more than.
  init(memoryLimit: Int) {
    let most = min(Int(UInt32.max) - 1 << 16, max(memoryLimit, 1 << 20) / StateTable.keyBytes)
    keys = Region(limit: most * StateTable.keyBytes)
    index = Region(limit: most * 2)
    limit = min(keys.limit / StateTable.keyBytes, index.limit / 2)
    entries = UnsafeMutableRawPointer(index.base).assumingMemoryBound(to: Atomic<UInt32>.self)
    capacity = StateTable.firstCapacity
    noteCapacity()
  }

  private static let firstCapacity = 1 << 12

  deinit {
    keys.deallocate()
    index.deallocate()
  }

  /// Numbers given to threads: above every state's.
  var numbers: Int { reserved.load(ordering: .relaxed) }

  /// Bytes in use by the table.
  var bytes: Int { numbers * StateTable.keyBytes + capacity * 4 }

  private func noteCapacity() {
    numberMask = UInt32(truncatingIfNeeded: 1 << (64 - capacity.leadingZeroBitCount) - 1)
  }

  /// Whether it must grow before much more is added. (Up to 5/6 full.)
  var isNearlyFull: Bool { numbers &* 6 >= capacity &* 5 }
  /// Whether there are no more numbers.
  var isExhausted: Bool { numbers >= limit - 1 << 14 }

  @inline(__always) private func start(_ key: Key) -> Int {
    Int(truncatingIfNeeded: key.a.multipliedFullWidth(by: UInt64(capacity)).high)
  }

  @inline(__always) private func tag(_ key: Key) -> UInt32 {
    (UInt32(key.b) << 16 | UInt32(truncatingIfNeeded: key.a) & 0xFFFF) & ~numberMask
  }

  /// What is kept of a state's fingerprint.
  @inline(__always) func key(_ number: Int) -> Key {
    let at = UnsafeRawPointer(keys.base) + number &* StateTable.keyBytes
    return Key(
      a: at.loadUnaligned(as: UInt64.self),
      b: (at + 8).loadUnaligned(as: UInt16.self))
  }

  @inline(__always) private func setKey(_ number: Int, _ key: Key) {
    let at = UnsafeMutableRawPointer(keys.base) + number &* StateTable.keyBytes
    at.storeBytes(of: key.a, as: UInt64.self)
    (at + 8).storeBytes(of: key.b, as: UInt16.self)
  }

  /// The state's number, and whether it is new. `grow` must be called, by one thread alone, before the
  /// table is full.
  @inline(__always) func insert(
    _ fingerprint: Fingerprint, _ reservation: inout Reservation
  ) -> (id: Int, isNew: Bool) {
    let key = Key(fingerprint)
    var slot = start(key)
    let tag = tag(key)
    var isWritten = false
    while true {
      var entry = entries[slot].load(ordering: .acquiring)
      if entry == 0 {
        if !isWritten {
          if reservation.next == reservation.end { reserve(&reservation) }
          setKey(reservation.next, key)
          isWritten = true
        }
        let mine = reservation.next
        let (won, now) = entries[slot].compareExchange(
          expected: 0, desired: tag | UInt32(truncatingIfNeeded: mine &+ 1),
          ordering: .acquiringAndReleasing)
        if won {
          reservation.next = mine &+ 1
          return (mine, true)
        }
        entry = now
      }
      if entry & ~numberMask == tag {
        let id = Int(entry & numberMask) &- 1
        if self.key(id) == key { return (id, false) }
      }
      slot &+= 1
      if slot == capacity { slot = 0 }
    }
  }

  private static let reservationSize = 64

  @inline(never) private func reserve(_ reservation: inout Reservation) {
    reservation.next = reserved.add(
      StateTable.reservationSize, ordering: .relaxed
    ).oldValue
    reservation.end = reservation.next + StateTable.reservationSize
  }

  /// Makes room, in place. No other thread may use the table meanwhile.
  /// - Parameter unused: numbers that are given to no state.
  func grow(unused: [Range<Int>]) {
    index.clear(capacity)
    // Where memory counts, in smaller steps.
    capacity += capacity < 1 << 18 ? capacity : capacity / 4
    enterAll(unused: unused)
  }

  private func enterAll(unused: [Range<Int>]) {
    capacity = min(capacity, index.limit)
    noteCapacity()
    var begin = 0
    for gap in (unused + abandoned).filter({ !$0.isEmpty }).sorted(by: { $0.lowerBound < $1.lowerBound })
      + [numbers..<numbers]
    {
      for number in begin..<gap.lowerBound { enter(number) }
      begin = gap.upperBound
    }
  }

  private func enter(_ number: Int) {
    let key = key(number)
    let plain = index.base
    var slot = start(key)
    while plain[slot] != 0 {
      slot &+= 1
      if slot == capacity { slot = 0 }
    }
    plain[slot] = tag(key) | UInt32(truncatingIfNeeded: number + 1)
  }

  // MARK: Checkpoints

  func write(to out: CheckpointWriter, unused: [Range<Int>]) throws {
    let gaps = abandoned + unused.filter { !$0.isEmpty }
    try out.put(gaps.flatMap { [Int64($0.lowerBound), Int64($0.upperBound)] })
    try out.put(numbers)
    try out.put(capacity)
    try out.put(
      UnsafeRawBufferPointer(start: keys.base, count: numbers * StateTable.keyBytes))
  }

  /// Into an empty table.
  func read(from input: CheckpointReader) throws {
    let bounds = try input.getArray(Int64.self).map { Int($0) }
    let count = try input.getInt()
    let places = try input.getInt()
    guard count <= limit, places <= index.limit else {
      throw ScenarioError("the checkpoint has more states than the memory limit leaves room for")
    }
    index.clear(capacity)
    abandoned = stride(from: 0, to: bounds.count, by: 2).map { bounds[$0]..<bounds[$0 + 1] }
    try input.get(
      into: UnsafeMutableRawBufferPointer(
        start: keys.base, count: count * StateTable.keyBytes))
    reserved.store(count, ordering: .relaxed)
    capacity = places
    enterAll(unused: [])
  }
}
