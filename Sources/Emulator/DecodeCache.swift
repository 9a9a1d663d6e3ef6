import CZydis

/// Decoded instructions by physical address.
///
/// Micro-ops lie in one pool in the order of decoding, so that the next instruction is mostly the
/// next element. Per frame and `DecodeMode` a table of 4096 indices says where the instruction at
/// an offset lies (0: not decoded). Pool elements are never reused until the whole pool is
/// forgotten: invalidating one turns it into `Code.lookup`, which is what anything that still
/// leads to it should then do.
final class DecodeCache {
  static let capacity = 1 << 20
  /// Pool indices of the two micro-ops that are always there.
  static let lookupIndex: UInt32 = 1
  static let linkIndex: UInt32 = 2
  static let firstIndex = 3
  /// Micro-ops decoded at one go.
  static let blockLength = 64

  let memory: Memory
  let pool: UnsafeMutablePointer<MicroOp>
  private(set) var used = DecodeCache.firstIndex
  /// By mode * frameCount + frame.
  private let tables: UnsafeMutablePointer<UnsafeMutablePointer<UInt32>?>
  /// Instructions that go on in another page, by `crossingSlot`.
  let crossings: UnsafeMutablePointer<Crossing>
  static let crossingCount = 512
  /// Words of code that were written since `Memory.setBase`: going back changes them unnoticed.
  var volatileWords: [UInt64] = []
  /// Set when a frame got its first code: translations that let stores through must go.
  var newCodeFrame = false
  let decoder: Decoder

  struct Crossing {
    /// Physical address of the first byte, and the mode; `UInt64.max` when there is none.
    var key = UInt64.max
    /// Physical address of the second page.
    var second: UInt64 = 0
    var index: UInt32 = 0
  }

  static func crossingKey(_ physical: UInt64, mode: Int) -> UInt64 {
    physical * UInt64(DecodeMode.count) + UInt64(mode)
  }

  func crossing(_ key: UInt64) -> UnsafeMutablePointer<Crossing> {
    crossings + Int((key ^ key >> 14) % UInt64(DecodeCache.crossingCount))
  }

  private func forgetCrossings() {
    for i in 0..<DecodeCache.crossingCount {
      if crossings[i].key != UInt64.max { pool[Int(crossings[i].index)].code = .lookup }
      crossings[i].key = UInt64.max
    }
  }

  init(memory: Memory) {
    self.memory = memory
    pool = .allocate(capacity: DecodeCache.capacity)
    for i in 0..<DecodeCache.firstIndex { (pool + i).initialize(to: MicroOp()) }
    pool[Int(DecodeCache.linkIndex)].code = .link
    let count = DecodeMode.count * memory.frameCount
    tables = zeroedTable(count)
    crossings = .allocate(capacity: DecodeCache.crossingCount)
    crossings.initialize(repeating: Crossing(), count: DecodeCache.crossingCount)
    decoder = Decoder()
  }

  deinit {
    for i in 0..<(DecodeMode.count * memory.frameCount) { tables[i]?.deallocate() }
    releaseTable(tables)
    pool.deallocate()
    crossings.deallocate()
  }

  func hasCode(_ frame: Int) -> Bool { memory.frameUses[frame] & Memory.FrameUse.code != 0 }

  func table(mode: Int, frame: Int) -> UnsafeMutablePointer<UInt32> {
    let slot = mode * memory.frameCount + frame
    if let table = tables[slot] { return table }
    let table = UnsafeMutablePointer<UInt32>.allocate(capacity: Memory.frameSize)
    table.initialize(repeating: 0, count: Memory.frameSize)
    tables[slot] = table
    return table
  }

  /// Whether a block may still be decoded; if not, `forgetAll` is due.
  var isFull: Bool { used + DecodeCache.blockLength + 2 > DecodeCache.capacity }

  func append(_ op: MicroOp) -> UInt32 {
    (pool + used).initialize(to: op)
    used += 1
    return UInt32(used - 1)
  }

  /// Notes that code was decoded from these bytes.
  func watch(physical: UInt64, length: Int) {
    let index = Int(physical >> 12)
    let frame = memory.frame(index)
    if !hasCode(index) {
      memory.frameUses[index] |= Memory.FrameUse.code
      newCodeFrame = true
    }
    var word = physical & ~7
    while word < physical + UInt64(length) {
      memory.setWatched(frame: frame, word, true)
      if memory.observed && memory.isDirty(frame: frame, word) { volatileWords.append(word) }
      word += 8
    }
  }

  /// Forgets every instruction that has a byte in the word at `physical`.
  func invalidate(word physical: UInt64) {
    let index = Int(physical >> 12)
    let start = Int(physical & 0xFF8)
    memory.setWatched(frame: memory.frame(index), physical, false)
    if memory.observed { volatileWords.append(physical & ~7) }
    for mode in 0..<DecodeMode.count {
      guard let table = tables[mode * memory.frameCount + index] else { continue }
      // An instruction is at most 15 bytes long.
      for offset in max(0, start - 14)..<(start + 8) where table[offset] != 0 {
        let op = pool + Int(table[offset])
        if offset + Int(op.pointee.length) > start || op.pointee.length == 0 {
          op.pointee.code = .lookup
          table[offset] = 0
        }
      }
    }
    if start < 16 || start > Memory.frameSize - 24 {
      forgetCrossings()
    }
  }

  /// Forgets what may have changed by going back in the journal.
  func invalidateVolatile() {
    let words = volatileWords
    volatileWords.removeAll(keepingCapacity: true)
    for word in words { invalidate(word: word) }
    volatileWords = words
    if words.count > 64 { volatileWords = Array(Set(words)) }
  }

  /// Forgets the code of one frame.
  func invalidate(frame: Int) {
    guard hasCode(frame) else { return }
    for offset in stride(from: 0, to: Memory.frameSize, by: 8) {
      let word = UInt64(frame) << 12 | UInt64(offset)
      if memory.isWatched(frame: memory.frame(frame), word) { invalidate(word: word) }
    }
    memory.frameUses[frame] &= ~Memory.FrameUse.code
  }

  /// Forgets everything. No micro-op may be in flight.
  func forgetAll() {
    used = DecodeCache.firstIndex
    forgetCrossings()
    volatileWords.removeAll()
    for i in 0..<(DecodeMode.count * memory.frameCount) {
      tables[i]?.deallocate()
      tables[i] = nil
    }
    for index in 0..<memory.frameCount where memory.frameUses[index] == Memory.FrameUse.code {
      // Words of page tables in the same frame stay watched, and so does its code then.
      let words = memory.frame(index).advanced(by: Memory.watchOffset)
        .assumingMemoryBound(to: UInt64.self)
      for i in 0..<8 { words[i] = 0 }
      memory.frameUses[index] = 0
    }
  }
}
