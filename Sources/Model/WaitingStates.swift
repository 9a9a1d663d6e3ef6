import Emulator
import Glibc

/// What of a waiting state is not words.
struct WaitingHeader {
  var id: Int
  var choices: UInt32
  var fingerprint: Fingerprint
  /// A cheaper way to it may be found before its turn comes.
  var isTentative = false
}

/// States that wait to be expanded, each as its difference from the one before; the first one whole, so
/// that each block can be read by itself.
///
/// Neighbours mostly differ in a few words, and a state in some hundred words from the first one.
struct WaitingBlock {
  fileprivate(set) var bytes: UnsafeMutablePointer<UInt8>
  fileprivate(set) var count = 0
  fileprivate(set) var capacity: Int
  fileprivate(set) var states = 0
  /// Numbers of those to which a cheaper way may be found before their turn.
  fileprivate(set) var tentative: [UInt32] = []

  func deallocate() { bytes.deallocate() }

  func write(to out: CheckpointWriter) throws {
    try out.put(states)
    try out.put(count)
    try out.put(tentative)
    try out.put(UnsafeRawBufferPointer(start: bytes, count: count))
  }
}

extension WaitingBlock {
  init(from input: CheckpointReader) throws {
    let states = try input.getInt()
    let count = try input.getInt()
    tentative = try input.getArray(UInt32.self)
    bytes = .allocate(capacity: max(count, 1))
    capacity = count
    self.count = count
    self.states = states
    try input.get(into: UnsafeMutableRawBufferPointer(start: bytes, count: count))
  }
}

/// Writes blocks of waiting states.
struct WaitingWriter {
  private static let blockBytes = 1 << 15
  private var blocks: [WaitingBlock] = []
  /// The state written last.
  private var written: [DifferingWord] = []

  var isEmpty: Bool { blocks.isEmpty }
  var bytes: Int { blocks.reduce(0) { $0 + $1.capacity } }

  /// The blocks written, which are the caller's from now on.
  mutating func take() -> [WaitingBlock] {
    closeBlock()
    defer { blocks.removeAll(keepingCapacity: true) }
    return blocks
  }

  /// Gives back what the last block does not need.
  private mutating func closeBlock() {
    guard let last = blocks.indices.last else { return }
    let used = blocks[last].count
    guard let bytes = realloc(blocks[last].bytes, used) else { return }
    blocks[last].bytes = bytes.assumingMemoryBound(to: UInt8.self)
    blocks[last].capacity = used
  }

  /// - Parameter words: in ascending order of their numbers, which are below 2³² - 1.
  mutating func append(_ header: WaitingHeader, _ words: [DifferingWord]) {
    // At most ten bytes a number, nine a value; a word that is gone from the state costs a number.
    let room = 64 + (words.count + written.count) * 20
    if blocks.isEmpty || blocks[blocks.count - 1].capacity - blocks[blocks.count - 1].count < room {
      closeBlock()
      let capacity = max(WaitingWriter.blockBytes, room)
      blocks.append(WaitingBlock(bytes: .allocate(capacity: capacity), capacity: capacity))
      written.removeAll(keepingCapacity: true)
    }
    let block = blocks.count - 1
    var out = Writer(at: blocks[block].bytes + blocks[block].count)
    out.put(UInt64(header.id) << 1 | (header.isTentative ? 1 : 0))
    out.put(UInt64(header.choices))
    out.put(word: header.fingerprint.low)
    out.put(word: header.fingerprint.high)
    written.withUnsafeBufferPointer { old in
      words.withUnsafeBufferPointer { out.putDifference(from: old, to: $0) }
    }
    blocks[block].count = out.at - blocks[block].bytes
    blocks[block].states += 1
    if header.isTentative {
      blocks[block].tentative.append(UInt32(truncatingIfNeeded: header.id))
    }
    written.removeAll(keepingCapacity: true)
    written.append(contentsOf: words)
  }

  private struct Writer {
    var at: UnsafeMutablePointer<UInt8>

    mutating func put(_ value: UInt64) {
      var v = value
      while v >= 0x80 {
        at.pointee = UInt8(truncatingIfNeeded: v) | 0x80
        at += 1
        v >>= 7
      }
      at.pointee = UInt8(truncatingIfNeeded: v)
      at += 1
    }

    mutating func put(word: UInt64) {
      UnsafeMutableRawPointer(at).storeBytes(of: word, as: UInt64.self)
      at += 8
    }

    /// The bytes of a value that are not zero, behind a mask that says which.
    mutating func put(bytesOf value: UInt64) {
      let maskAt = at
      at += 1
      var mask: UInt8 = 0
      var rest = value
      while rest != 0 {
        let i = rest.trailingZeroBitCount >> 3
        mask |= 1 &<< UInt8(truncatingIfNeeded: i)
        at.pointee = UInt8(truncatingIfNeeded: rest &>> UInt64(8 &* i))
        at += 1
        rest &= ~(0xFF &<< UInt64(8 &* i))
      }
      maskAt.pointee = mask
    }

    /// For each number that only one list has, or with another value: its distance from the one before
    /// plus one, and what has to be done to the old value (0 where there is none) by exclusive or. A
    /// mask of zero: the number is gone. A distance of 0 ends the list.
    mutating func putDifference(
      from old: UnsafeBufferPointer<DifferingWord>, to new: UnsafeBufferPointer<DifferingWord>
    ) {
      var (i, j) = (0, 0)
      var last: UInt32 = 0
      while i < old.count || j < new.count {
        // Mostly both have the same.
        if i < old.count && j < new.count && old[i] == new[j] {
          i &+= 1
          j &+= 1
          continue
        }
        let a = i < old.count ? old[i].number : .max
        let b = j < new.count ? new[j].number : .max
        let number = min(a, b)
        let was = a == number ? old[i].value : 0
        let isGone = b != number
        let value = isGone ? 0 : new[j].value
        if a == number { i += 1 }
        if b == number { j += 1 }
        if a == b && was == value { continue }
        put(UInt64(number - last) + 1)
        last = number
        if isGone {
          at.pointee = 0
          at += 1
        } else if was != value {
          put(bytesOf: was ^ value)
        } else {
          // New, with the value 0: all eight bytes, so that the mask is not that of a word gone.
          at.pointee = 0xFF
          at += 1
          put(word: 0)
        }
      }
      put(0)
    }
  }
}

/// Reads a block, and lets go of it.
struct WaitingReader {
  private let block: WaitingBlock
  private var at = 0
  private(set) var rest: Int
  /// The state read last.
  private var read: [DifferingWord] = []

  init(_ block: WaitingBlock) {
    self.block = block
    rest = block.states
  }

  func deallocate() { block.deallocate() }

  /// Takes the next state, its words into `words`; nil when there is none.
  mutating func next(into words: inout [DifferingWord]) -> WaitingHeader? {
    if rest == 0 { return nil }
    var input = Reader(at: block.bytes + at)
    let first = input.get()
    let choices = UInt32(truncatingIfNeeded: input.get())
    let low = input.getWord()
    let high = input.getWord()
    input.apply(to: read, giving: &words)
    at = input.at - block.bytes
    read.removeAll(keepingCapacity: true)
    read.append(contentsOf: words)
    rest -= 1
    return WaitingHeader(
      id: Int(first >> 1), choices: choices, fingerprint: Fingerprint(low: low, high: high),
      isTentative: first & 1 != 0)
  }

  private struct Reader {
    var at: UnsafeMutablePointer<UInt8>

    mutating func get() -> UInt64 {
      var v: UInt64 = 0
      var shift: UInt64 = 0
      while true {
        let b = at.pointee
        at += 1
        v |= UInt64(b & 0x7F) << shift
        if b & 0x80 == 0 { return v }
        shift += 7
      }
    }

    mutating func getWord() -> UInt64 {
      defer { at += 8 }
      return UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)
    }

    mutating func apply(to old: [DifferingWord], giving new: inout [DifferingWord]) {
      new.removeAll(keepingCapacity: true)
      old.withUnsafeBufferPointer { old in
        var i = 0
        var last: UInt32 = 0
        while true {
          let distance = get()
          if distance == 0 { break }
          let number = last &+ UInt32(truncatingIfNeeded: distance &- 1)
          last = number
          let from = i
          while i < old.count && old[i].number < number { i &+= 1 }
          if i > from { new.append(contentsOf: UnsafeBufferPointer(rebasing: old[from..<i])) }
          var was: UInt64 = 0
          if i < old.count && old[i].number == number {
            was = old[i].value
            i &+= 1
          }
          var mask = at.pointee
          at += 1
          if mask == 0 { continue }
          var change: UInt64 = 0
          while mask != 0 {
            change |= UInt64(at.pointee) << UInt64(8 * mask.trailingZeroBitCount)
            at += 1
            mask &= mask - 1
          }
          new.append(DifferingWord(number: number, value: was ^ change))
        }
        if i < old.count { new.append(contentsOf: UnsafeBufferPointer(rebasing: old[i...])) }
      }
    }
  }
}
