import Emulator

/// The checker's own part of a state: words in the second hidden frame of memory.
///
/// What rules must remember (which locks are held, which entries are in flight, whose stack this
/// is) decides what happens later, so it belongs to the state's key. Kept in the machine's memory,
/// it is undone, compared and fingerprinted with everything else. Tables are kept in a canonical
/// order, so that two executions that lead to the same situation lead to the same words.
struct Ghost {
  let memory: Memory
  private let base: UInt64
  /// The frame and its words; frames never move.
  private let frame: UnsafeMutableRawPointer
  private let words: UnsafeMutablePointer<UInt64>

  init(memory: Memory) {
    self.memory = memory
    base = memory.hiddenBase + UInt64(Memory.frameSize)
    frame = memory.frame(memory.ramFrames + 1)
    words = frame.assumingMemoryBound(to: UInt64.self)
  }

  @inline(__always) subscript(_ word: Int) -> UInt64 {
    get {
      if memory.isRecording { memory.noteRead(word: (base >> 3) &+ UInt64(word)) }
      return words[word]
    }
    nonmutating set {
      if memory.observed {
        memory.storeObserved(
          words + word, frame: frame, physical: base &+ UInt64(word) &* 8, newValue)
      } else {
        words[word] = newValue
      }
    }
  }

  /// Word numbers.
  enum Layout {
    /// Arrivals left of each source that has a bound, plus one; 16 words.
    static let arrivals = 0
    /// Next data byte of each source that has more than one; 16 words.
    static let dataIndex = 16
    /// Interrupts left under the bound over all sources, plus one.
    static let interruptsLeft = 32
    /// The strand that each CPU runs: see `Strand`; 8 words.
    static let strand = 40
    static let activations = Table(count: 48, first: 49, width: 6, capacity: 24)
    static let suspended = Table(count: 200, first: 201, width: 2, capacity: 24)
    static let held = Table(count: 250, first: 251, width: 4, capacity: 16)
    static let calls = Table(count: 320, first: 321, width: 5, capacity: 16)
    /// What each CPU is about to access: see `PendingAccess`; 8 words.
    static let pending = 408
    /// The kernel's GS base on each CPU, and whether it was seen to use SWAPGS; 8 words each.
    static let kernelGS = 416
    static let swapsGS = 424
    /// Stack pointers below which an interrupt overwrote data: with it its bits as in
    /// `Observation.clobberedSlots`, strand, and what was interrupted.
    static let clobbered = Table(count: 432, first: 433, width: 4, capacity: 8)
    /// Suspended strands, the lock that they left held for the next one, and its flags: see
    /// `World.keepHandedOver`.
    static let owed = Table(count: 466, first: 467, width: 3, capacity: 12)
    /// The strand that has ended on each CPU and not been left yet, or 0; 8 words.
    static let ended = 503
  }

  /// A table of records of `width` words.
  struct Table {
    let count: Int
    let first: Int
    let width: Int
    let capacity: Int
  }

  func count(_ table: Table) -> Int { Int(self[table.count]) }

  @inline(__always) func field(_ table: Table, _ row: Int, _ column: Int) -> UInt64 {
    self[table.first + row * table.width + column]
  }

  func setField(_ table: Table, _ row: Int, _ column: Int, _ value: UInt64) {
    self[table.first + row * table.width + column] = value
  }

  /// Inserts a record in the order of its first word (after equal ones).
  /// - Returns: its row, or nil when the table is full.
  func insertSorted(_ table: Table, _ record: [UInt64]) -> Int? {
    let n = count(table)
    guard n < table.capacity else { return nil }
    var row = n
    while row > 0 && field(table, row - 1, 0) > record[0] { row -= 1 }
    insert(table, record, at: row)
    return row
  }

  /// Appends a record: for tables whose order has a meaning.
  func append(_ table: Table, _ record: [UInt64]) -> Bool {
    let n = count(table)
    guard n < table.capacity else { return false }
    insert(table, record, at: n)
    return true
  }

  /// Inserts a record of a lock after those of the same CPU: in which order CPUs took theirs means
  /// nothing.
  func insertHeld(_ lock: HeldLock) -> Bool {
    let t = Layout.held
    let n = count(t)
    guard n < t.capacity else { return false }
    var row = n
    while row > 0 && HeldLock(ghost: self, row: row - 1).cpu > lock.cpu { row -= 1 }
    insert(t, lock.record, at: row)
    return true
  }

  private func insert(_ table: Table, _ record: [UInt64], at row: Int) {
    let n = count(table)
    var r = n
    while r > row {
      for c in 0..<table.width { setField(table, r, c, field(table, r - 1, c)) }
      r -= 1
    }
    for c in 0..<table.width { setField(table, row, c, record[c]) }
    self[table.count] = UInt64(n + 1)
  }

  func remove(_ table: Table, row: Int) {
    let n = count(table)
    var r = row
    while r + 1 < n {
      for c in 0..<table.width { setField(table, r, c, field(table, r + 1, c)) }
      r += 1
    }
    for c in 0..<table.width { setField(table, n - 1, c, 0) }
    self[table.count] = UInt64(n - 1)
  }

  /// First row whose first word is `key`.
  @inline(__always) func row(_ table: Table, key: UInt64) -> Int? {
    let n = count(table)
    for r in 0..<n where field(table, r, 0) == key { return r }
    return nil
  }
}

/// An entry into the kernel that has not returned: one record of the table of activations.
struct Activation {
  /// Linear address of the frame's instruction-pointer slot.
  var frame: UInt64
  var vector: Int
  var kind: Event.Kind
  var fromCPL: Int
  /// Entered, but registers not yet saved and kernel segments not yet loaded.
  var incomplete: Bool
  /// The way out has begun.
  var leaving: Bool
  /// The interrupted context has come to its end inside this entry's handler: nobody returns.
  var hasEnded = false
  /// Strand on whose stack the frame lies.
  var strand: UInt64
  /// Stack pointer of the interrupted code.
  var interruptedSP: UInt64
  /// Hash of the interrupted code's registers.
  var registers: UInt64
  var interruptedIP: UInt64

  /// By SYSCALL or SYSENTER, which push no frame: `frame` is where one would be.
  var hasNoFrame: Bool { vector >= Event.systemCall }

  var isAsynchronous: Bool { Activation.isAsynchronous(kind) }

  /// Whether an entry comes at a moment that the code which it finds does not choose.
  static func isAsynchronous(_ kind: Event.Kind) -> Bool {
    kind == .interrupt || kind == .nmi || kind == .machineCheck
  }

  /// The same, of a record's second word.
  @inline(__always) static func isAsynchronous(packed: UInt64) -> Bool {
    let kind = UInt8(truncatingIfNeeded: packed >> 16)
    return kind == Event.Kind.interrupt.rawValue || kind == Event.Kind.nmi.rawValue
      || kind == Event.Kind.machineCheck.rawValue
  }

  /// `hasEnded` in a record's second word.
  static let endedBit: UInt64 = 1 << 34

  var record: [UInt64] {
    var packed = UInt64(vector) | UInt64(kind.rawValue) << 16 | UInt64(fromCPL) << 24
    if incomplete { packed |= 1 << 32 }
    if leaving { packed |= 1 << 33 }
    if hasEnded { packed |= Activation.endedBit }
    return [frame, packed, strand, interruptedSP, registers, interruptedIP]
  }

  init(ghost: Ghost, row: Int) {
    let t = Ghost.Layout.activations
    frame = ghost.field(t, row, 0)
    let packed = ghost.field(t, row, 1)
    vector = Int(packed & 0xFFFF)
    kind = Event.Kind(rawValue: UInt8(packed >> 16 & 0xFF)) ?? .none
    fromCPL = Int(packed >> 24 & 3)
    incomplete = packed >> 32 & 1 != 0
    leaving = packed >> 33 & 1 != 0
    hasEnded = packed & Activation.endedBit != 0
    strand = ghost.field(t, row, 2)
    interruptedSP = ghost.field(t, row, 3)
    registers = ghost.field(t, row, 4)
    interruptedIP = ghost.field(t, row, 5)
  }

  init(
    frame: UInt64, vector: Int, kind: Event.Kind, fromCPL: Int, strand: UInt64,
    interruptedSP: UInt64, registers: UInt64, interruptedIP: UInt64, incomplete: Bool
  ) {
    self.frame = frame
    self.vector = vector
    self.kind = kind
    self.fromCPL = fromCPL
    self.incomplete = incomplete
    leaving = false
    self.strand = strand
    self.interruptedSP = interruptedSP
    self.registers = registers
    self.interruptedIP = interruptedIP
  }
}

/// A lock that is held: one record of the table of held locks, in the order of acquisition.
struct HeldLock {
  var address: UInt64
  /// Owner number (strand and depth) of the code that acquired it.
  var strand: UInt64
  var depth: Int
  var cpu: Int
  /// IF before the acquire began.
  var interruptsBefore: Bool
  /// IF bit of the flags that acquire returned.
  var savedInterrupts: Bool
  /// Index of the discipline in the scenario.
  var discipline: Int
  /// Return address of the acquire: where it was taken.
  var site: UInt64
  /// Handed over to code of which nobody saw how it left IF: its release is not judged by that.
  var owesUnknown = false

  var record: [UInt64] {
    let packed =
      UInt64(depth) | UInt64(cpu) << 8 | (interruptsBefore ? 1 << 16 : 0)
      | (savedInterrupts ? 1 << 17 : 0) | (owesUnknown ? 1 << 18 : 0) | UInt64(discipline) << 24
    return [address, strand, packed, site]
  }

  init(ghost: Ghost, row: Int) {
    let t = Ghost.Layout.held
    address = ghost.field(t, row, 0)
    strand = ghost.field(t, row, 1)
    let packed = ghost.field(t, row, 2)
    depth = Int(packed & 0xFF)
    cpu = Int(packed >> 8 & 0xFF)
    interruptsBefore = packed >> 16 & 1 != 0
    savedInterrupts = packed >> 17 & 1 != 0
    owesUnknown = packed >> 18 & 1 != 0
    discipline = Int(packed >> 24 & 0xFF)
    site = ghost.field(t, row, 3)
  }

  init(
    address: UInt64, strand: UInt64, depth: Int, cpu: Int, interruptsBefore: Bool,
    savedInterrupts: Bool, discipline: Int, site: UInt64
  ) {
    self.address = address
    self.strand = strand
    self.depth = depth
    self.cpu = cpu
    self.interruptsBefore = interruptsBefore
    self.savedInterrupts = savedInterrupts
    self.discipline = discipline
    self.site = site
  }
}
