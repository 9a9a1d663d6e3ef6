/// What a stretch of execution reads of memory before it writes it, and what it writes.
///
/// Everything that decides how a machine goes on lies in the CPU's block and in memory (devices
/// and checker keep theirs there too), so that a stretch which finds the same CPU block and the same
/// bytes where this one read does the same.
public struct Recorder {
  /// Bytes of one aligned word: physical address / 8 in the upper bits, one bit for each byte in the
  /// lower eight, and their values, the other bytes zero.
  public struct Bytes: Equatable, Sendable {
    public let place: UInt64
    public let value: UInt64

    @inline(__always) public init(word: UInt64, mask: UInt8, value: UInt64) {
      place = word << 8 | UInt64(mask)
      self.value = value
    }

    @inline(__always) public var word: UInt64 { place >> 8 }
    @inline(__always) public var mask: UInt8 { UInt8(truncatingIfNeeded: place) }
  }

  /// Ones in the bytes that the bits of a mask name.
  public nonisolated(unsafe) static let masks: UnsafePointer<UInt64> = {
    let table = UnsafeMutablePointer<UInt64>.allocate(capacity: 256)
    for mask in 0..<256 {
      table[mask] = (0..<8).reduce(0) { $0 | (mask >> $1 & 1 != 0 ? 0xFF << UInt64(8 * $1) : 0) }
    }
    return UnsafePointer(table)
  }()

  private struct Slot {
    var word: UInt64 = .max
    var generation: UInt32 = 0
    /// Bytes whose value follows from what was read or written before.
    var known: UInt8 = 0
    var written: UInt8 = 0
    /// Bytes that were read before they were written, and what they were.
    var read: UInt8 = 0
    var original: UInt64 = 0
  }

  /// In the order of reading.
  public private(set) var reads: [Bytes] = []
  /// Words that were written.
  private var writtenSlots: [Int] = []
  /// Something was written that more than memory follows from: code, or page tables.
  public private(set) var touchedCode = false

  private var slots: UnsafeMutablePointer<Slot>
  private var capacity = 1 << 10
  private var used = 0
  private var generation: UInt32 = 0

  init() {
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: Slot(), count: capacity)
  }

  func deallocate() { slots.deallocate() }

  mutating func begin() {
    reads.removeAll(keepingCapacity: true)
    writtenSlots.removeAll(keepingCapacity: true)
    touchedCode = false
    used = 0
    generation &+= 1
    if generation == 0 {
      slots.update(repeating: Slot(), count: capacity)
      generation = 1
    }
  }

  private mutating func slot(_ word: UInt64) -> Int {
    if used &* 2 >= capacity { grow() }
    let mask = capacity &- 1
    var at = Int(truncatingIfNeeded: (word &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while slots[at].generation == generation {
      if slots[at].word == word { return at }
      at = (at &+ 1) & mask
    }
    slots[at] = Slot(word: word, generation: generation)
    used += 1
    return at
  }

  private mutating func grow() {
    let (old, count) = (slots, capacity)
    capacity *= 2
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: Slot(), count: capacity)
    used = 0
    writtenSlots.removeAll(keepingCapacity: true)
    for i in 0..<count where old[i].generation == generation {
      let at = slot(old[i].word)
      slots[at] = old[i]
      if old[i].written != 0 { writtenSlots.append(at) }
    }
    old.deallocate()
  }

  mutating func noteRead(word: UInt64, mask: UInt8, contents: UInt64) {
    let at = slot(word)
    let new = mask & ~slots[at].known
    if new == 0 { return }
    slots[at].known |= new
    slots[at].read |= new
    let value = contents & Recorder.masks[Int(new)]
    slots[at].original |= value
    reads.append(Bytes(word: word, mask: new, value: value))
  }

  mutating func noteWrite(word: UInt64, mask: UInt8) {
    let at = slot(word)
    if slots[at].written == 0 { writtenSlots.append(at) }
    slots[at].known |= mask
    slots[at].written |= mask
  }

  mutating func noteCode() { touchedCode = true }

  /// Each word that was written, and those of its bytes that may not be as they were before.
  func forEachWrite(_ body: (_ word: UInt64, _ mask: UInt8) -> Void, in memory: Memory) {
    for at in writtenSlots {
      var mask = slots[at].written
      let changed = (memory.contents(ofWord: slots[at].word) ^ slots[at].original)
      for i in 0..<8 as Range<UInt64> where changed >> (8 * i) & 0xFF == 0 {
        mask &= ~(slots[at].read & 1 << UInt8(i))
      }
      if mask != 0 { body(slots[at].word, mask) }
    }
  }
}

extension Memory {
  /// Begins to record what is read and written; `recorder` then holds it until the next begin.
  public func beginRecording() {
    ledger.pointee.recorder.begin()
    ledger.pointee.recording = true
    // Translations that are kept would hide from the recorder what they were made from.
    ledger.pointee.returns &+= 1
  }

  public func endRecording() { ledger.pointee.recording = false }

  public var isRecording: Bool { ledger.pointee.recording }

  /// What was read, in order, since recording began.
  public var recordedReads: [Recorder.Bytes] { ledger.pointee.recorder.reads }

  /// Whether code or page tables were written since recording began.
  public var recordedCodeWrite: Bool { ledger.pointee.recorder.touchedCode }

  /// What was written since recording began and may differ from before, as it is now.
  public func forEachRecordedWrite(_ body: (Recorder.Bytes) -> Void) {
    ledger.pointee.recorder.forEachWrite(
      { word, mask in
        body(
          Recorder.Bytes(
            word: word, mask: mask,
            value: contents(ofWord: word) & Recorder.masks[Int(mask)]))
      }, in: self)
  }

  /// Does `body` without recording what it reads.
  @inline(__always) public func withoutRecording<T>(_ body: () -> T) -> T {
    let was = ledger.pointee.recording
    ledger.pointee.recording = false
    defer { ledger.pointee.recording = was }
    return body()
  }

  /// The contents of a word, by physical address / 8; recorded by nobody.
  @inline(__always) public func contents(ofWord word: UInt64) -> UInt64 {
    guard let p = frames[Int(truncatingIfNeeded: word >> 9)] else { return sparseWord(word) }
    return p.load(fromByteOffset: Int(truncatingIfNeeded: word & 511) &* 8, as: UInt64.self)
  }

  /// Notes a read of a whole word, by physical address / 8.
  @inline(never) public func noteRead(word: UInt64) {
    ledger.pointee.recorder.noteRead(word: word, mask: 0xFF, contents: contents(ofWord: word))
  }

  /// Notes a read of up to eight bytes within a frame.
  @inline(never) func noteRead(physical: UInt64, size: Int) {
    let word = physical >> 3
    let first = Int(truncatingIfNeeded: physical & 7)
    let bits = ((1 << size) &- 1) << first
    ledger.pointee.recorder.noteRead(
      word: word, mask: UInt8(truncatingIfNeeded: bits), contents: contents(ofWord: word))
    if bits >> 8 != 0 {
      ledger.pointee.recorder.noteRead(
        word: word &+ 1, mask: UInt8(truncatingIfNeeded: bits >> 8),
        contents: contents(ofWord: word &+ 1))
    }
  }

  /// Notes a write of bytes of one word.
  @inline(never) func noteWrite(physical: UInt64, mask: UInt8) {
    ledger.pointee.recorder.noteWrite(word: physical >> 3, mask: mask)
  }

  /// Overwrites bytes of a word, without looking at them, with what stands for nothing.
  public func fill(at physical: UInt64, mask: UInt8) {
    let p = frame(Int(truncatingIfNeeded: physical >> 12))
    let word = (p + Int(truncatingIfNeeded: physical & 0xFF8)).assumingMemoryBound(to: UInt64.self)
    if isWatched(frame: p, physical) { noteWatched(physical) }
    let bits = Recorder.masks[Int(mask)]
    storeObserved(
      word, frame: p, physical: physical, word.pointee & ~bits | Memory.filling & bits, mask: mask)
  }

  /// Writes bytes that were recorded.
  /// - Returns: false, with nothing written, when more than memory follows from one of them.
  public func apply(_ writes: UnsafeBufferPointer<Recorder.Bytes>) -> Bool {
    let masks = Recorder.masks
    for bytes in writes {
      let index = Int(truncatingIfNeeded: bytes.word >> 9)
      if frameUses[index] != 0 && isWatched(frame: frame(index), bytes.word << 3) { return false }
    }
    for bytes in writes {
      let p = frame(Int(truncatingIfNeeded: bytes.word >> 9))
      let word = (p + Int(truncatingIfNeeded: bytes.word & 511) &* 8)
        .assumingMemoryBound(to: UInt64.self)
      storeObserved(
        word, frame: p, physical: bytes.word << 3,
        word.pointee & ~masks[Int(bytes.mask)] | bytes.value, mask: bytes.mask)
    }
    return true
  }
}
