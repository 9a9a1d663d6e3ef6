/// How a data access is judged.
enum AccessKind {
  static let explicit: UInt8 = 0
  /// PUSH, POP, CALL, RET …: may read below the stack pointer.
  static let stack: UInt8 = 1
  /// Made by the processor for itself (descriptor tables, TSS): never stops a run.
  static let implicit: UInt8 = 2
  /// With supervisor rights whatever the CPL. Intel SDM Vol. 3A §4.6.1.
  static let supervisor: UInt8 = 4
  /// Of a locked instruction.
  static let locked: UInt8 = 8
  /// Of bytes that `probeWrite` was asked about for the same instruction: it has been judged.
  static let probed: UInt8 = 16
  /// A read of a descriptor table or a task state segment, together with `implicit`.
  static let table: UInt8 = 32
  /// Of a descriptor table or a task state segment: CR4.SMAP refuses it user pages whatever EFLAGS.AC
  /// says. Intel SDM Vol. 3A §4.6.
  static let system: UInt8 = 64
  /// Of bytes that are read and then written.
  static let update: UInt8 = 128
}

extension Machine {
  /// Reads up to eight bytes, little-endian, at a linear address; nil with the fault set.
  @inline(never) func load(_ cpu: Int, _ linear: UInt64, _ size: Int, _ kind: UInt8) -> UInt64? {
    if (linear & 0xFFF) &+ UInt64(size) > 4096 { return loadSplit(cpu, linear, size, kind) }
    guard
      let entry = translate(cpu, linear, write: false, kind)
    else { return faultVector == Machine.deviceFault ? loadDevice(cpu, size, kind) : nil }
    if memory.observed {
      if !observe(cpu, entry, linear, size, kind, write: false) { return nil }
      if memory.isRecording {
        memory.noteRead(physical: entry.pointee.physical & ~0xFFF | linear & 0xFFF, size: size)
      }
    }
    return Machine.read(Machine.host(entry, linear), size)
  }

  /// As `load`, for an instruction that will write the same bytes: faults as the store would.
  @inline(never) func loadForWrite(
    _ cpu: Int, _ linear: UInt64, _ size: Int, _ kind: UInt8
  ) -> UInt64? {
    if !probeWrite(cpu, linear, size, kind | AccessKind.update) { return nil }
    return load(cpu, linear, size, kind | AccessKind.probed)
  }

  /// Whether a store of `size` bytes, at most a page, will succeed; sets the fault if not.
  @inline(never) func probeWrite(_ cpu: Int, _ linear: UInt64, _ size: Int, _ kind: UInt8) -> Bool {
    let first = min(size, 4096 - Int(linear & 0xFFF))
    guard let entry = translate(cpu, linear, write: true, kind) else {
      return faultVector == Machine.deviceFault && probeDevice(cpu, size, kind)
    }
    if memory.observed && !observe(cpu, entry, linear, first, kind, write: true, logged: false) {
      return false
    }
    if first == size { return true }
    let next = following(cpu, linear, UInt64(first))
    guard let entry = translate(cpu, next, write: true, kind) else { return false }
    return !memory.observed
      || observe(cpu, entry, next, size - first, kind, write: true, logged: false)
  }

  /// Writes up to eight bytes at a linear address; false with the fault set and nothing written.
  @inline(never) func store(
    _ cpu: Int, _ linear: UInt64, _ size: Int, _ value: UInt64, _ kind: UInt8
  ) -> Bool {
    if (linear & 0xFFF) &+ UInt64(size) > 4096 {
      return storeSplit(cpu, linear, size, value, kind)
    }
    guard
      let entry = translate(cpu, linear, write: true, kind)
    else { return faultVector == Machine.deviceFault && storeDevice(cpu, size, value, kind) }
    if memory.observed {
      if !observe(cpu, entry, linear, size, kind, write: true) { return false }
      let offset = linear & 0xFFF
      let frame = Machine.frame(entry, linear)
      let physical = entry.pointee.physical & ~0xFFF | offset
      let shift = (offset & 7) &* 8
      let word = (frame + Int(truncatingIfNeeded: offset & 0xFF8)).assumingMemoryBound(
        to: UInt64.self)
      let bits = UInt64(size) &* 8
      let ones = ~0 as UInt64 >> (64 &- bits)
      let bytes = ((1 as UInt64 &<< UInt64(size)) &- 1) &<< (offset & 7)
      memory.storeObserved(
        word, frame: frame, physical: physical,
        word.pointee & ~(ones << shift) | (value & ones) << shift,
        mask: UInt8(truncatingIfNeeded: bytes))
      if shift &+ bits > 64 {
        let done = 64 &- shift
        let rest = ones >> done
        memory.storeObserved(
          word + 1, frame: frame, physical: physical &+ 8,
          word[1] & ~rest | (value & ones) >> done,
          mask: UInt8(truncatingIfNeeded: bytes >> 8))
      }
    } else {
      Machine.write(Machine.host(entry, linear), size, value)
    }
    if entry.pointee.writeTag == 0 { noteStore(cpu, entry, linear, size) }
    return true
  }

  @inline(__always) static func host(
    _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64
  ) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(bitPattern: entry.pointee.addend &+ UInt(truncatingIfNeeded: linear))
      .unsafelyUnwrapped
  }

  @inline(__always) static func frame(
    _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64
  ) -> UnsafeMutableRawPointer {
    host(entry, linear & ~0xFFF)
  }

  @inline(__always) static func read(_ host: UnsafeMutableRawPointer, _ size: Int) -> UInt64 {
    switch size {
    case 4: return UInt64(host.loadUnaligned(as: UInt32.self))
    case 1: return UInt64(host.load(as: UInt8.self))
    case 2: return UInt64(host.loadUnaligned(as: UInt16.self))
    case 8: return host.loadUnaligned(as: UInt64.self)
    default:
      var value: UInt64 = 0
      for i in 0..<size {
        value |= UInt64(host.load(fromByteOffset: i, as: UInt8.self)) << UInt64(8 * i)
      }
      return value
    }
  }

  @inline(__always) static func write(
    _ host: UnsafeMutableRawPointer, _ size: Int, _ value: UInt64
  ) {
    switch size {
    case 4: host.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
    case 1: host.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case 2: host.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
    case 8: host.storeBytes(of: value, as: UInt64.self)
    default:
      for i in 0..<size {
        host.storeBytes(
          of: UInt8(truncatingIfNeeded: value >> UInt64(8 * i)), toByteOffset: i, as: UInt8.self)
      }
    }
  }

  // MARK: Accesses that cross a page

  /// The address `distance` bytes on. The processor's own accesses reach all of memory while 32-bit
  /// code runs in IA-32e mode.
  private func following(_ cpu: Int, _ linear: UInt64, _ distance: UInt64) -> UInt64 {
    (linear &+ distance) & (linear >> 32 != 0 ? ~0 : cores[cpu].mask)
  }

  @inline(never) private func loadSplit(
    _ cpu: Int, _ linear: UInt64, _ size: Int, _ kind: UInt8
  ) -> UInt64? {
    let first = 4096 - Int(linear & 0xFFF)
    let next = following(cpu, linear, UInt64(first))
    guard isReachable(next, kind), let low = load(cpu, linear, first, kind),
      let high = load(cpu, next, size - first, kind)
    else { return nil }
    return low | high << UInt64(8 * first)
  }

  /// That an address is not canonical is found before any translation.
  private func isReachable(_ linear: UInt64, _ kind: UInt8) -> Bool {
    if Machine.isCanonical(linear) { return true }
    raise(kind & AccessKind.stack != 0 ? Vector.stackFault : Machine.canonicalFault)
    return false
  }

  /// Both pages are checked before either is written. Intel SDM Vol. 3A §6.15, "Interrupt 14",
  /// leaves the order of the two checks open; the lower page comes first here.
  @inline(never) private func storeSplit(
    _ cpu: Int, _ linear: UInt64, _ size: Int, _ value: UInt64, _ kind: UInt8
  ) -> Bool {
    if !probeWrite(cpu, linear, size, kind) { return false }
    let first = 4096 - Int(linear & 0xFFF)
    let next = following(cpu, linear, UInt64(first))
    let kind = kind | AccessKind.probed
    return store(cpu, linear, first, value, kind)
      && store(cpu, next, size - first, value >> UInt64(8 * first), kind)
  }

  /// A store to a frame that something was derived from.
  @inline(never) private func noteStore(
    _ cpu: Int, _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64, _ size: Int
  ) {
    let frame = Machine.frame(entry, linear)
    let physical = entry.pointee.physical & ~0xFFF | linear & 0xFFF
    if memory.frameUses[Int(truncatingIfNeeded: physical >> 12)] == 0 {
      // No longer.
      entry.pointee.writeTag = entry.pointee.readTag
      return
    }
    let last = physical &+ UInt64(size &- 1)
    if cpus.count > 1 && memory.observed { noteTableWrite(cpu, physical) }
    if memory.isWatched(frame: frame, physical) { noteWatchedWrite(physical) }
    if last >> 3 != physical >> 3 && memory.isWatched(frame: frame, last) {
      noteWatchedWrite(last)
    }
  }

  /// A store to what may be a page table, while other CPUs may use it.
  private func noteTableWrite(_ cpu: Int, _ physical: UInt64) {
    let index = Int(truncatingIfNeeded: physical >> 12)
    guard memory.frameUses[index] & Memory.FrameUse.tables != 0,
      memory.isWatched(frame: memory.frame(index), physical)
    else { return }
    for other in cpus.indices where other != cpu && cpus[other][CPU.Word.cr0] & ControlBit.pg != 0 {
      observation.sharedTableWrites += 1
      return
    }
  }
}

// MARK: For the system half of the machine

extension Machine {
  /// Reads `size` bytes at a linear address on the processor's own account. On a fault sets
  /// `faultVector` and returns 0.
  func readLinear(
    _ cpu: Int, _ linear: UInt64, size: Int, asSupervisor: Bool, table: Bool = false
  ) -> UInt64 {
    let kind =
      AccessKind.implicit | AccessKind.stack | (asSupervisor ? AccessKind.supervisor : 0)
      | (table ? AccessKind.table | AccessKind.system : 0)
    return load(cpu, linear, size, kind) ?? 0
  }

  /// Writes `size` bytes at a linear address on the processor's own account. On a fault sets
  /// `faultVector` and writes nothing.
  func writeLinear(
    _ cpu: Int, _ linear: UInt64, size: Int, _ value: UInt64, asSupervisor: Bool,
    system: Bool = false
  ) {
    let kind =
      AccessKind.implicit | AccessKind.stack | (asSupervisor ? AccessKind.supervisor : 0)
      | (system ? AccessKind.system : 0)
    _ = store(cpu, linear, size, value, kind)
  }

  /// Whether `writeLinear` would succeed; sets `faultVector` if not.
  func probeWriteLinear(_ cpu: Int, _ linear: UInt64, size: Int, asSupervisor: Bool) -> Bool {
    let kind = AccessKind.implicit | AccessKind.stack | (asSupervisor ? AccessKind.supervisor : 0)
    return probeWrite(cpu, linear, size, kind)
  }
}
