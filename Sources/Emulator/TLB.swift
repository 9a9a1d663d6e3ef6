/// A data translation: one linear page at one privilege level.
struct TLBEntry {
  /// Linear page | epoch when the page may be read.
  var readTag: UInt64
  /// Linear page | epoch when a store needs nothing but a store: the page may be written, its D
  /// bit is set, and nothing was derived from its frame (`Memory.frameUses`).
  var writeTag: UInt64
  /// Host address of a byte minus its linear address.
  var addend: UInt
  /// Physical page; bit 0: the page may be written and its D bit is set.
  var physical: UInt64
}

/// A translation for instruction fetch.
struct FetchEntry {
  var tag: UInt64
  var physical: UInt64
}

/// What the interpreter keeps per CPU besides the architectural state. All of it can be forgotten
/// at any time without a change of behaviour.
struct Core {
  static let entryCount = 1024
  static let fetchCount = 256
  /// A page that no instruction pointer is in: not canonical, and beyond 32 bits.
  static let noPage: UInt64 = 1 << 63

  let words: UnsafeMutablePointer<UInt64>
  /// `entryCount` entries for supervisor accesses, then as many for user accesses.
  let data: UnsafeMutablePointer<TLBEntry>
  let fetch: UnsafeMutablePointer<FetchEntry>
  /// The low 12 bits of valid tags: counting it up empties the buffers. Never 0.
  var epoch: UInt64 = 1
  /// `DecodeMode` of the code that runs, and what linear addresses and the instruction pointer
  /// are cut to.
  var mode = DecodeMode.flat32
  var mask: UInt64 = 0xFFFF_FFFF
  /// The page that code runs in and its table of micro-ops.
  var windowPage = Core.noPage
  var window: UnsafeMutablePointer<UInt32>
  /// The instruction in flight may touch what is shared.
  var passing = false
  /// The next slice, and this one, is one instruction that may touch a device in memory.
  var deviceNext = false
  var onDevice = false
  /// Physical address of the device's register that it wrote; 0: none.
  var deviceWrite: UInt64 = 0
  /// Where that instruction is (linear).
  var deviceInstruction: UInt64 = 0
  /// What the last walk found depends on EFLAGS.AC and on who asks (CR4.SMAP).
  var isTransient = false
  /// CR0, CR3, CR4 and EFER that the buffers were filled under.
  var translationKey: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  /// `Memory.returns` when the buffers were last known to agree with memory.
  var memoryReturns = 0

  init(words: UnsafeMutablePointer<UInt64>) {
    self.words = words
    data = .allocate(capacity: 2 * Core.entryCount)
    data.initialize(
      repeating: TLBEntry(readTag: 0, writeTag: 0, addend: 0, physical: 0),
      count: 2 * Core.entryCount)
    fetch = .allocate(capacity: 2 * Core.fetchCount)
    fetch.initialize(repeating: FetchEntry(tag: 0, physical: 0), count: 2 * Core.fetchCount)
    window = UnsafeMutablePointer(bitPattern: MemoryLayout<UInt32>.alignment)!
  }

  func deallocate() {
    data.deallocate()
    fetch.deallocate()
  }

  /// Empties the buffers.
  mutating func flush() {
    epoch += 1
    windowPage = Core.noPage
    if epoch == 4096 {
      epoch = 1
      for i in 0..<(2 * Core.entryCount) { (data[i].readTag, data[i].writeTag) = (0, 0) }
      for i in 0..<(2 * Core.fetchCount) { fetch[i].tag = 0 }
    }
  }

  /// Forgets one page.
  mutating func flush(page linear: UInt64) {
    windowPage = Core.noPage
    for privilege in 0...1 {
      let entry = data + Core.slot(linear, privilege)
      (entry.pointee.readTag, entry.pointee.writeTag) = (0, 0)
      fetch[Core.fetchSlot(linear, privilege)].tag = 0
    }
  }

  @inline(__always) static func slot(_ linear: UInt64, _ privilege: Int) -> Int {
    Int(truncatingIfNeeded: (linear >> 12) & UInt64(entryCount - 1)) &+ privilege &* entryCount
  }

  @inline(__always) static func fetchSlot(_ linear: UInt64, _ privilege: Int) -> Int {
    Int(truncatingIfNeeded: (linear >> 12) & UInt64(fetchCount - 1)) &+ privilege &* fetchCount
  }
}

extension Machine {
  /// Empties the CPU's translation buffers: MOV to CR0, CR3, CR4. Intel SDM Vol. 3A §4.10.4.1.
  /// Global pages are forgotten too, which the manual allows.
  func flushTLB(_ cpu: Int) { cores[cpu].flush() }

  /// Notes that an entry of a page table, at this physical address, is part of a translation.
  ///
  /// A store to it empties the buffers, so that they never differ from the tables: whether a
  /// translation is still cached must not depend on where a run began or went back to. The manual
  /// lets a processor forget translations at any time (Intel SDM Vol. 3A §4.10.2.3); a kernel that
  /// forgets an INVLPG is not caught.
  func watchTable(_ physical: UInt64) {
    let index = Int(truncatingIfNeeded: physical >> 12)
    memory.setWatched(frame: memory.frame(index), physical, true)
    if memory.frameUses[index] & Memory.FrameUse.tables == 0 {
      memory.frameUses[index] |= Memory.FrameUse.tables
      flushAllTLBs()
    }
  }

  func flushAllTLBs() {
    for cpu in 0..<cpus.count { cores[cpu].flush() }
  }

  /// A watched word, at this physical address, was written.
  func noteWatchedWrite(_ physical: UInt64) {
    if memory.isRecording { memory.ledger.pointee.recorder.noteCode() }
    let index = Int(truncatingIfNeeded: physical >> 12)
    let uses = memory.frameUses[index]
    memory.setWatched(frame: memory.frame(index), physical, false)
    if uses & Memory.FrameUse.tables != 0 { flushAllTLBs() }
    if uses & Memory.FrameUse.code != 0 { decodeCache.invalidate(word: physical) }
  }

  /// Forgets the translation of one page: INVLPG.
  func flushTLBPage(_ cpu: Int, _ linear: UInt64) { cores[cpu].flush(page: linear) }

  /// Finds the translation of a data access that stays within a page, or returns nil with the
  /// fault set.
  @inline(__always) func translate(
    _ cpu: Int, _ linear: UInt64, write: Bool, _ kind: UInt8
  ) -> UnsafeMutablePointer<TLBEntry>? {
    let core = cores + cpu
    let user = kind & AccessKind.supervisor == 0 && core.pointee.words[CPU.Word.cpl] == 3
    let entry = core.pointee.data + Core.slot(linear, user ? 1 : 0)
    if entry.pointee.readTag == linear & ~0xFFF | core.pointee.epoch
      && (!write || entry.pointee.physical & 1 != 0)
    {
      return entry
    }
    return fill(
      cpu, entry, linear, write: write, user: user, kind)
  }

  @inline(never) func fill(
    _ cpu: Int, _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64, write: Bool, user: Bool,
    _ kind: UInt8
  ) -> UnsafeMutablePointer<TLBEntry>? {
    if !Machine.isCanonical(linear) {
      raise(
        kind & AccessKind.stack != 0 ? Vector.stackFault : Machine.canonicalFault)
      return nil
    }
    let physical = translateSlow(
      cpu, linear: linear, write: write, user: user, fetch: false,
      implicit: kind & AccessKind.system != 0)
    if physical == UInt64.max { return nil }
    let index = Int(truncatingIfNeeded: physical >> 12)
    if isDevicePage(physical) {
      devicePhysical = physical
      faultVector = Machine.deviceFault
      return nil
    }
    guard index < memory.ramFrames else {
      unmodelled =
        "access to physical address 0x\(String(physical, radix: 16)), where there is no memory"
      faultVector = Machine.unmodelledFault
      return nil
    }
    // A tag of 0 is never found: this translation holds for one access.
    let tag = cores[cpu].isTransient ? 0 : linear & ~0xFFF | cores[cpu].epoch
    let frame = memory.frame(index)
    let writable =
      write || (tag != 0 && entry.pointee.readTag == tag && entry.pointee.physical & 1 != 0)
    entry.pointee.readTag = tag
    entry.pointee.writeTag = writable && memory.frameUses[index] == 0 ? tag : 0
    entry.pointee.addend = UInt(bitPattern: frame) &- UInt(truncatingIfNeeded: linear & ~0xFFF)
    entry.pointee.physical = physical & ~0xFFF | (writable ? 1 : 0)
    return entry
  }

  /// Translates the address of an instruction byte, or returns nil with the fault set.
  func translateFetch(_ cpu: Int, _ linear: UInt64) -> UInt64? {
    let core = cores + cpu
    let user = core.pointee.words[CPU.Word.cpl] == 3
    let entry = core.pointee.fetch + Core.fetchSlot(linear, user ? 1 : 0)
    let tag = linear & ~0xFFF | core.pointee.epoch
    if entry.pointee.tag != tag {
      let physical = translateSlow(cpu, linear: linear, write: false, user: user, fetch: true)
      if physical == UInt64.max { return nil }
      if physical >> 12 >= UInt64(memory.ramFrames) {
        unmodelled =
          "fetch from physical address 0x\(String(physical, radix: 16)), where there is no memory"
        faultVector = Machine.unmodelledFault
        return nil
      }
      entry.pointee.tag = tag
      entry.pointee.physical = physical & ~0xFFF
    }
    return entry.pointee.physical | linear & 0xFFF
  }
}
