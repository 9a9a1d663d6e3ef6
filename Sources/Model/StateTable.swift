import Emulator

/// The set of states seen, by fingerprint: 16 bytes each, and an index of 32-bit numbers over them.
struct StateTable {
  private(set) var count = 0
  private var keys: UnsafeMutablePointer<Fingerprint>
  private var keyCapacity: Int
  private var index: UnsafeMutablePointer<UInt32>
  private var indexCapacity: Int

  static let empty = UInt32.max

  init(capacity: Int = 1 << 12) {
    keyCapacity = capacity
    keys = .allocate(capacity: capacity)
    indexCapacity = capacity * 2
    index = .allocate(capacity: indexCapacity)
    index.initialize(repeating: StateTable.empty, count: indexCapacity)
  }

  func deallocate() {
    keys.deallocate()
    index.deallocate()
  }

  /// Bytes in use by the table.
  var bytes: Int { keyCapacity * 16 + indexCapacity * 4 }

  func key(_ id: Int) -> Fingerprint { keys[id] }

  /// The state's number, and whether it is new.
  mutating func insert(_ key: Fingerprint) -> (id: Int, isNew: Bool) {
    // Load of at most 3/4 keeps probe sequences short at six bytes of index a state.
    if count &* 4 >= indexCapacity &* 3 { grow() }
    let mask = indexCapacity - 1
    var slot = Int(truncatingIfNeeded: key.low) & mask
    while index[slot] != StateTable.empty {
      let id = Int(index[slot])
      if keys[id] == key { return (id, false) }
      slot = (slot &+ 1) & mask
    }
    if count == keyCapacity {
      let capacity = keyCapacity + keyCapacity / 2
      let bigger = UnsafeMutablePointer<Fingerprint>.allocate(capacity: capacity)
      bigger.moveInitialize(from: keys, count: count)
      keys.deallocate()
      keys = bigger
      keyCapacity = capacity
    }
    keys[count] = key
    index[slot] = UInt32(truncatingIfNeeded: count)
    count += 1
    return (count - 1, true)
  }

  private mutating func grow() {
    index.deallocate()
    indexCapacity *= 2
    index = .allocate(capacity: indexCapacity)
    index.initialize(repeating: StateTable.empty, count: indexCapacity)
    let mask = indexCapacity - 1
    for id in 0..<count {
      var slot = Int(truncatingIfNeeded: keys[id].low) & mask
      while index[slot] != StateTable.empty { slot = (slot &+ 1) & mask }
      index[slot] = UInt32(truncatingIfNeeded: id)
    }
  }
}
