#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Sparse physical memory whose stores can be undone, compared with a base, and fingerprinted.
///
/// Memory is an array of frames of 4 KiB, allocated when first touched. A frame that repeats one word, but
/// for a few others, can be kept as that (`SparseMemory.swift`), and one of a disk as what is on it. Beside the data each frame
/// carries a *shadow* of the same size (one 32-bit word for every four bytes, free for the checker
/// to use), a bitmap of words changed since `setBase`, and a copy of its data at that time.
///
/// While `observed` is true each store appends the old word to the journal and keeps the
/// fingerprint of all contents up to date; `undo(to:)` goes back without copying.
public final class Memory {
  /// Bytes of one frame's data.
  public static let frameSize = 4096
  /// Distance in a frame's allocation from a data byte to its shadow.
  public static let shadowOffset = 4096
  static let bitmapOffset = 8192
  /// Bitmap of words that instructions were decoded from, or that translate addresses.
  static let watchOffset = 8192 + 64
  static let allocationSize = 8192 + 128

  /// Host address of each frame's allocation; nil: never touched, or kept as a `SparseFrame`.
  public let frames: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// Frames of guest RAM; after them come frames that no guest address reaches.
  public let ramFrames: Int
  public let frameCount: Int

  struct JournalEntry {
    let word: UnsafeMutablePointer<UInt64>
    let old: UInt64
  }

  /// What every store of an observed run touches. Behind a pointer, because a stored property of a
  /// class pays for a dynamic exclusivity check at each access.
  struct Ledger {
    var journal: UnsafeMutablePointer<JournalEntry>
    var journalCapacity: Int
    var journalCount = 0
    var observed = false
    var fingerprint = Fingerprint()
    var returns = 0
    /// Whether `recorder` takes down what is read and written.
    var recording = false
    var recorder = Recorder()
  }
  let ledger: UnsafeMutablePointer<Ledger>

  /// Number of stores that can be undone.
  @inline(__always) public var journalCount: Int { ledger.pointee.journalCount }

  /// Whether stores are journaled and fingerprinted.
  @inline(__always) public var observed: Bool { ledger.pointee.observed }

  /// Fingerprint of all contents that differ from zero, kept up to date while `observed`.
  @inline(__always) public var fingerprint: Fingerprint {
    get { ledger.pointee.fingerprint }
    set { ledger.pointee.fingerprint = newValue }
  }

  /// How often contents went back: what was derived from them may be wrong since.
  @inline(__always) var returns: Int { ledger.pointee.returns }

  /// Per frame, bits of `FrameUse`: stores to such frames may concern what was derived from them.
  let frameUses: UnsafeMutablePointer<UInt8>
  enum FrameUse {
    /// Instructions were decoded from it.
    static let code: UInt8 = 1
    /// Addresses were translated by it.
    static let tables: UInt8 = 2
  }

  /// Watched words written through `setWord`, for the machine to act on before it goes on.
  var watchedWrites: [UInt64] = []

  /// Frames that have bits in their bitmap, in ascending order.
  var dirtyFrames: [Int32] = []
  /// Copy of each dirty frame's data as it was at `setBase`.
  let baseCopies: UnsafeMutablePointer<UnsafeMutableRawPointer?>

  /// What frames without an allocation hold, nil for zeros.
  let sparseFrames: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>?>
  /// Frames with an allocation, and how many of them make it worth looking for sparse ones.
  var denseFrames = 0
  var compactionMark = Memory.firstCompaction
  /// Allocations of frames that became sparse.
  var spareAllocations: [UnsafeMutableRawPointer] = []
  /// Frames after the first hidden ones begin with the contents of disks, one after the other.
  let disks: [[UInt8]]
  /// First frame of each disk.
  let diskFrames: [Int]

  /// - Parameters:
  ///   - ramBytes: size of guest RAM, rounded up to whole frames.
  ///   - hiddenFrames: frames after RAM that only the machine and the checker can address.
  ///   - disks: contents of disks, which take more hidden frames.
  public init(ramBytes: Int, hiddenFrames: Int = 9, disks: [[UInt8]] = []) {
    ramFrames = (ramBytes + Memory.frameSize - 1) / Memory.frameSize
    self.disks = disks
    var next = ramFrames + hiddenFrames
    diskFrames = disks.map { disk in
      defer { next += (disk.count + Memory.frameSize - 1) / Memory.frameSize }
      return next
    }
    frameCount = next
    frames = zeroedTable(frameCount)
    baseCopies = zeroedTable(frameCount)
    sparseFrames = zeroedTable(frameCount)
    frameUses = zeroedTable(frameCount)
    let capacity = 1 << 16
    ledger = .allocate(capacity: 1)
    ledger.initialize(
      to: Ledger(journal: .allocate(capacity: capacity), journalCapacity: capacity))
  }

  deinit {
    for frame in 0..<frameCount {
      frames[frame]?.deallocate()
      baseCopies[frame]?.deallocate()
      sparseFrames[frame]?.deallocate()
    }
    for allocation in spareAllocations { allocation.deallocate() }
    releaseTable(frames)
    releaseTable(baseCopies)
    releaseTable(sparseFrames)
    releaseTable(frameUses)
    ledger.pointee.journal.deallocate()
    ledger.pointee.recorder.deallocate()
    ledger.deinitialize(count: 1)
    ledger.deallocate()
  }

  /// Physical address of the first byte that no guest address reaches.
  public var hiddenBase: UInt64 { UInt64(ramFrames) * UInt64(Memory.frameSize) }

  /// The frame's allocation, made on first use. `frame` must be below `frameCount`.
  @inline(__always) public func frame(_ frame: Int) -> UnsafeMutableRawPointer {
    if let p = frames[frame] { return p }
    return allocate(frame)
  }

  @inline(never) func allocate(_ frame: Int) -> UnsafeMutableRawPointer {
    let p =
      spareAllocations.popLast()
      ?? UnsafeMutableRawPointer.allocate(byteCount: Memory.allocationSize, alignment: 64)
    p.initializeMemory(as: UInt8.self, repeating: 0, count: Memory.allocationSize)
    fill(p, withSparse: frame)
    frames[frame] = p
    denseFrames += 1
    return p
  }

  // MARK: Words

  /// Reads the aligned 64-bit word at a physical address.
  @inline(__always) public func word(at physical: UInt64) -> UInt64 {
    if ledger.pointee.recording { noteRead(physical: physical & ~7, size: 8) }
    guard let p = frames[Int(truncatingIfNeeded: physical >> 12)] else {
      return sparseWord(physical >> 3)
    }
    return p.load(fromByteOffset: Int(truncatingIfNeeded: physical & 0xFF8), as: UInt64.self)
  }

  /// Writes the aligned 64-bit word at a physical address, journaled when `observed`.
  @inline(__always) public func setWord(at physical: UInt64, _ value: UInt64) {
    let index = Int(truncatingIfNeeded: physical >> 12)
    let p = frame(index)
    let word = p.advanced(by: Int(truncatingIfNeeded: physical & 0xFF8))
      .assumingMemoryBound(to: UInt64.self)
    if isWatched(frame: p, physical) { noteWatched(physical) }
    if observed {
      storeObserved(word, frame: p, physical: physical, value)
    } else {
      word.pointee = value
    }
  }

  /// Whether something was decoded from the word at this address.
  @inline(__always) func isWatched(frame: UnsafeMutableRawPointer, _ physical: UInt64) -> Bool {
    let word = frame.load(
      fromByteOffset: Memory.watchOffset + Int(truncatingIfNeeded: (physical >> 6) & 0x38) & ~7,
      as: UInt64.self)
    return word >> ((physical >> 3) & 63) & 1 != 0
  }

  /// Notes, for the machine, a write around it to what something was decoded from.
  func noteWatched(_ physical: UInt64) {
    watchedWrites.append(physical & ~7)
    ledger.pointee.recorder.noteCode()
  }

  /// Watches, or ceases to watch, the word at this address.
  func setWatched(frame: UnsafeMutableRawPointer, _ physical: UInt64, _ watched: Bool) {
    let word = frame.advanced(
      by: Memory.watchOffset + Int(truncatingIfNeeded: (physical >> 6) & 0x38) & ~7
    ).assumingMemoryBound(to: UInt64.self)
    let bit: UInt64 = 1 << ((physical >> 3) & 63)
    word.pointee = watched ? word.pointee | bit : word.pointee & ~bit
  }

  /// Whether the word was written since `setBase`.
  func isDirty(frame: UnsafeMutableRawPointer, _ physical: UInt64) -> Bool {
    let word = frame.load(
      fromByteOffset: Memory.bitmapOffset + Int(truncatingIfNeeded: (physical >> 6) & 0x38) & ~7,
      as: UInt64.self)
    return word >> ((physical >> 3) & 63) & 1 != 0
  }

  /// The store behind every observed write: journal, fingerprint, bitmap, then the word itself.
  /// - Parameters:
  ///   - word: host address of the aligned word.
  ///   - frame: its frame's allocation.
  ///   - physical: its physical address (low three bits ignored).
  ///   - value: the whole word.
  ///   - mask: the bytes that are meant; the others have the value that they had.
  @inline(__always) public func storeObserved(
    _ word: UnsafeMutablePointer<UInt64>, frame: UnsafeMutableRawPointer, physical: UInt64,
    _ value: UInt64, mask: UInt8 = 0xFF
  ) {
    let old = word.pointee
    let ledger = self.ledger
    if ledger.pointee.recording { noteWrite(physical: physical, mask: mask) }
    if old == value { return }
    let count = ledger.pointee.journalCount
    if count == ledger.pointee.journalCapacity { growJournal() }
    ledger.pointee.journal[count] = JournalEntry(word: word, old: old)
    ledger.pointee.journalCount = count &+ 1
    ledger.pointee.fingerprint.replace(
      Memory.live(old), by: Memory.live(value), at: physical & ~7)
    let index = Int(truncatingIfNeeded: (physical >> 3) & 511)
    let bits = frame.advanced(by: Memory.bitmapOffset + (index >> 6) &* 8)
      .assumingMemoryBound(to: UInt64.self)
    let bit: UInt64 = 1 << UInt64(truncatingIfNeeded: index & 63)
    if bits.pointee & bit == 0 {
      markDirty(bits, bit, frame: frame, index: Int(truncatingIfNeeded: physical >> 12))
    }
    word.pointee = value
  }

  @inline(never) func markDirty(
    _ bits: UnsafeMutablePointer<UInt64>, _ bit: UInt64, frame: UnsafeMutableRawPointer, index: Int
  ) {
    if baseCopies[index] == nil {
      let copy = UnsafeMutableRawPointer.allocate(byteCount: Memory.frameSize, alignment: 64)
      copy.copyMemory(from: frame, byteCount: Memory.frameSize)
      baseCopies[index] = copy
      let place = dirtyFrames.firstIndex { $0 > Int32(index) } ?? dirtyFrames.count
      dirtyFrames.insert(Int32(index), at: place)
    }
    bits.pointee |= bit
  }

  @inline(never) func growJournal() {
    let count = ledger.pointee.journalCount
    let bigger = UnsafeMutablePointer<JournalEntry>.allocate(capacity: count * 2)
    bigger.moveInitialize(from: ledger.pointee.journal, count: count)
    ledger.pointee.journal.deallocate()
    ledger.pointee.journal = bigger
    ledger.pointee.journalCapacity = count * 2
  }

  // MARK: Bytes (loading images, tests, reports; not the interpreter's path)

  public func byte(at physical: UInt64) -> UInt8 {
    UInt8(truncatingIfNeeded: word(at: physical) >> ((physical & 7) * 8))
  }

  public func setByte(at physical: UInt64, _ value: UInt8) {
    let shift = (physical & 7) * 8
    let old = word(at: physical)
    setWord(at: physical, old & ~(0xFF << shift) | UInt64(value) << shift)
  }

  /// Little-endian value of `size` bytes (1...8) at a physical address.
  public func value(at physical: UInt64, size: Int) -> UInt64 {
    var result: UInt64 = 0
    for i in 0..<size { result |= UInt64(byte(at: physical + UInt64(i))) << UInt64(8 * i) }
    return result
  }

  public func setValue(at physical: UInt64, size: Int, _ value: UInt64) {
    for i in 0..<size {
      setByte(at: physical + UInt64(i), UInt8(truncatingIfNeeded: value >> UInt64(8 * i)))
    }
  }

  // MARK: Going back

  /// Undoes stores until the journal has `count` entries. The fingerprint is the caller's to
  /// restore: it was saved with the count.
  @inline(__always) public func undo(to count: Int) {
    let ledger = self.ledger
    var now = ledger.pointee.journalCount
    if now <= count { return }
    ledger.pointee.returns &+= 1
    let journal = ledger.pointee.journal
    while now > count {
      now &-= 1
      let entry = journal[now]
      entry.word.pointee = entry.old
    }
    ledger.pointee.journalCount = count
  }

  /// Forgets how to undo the stores made so far.
  public func clearJournal() { ledger.pointee.journalCount = 0 }

  /// Makes the present contents the base of `difference()` and starts observing.
  /// The fingerprint is computed afresh from all frames; of sparse ones only what they are kept as counts,
  /// so that machines agree on it that came to the same contents in the same way.
  public func setBase() {
    ledger.pointee.observed = true
    ledger.pointee.journalCount = 0
    for index in dirtyFrames {
      baseCopies[Int(index)]?.deallocate()
      baseCopies[Int(index)] = nil
      clearBitmap(Int(index))
    }
    dirtyFrames.removeAll()
    var sum = Fingerprint()
    for index in 0..<frameCount {
      guard let p = frames[index] else {
        addSparse(index, to: &sum)
        continue
      }
      let words = p.assumingMemoryBound(to: UInt64.self)
      for w in 0..<512 where words[w] != 0 {
        sum.replace(
          0, by: Memory.live(words[w]), at: UInt64(index) << 12 | UInt64(w) << 3)
      }
    }
    fingerprint = sum
  }

  /// Stops journaling; contents stay.
  public func stopObserving() {
    ledger.pointee.observed = false
    ledger.pointee.journalCount = 0
  }

  private func clearBitmap(_ index: Int) {
    let bits = frames[index]!.advanced(by: Memory.bitmapOffset).assumingMemoryBound(to: UInt64.self)
    for i in 0..<8 { bits[i] = 0 }
  }

  /// Appends to `out` each word that differs from the base, as number (physical address / 8) and
  /// value, in ascending order.
  public func difference(into out: inout [DifferingWord]) {
    for index32 in dirtyFrames {
      let index = Int(index32)
      let p = frames[index]!
      let words = p.assumingMemoryBound(to: UInt64.self)
      let base = baseCopies[index]!.assumingMemoryBound(to: UInt64.self)
      let bits = p.advanced(by: Memory.bitmapOffset).assumingMemoryBound(to: UInt64.self)
      for b in 0..<8 {
        var mask = bits[b]
        while mask != 0 {
          let w = b &* 64 &+ mask.trailingZeroBitCount
          mask &= mask &- 1
          if words[w] != base[w] {
            out.append(DifferingWord(number: UInt32(index << 9 | w), value: words[w]))
          }
        }
      }
    }
  }

  /// Makes the contents equal to the base plus `difference`. The journal is emptied; the
  /// fingerprint is the caller's to restore.
  public func restore(_ difference: UnsafeBufferPointer<DifferingWord>) {
    ledger.pointee.returns &+= 1
    ledger.pointee.journalCount = 0
    for index32 in dirtyFrames {
      let index = Int(index32)
      let p = frames[index]!
      let words = p.assumingMemoryBound(to: UInt64.self)
      let base = baseCopies[index]!.assumingMemoryBound(to: UInt64.self)
      let bits = p.advanced(by: Memory.bitmapOffset).assumingMemoryBound(to: UInt64.self)
      for b in 0..<8 {
        var mask = bits[b]
        while mask != 0 {
          let w = b &* 64 &+ mask.trailingZeroBitCount
          mask &= mask &- 1
          words[w] = base[w]
        }
      }
    }
    for entry in difference {
      // The difference may come from another memory with the same base.
      let p = frame(Int(entry.number >> 9))
      let bits = p.advanced(by: Memory.bitmapOffset + Int(entry.number >> 6 & 7) &* 8)
        .assumingMemoryBound(to: UInt64.self)
      let bit: UInt64 = 1 << UInt64(entry.number & 63)
      if bits.pointee & bit == 0 {
        markDirty(bits, bit, frame: p, index: Int(entry.number >> 9))
      }
      p.assumingMemoryBound(to: UInt64.self)[Int(entry.number & 511)] = entry.value
    }
  }
}

/// A word of memory that differs from the base.
public struct DifferingWord: Equatable, Sendable {
  /// Physical address divided by eight.
  public let number: UInt32
  public let value: UInt64

  public init(number: UInt32, value: UInt64) {
    self.number = number
    self.value = value
  }
}

/// A table of zeros that costs nothing where nobody looks.
func zeroedTable<T>(_ count: Int) -> UnsafeMutablePointer<T> {
  guard let table = calloc(max(count, 1), MemoryLayout<T>.stride) else {
    fatalError("out of memory: \(count) entries of \(MemoryLayout<T>.stride) bytes")
  }
  return table.bindMemory(to: T.self, capacity: count)
}

/// Gives back what `zeroedTable` made.
func releaseTable<T>(_ table: UnsafeMutablePointer<T>) { free(table) }
