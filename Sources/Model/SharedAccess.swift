import Emulator

/// What a CPU is about to do to bytes that others touch too, as it stands before the instruction: one
/// word of the checker's part of the state for each CPU.
struct PendingAccess {
  var physical: UInt64
  var size: UInt64
  var flags: UInt8

  enum Flag {
    static let write: UInt8 = 1
    /// Reads and writes, in two steps unless `locked`.
    static let update: UInt8 = 2
    static let locked: UInt8 = 4
    /// A device's register, or a port, by which a request can be seen before it is taken, or which
    /// changes where requests go.
    static let device: UInt8 = 8
    /// Within a function that acquires or releases a lock.
    static let inLock: UInt8 = 16
  }

  var word: UInt64 { physical & 0xFFFF_FFFF_FFFF | size << 48 | UInt64(flags) << 56 }

  init(physical: UInt64, size: UInt64, flags: UInt8) {
    self.physical = physical
    self.size = size
    self.flags = flags
  }

  /// nil of a CPU that is not about to touch anything shared.
  init?(word: UInt64) {
    if word == 0 { return nil }
    physical = word & 0xFFFF_FFFF_FFFF
    size = word >> 48 & 0xFF
    flags = UInt8(truncatingIfNeeded: word >> 56)
  }

  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
  var isDevice: Bool { has(Flag.device) }

  func overlaps(_ other: PendingAccess) -> Bool {
    physical < other.physical + other.size && other.physical < physical + size
  }
}

extension World {
  /// Notes what the present CPU stands before.
  /// - Parameter stopped: the last run stopped before it.
  func lookAhead(stopped: Bool) {
    var next: PendingAccess?
    let o = machine.observation
    if stopped && o.stopSize != 0 {
      next = PendingAccess(physical: o.stopAddress, size: UInt64(o.stopSize), flags: o.stopFlags)
    } else if stopped ? cpuCount > 1 : !fuses, let stop = machine.nextStop(cpuIndex) {
      next = PendingAccess(physical: stop.address, size: UInt64(stop.size), flags: stop.flags)
    }
    if let access = next, access.isDevice, !isSensitive(access) { next = nil }
    if cpuCount == 1 {
      if next?.isDevice != true { next = nil }
    } else if var access = next, !access.isDevice {
      if isInLockFunction { access.flags |= PendingAccess.Flag.inLock }
      next = access
    } else if next == nil, readsDevice() {
      next = PendingAccess(physical: 0, size: 0, flags: PendingAccess.Flag.device)
    }
    ghost[Ghost.Layout.pending + cpuIndex] = next?.word ?? 0
  }

  /// What a CPU stands before, when it is bytes that others touch.
  func pendingAccess(_ cpu: Int) -> PendingAccess? {
    PendingAccess(word: ghost[Ghost.Layout.pending + cpu]).flatMap { $0.isDevice ? nil : $0 }
  }

  /// Whether some CPU stands before an instruction that could see a request before it is taken, or
  /// change where requests go.
  var someStandsBeforeDevice: Bool {
    let device = UInt64(PendingAccess.Flag.device)
    for c in machine.cpus.indices where ghost[Ghost.Layout.pending + c] >> 56 & device != 0 {
      return true
    }
    return false
  }

  /// Takes up the access that the present CPU stands before, as it settles at a state.
  func judgePending() {
    guard let access = pendingAccess(cpuIndex) else { return }
    learnSynchronisation(access)
    var h = Happening(.aboutToAccess, rip: cpu.rip)
    h.access = access
    happen(h)
  }

  /// Registers of the APICs by which a request can be seen before it is taken, or which decide where
  /// requests go: IRR, timer, software enable, logical destination; of the I/O APIC, all.
  private func isSensitive(_ access: PendingAccess) -> Bool {
    guard access.physical & ~0xFFF == 0xFEE0_0000 else { return true }
    switch access.physical & 0xFFF {
    case 0x200..<0x280, 0x320, 0x380, 0x390, 0x3E0, 0xF0, 0xD0, 0xE0: return true
    default: return false
    }
  }

  private var isInLockFunction: Bool {
    let t = Ghost.Layout.calls
    let s = strand
    for row in 0..<ghost.count(t) where ghost.field(t, row, 4) == s { return true }
    return false
  }

  /// Bytes that locked instructions touch, or that a loop waits for, order contexts: they are not data.
  private func learnSynchronisation(_ access: PendingAccess) {
    guard access.has(PendingAccess.Flag.locked) else { return }
    synchronise(access.physical, access.size)
  }

  private func synchronise(_ physical: UInt64, _ size: UInt64) {
    for word in (physical >> 2)...((physical + size - 1) >> 2) { synchronisation.insert(word) }
  }

  /// Whether a CPU waits, where it stands, for the bytes that it is about to read. What it waits for is
  /// learned.
  func awaits(_ cpu: Int, _ access: PendingAccess) -> Bool {
    guard !access.has(PendingAccess.Flag.write), let reads = machine.awaitedReads(cpu) else {
      return false
    }
    for read in reads where memory.isShared(at: read.physical) {
      synchronise(read.physical, UInt64(read.size))
    }
    return true
  }

  /// Whether a CPU's next instruction changes any of these bytes.
  func changes(_ cpu: Int, _ access: PendingAccess) -> Bool {
    guard access.size <= 8 else { return true }
    let effect = machine.effect(of: cpu, at: access.physical, size: Int(access.size))
    return effect.before != effect.after
  }

  /// What a CPU's next instruction accesses.
  func nextAccesses(_ cpu: Int) -> [PendingAccess] {
    let accesses = machine.nextAccesses(cpu)
    return accesses.map { a in
      let isUpdate =
        a.isWrite && accesses.contains { !$0.isWrite && $0.physical == a.physical }
      return PendingAccess(
        physical: a.physical, size: UInt64(a.size),
        flags: (a.isWrite ? PendingAccess.Flag.write : 0)
          | (isUpdate ? PendingAccess.Flag.update : 0)
          | (a.isLocked ? PendingAccess.Flag.locked : 0))
    }.filter { access in
      // The read of what is then written is the write's.
      access.has(PendingAccess.Flag.write)
        || !accesses.contains { $0.isWrite && $0.physical == access.physical }
    }
  }

  /// Whether a CPU, going on, executes the instruction that it stands before.
  func standsBeforeInstruction(_ cpu: Int) -> Bool {
    machine.cpus[cpu][CPU.Word.activity] == CPU.Activity.running && !machine.isAboutToDeliver(cpu)
  }
}
