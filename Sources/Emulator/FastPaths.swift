// What the interpreter's loop is made of: register and memory operands of flat 32-bit code, all
// inlined, with everything they need as arguments so that the loop's state stays in registers.

typealias Words = UnsafeMutablePointer<UInt64>

@inline(__always) func get32(_ words: Words, _ n: UInt8) -> UInt32 {
  UInt32(truncatingIfNeeded: words[Int(n)])
}

@inline(__always) func put32(_ words: Words, _ n: UInt8, _ value: UInt32) {
  words[Int(n)] = UInt64(value)
}

@inline(__always) func get16(_ words: Words, _ n: UInt8) -> UInt16 {
  UInt16(truncatingIfNeeded: words[Int(n)])
}

/// A byte register, by its offset in the register block.
@inline(__always) func get8(_ words: Words, _ offset: UInt8) -> UInt8 {
  UnsafeRawPointer(words).load(fromByteOffset: Int(offset), as: UInt8.self)
}

@inline(__always) func put8(_ words: Words, _ offset: UInt8, _ value: UInt8) {
  UnsafeMutableRawPointer(words).storeBytes(
    of: value, toByteOffset: Int(offset), as: UInt8.self)
}

@inline(__always) func immediate32(_ op: UnsafeMutablePointer<MicroOp>) -> UInt32 {
  UInt32(truncatingIfNeeded: op.pointee.imm)
}

@inline(__always) func signExtended(_ value: UInt32) -> UInt64 {
  UInt64(bitPattern: Int64(Int32(bitPattern: value)))
}

/// The address of the memory operand in a flat segment, cut to the mode's width.
@inline(__always) func operandAddress(
  _ words: Words, _ op: UnsafeMutablePointer<MicroOp>, _ mask: UInt64
) -> UInt64 {
  let base = words[Int(op.pointee.base)]
  let index = words[Int(op.pointee.index)]
  return
    (base &+ index &<< UInt64(op.pointee.scale)
    &+ UInt64(bitPattern: Int64(op.pointee.disp))) & mask
}

/// Pool index of the micro-op at `rip` when it is known and in the page that code runs in;
/// otherwise 0, where a lookup lies.
@inline(__always) func near(_ rip: UInt64, _ core: UnsafeMutablePointer<Core>) -> Int {
  let offset = rip &- core.pointee.windowPage
  return offset < 4096 ? Int(core.pointee.window[Int(truncatingIfNeeded: offset)]) : 0
}

/// Data translations of the privilege level that runs.
struct DataTLB {
  let entries: UnsafeMutablePointer<TLBEntry>
  /// Of the core: it may change with every access that is not answered here.
  let core: UnsafeMutablePointer<Core>

  @inline(__always) private func entry(_ linear: UInt64) -> UnsafeMutablePointer<TLBEntry> {
    entries + Int(truncatingIfNeeded: (linear &>> 12) & UInt64(Core.entryCount - 1))
  }

  @inline(__always) private func tag(_ linear: UInt64, _ size: UInt64) -> UInt64 {
    // Of the last byte: an access that crosses into the next page never matches.
    (linear &+ (size &- 1)) & ~0xFFF | core.pointee.epoch
  }

  /// Host address of bytes that may be read, or nil when that has to be found out.
  @inline(__always) func readable(_ linear: UInt64, _ size: UInt64) -> UnsafeMutableRawPointer? {
    let e = entry(linear)
    if e.pointee.readTag != tag(linear, size) { return nil }
    return UnsafeMutableRawPointer(bitPattern: e.pointee.addend &+ UInt(truncatingIfNeeded: linear))
  }

  /// Host address of bytes that may simply be written.
  @inline(__always) func writable(_ linear: UInt64, _ size: UInt64) -> UnsafeMutableRawPointer? {
    let e = entry(linear)
    if e.pointee.writeTag != tag(linear, size) { return nil }
    return UnsafeMutableRawPointer(bitPattern: e.pointee.addend &+ UInt(truncatingIfNeeded: linear))
  }
}

/// A memory operand that is read and then written.
struct Update {
  let value: UInt64
  /// Nil: the store goes the long way.
  let host: UnsafeMutableRawPointer?
}

extension Machine {
  @inline(__always) func read<T: FixedWidthInteger & UnsignedInteger>(
    _ type: T.Type, observed: Bool, _ cpu: Int, _ tlb: DataTLB, _ linear: UInt64, _ kind: UInt8
  ) -> T? {
    if !observed, let host = tlb.readable(linear, UInt64(T.bitWidth / 8)) {
      return host.loadUnaligned(as: T.self)
    }
    guard let value = load(cpu, linear, T.bitWidth / 8, kind) else { return nil }
    return T(truncatingIfNeeded: value)
  }

  @inline(__always) func write<T: FixedWidthInteger & UnsignedInteger>(
    observed: Bool, _ cpu: Int, _ tlb: DataTLB, _ linear: UInt64, _ value: T, _ kind: UInt8
  ) -> Bool {
    if !observed, let host = tlb.writable(linear, UInt64(T.bitWidth / 8)) {
      host.storeBytes(of: value, as: T.self)
      return true
    }
    return store(cpu, linear, T.bitWidth / 8, UInt64(value), kind)
  }

  @inline(__always) func begin32(
    observed: Bool, _ cpu: Int, _ tlb: DataTLB, _ linear: UInt64
  ) -> Update? {
    if !observed, let host = tlb.writable(linear, 4) {
      return Update(value: UInt64(host.loadUnaligned(as: UInt32.self)), host: host)
    }
    guard let value = loadForWrite(cpu, linear, 4, AccessKind.explicit) else { return nil }
    return Update(value: value, host: nil)
  }

  @inline(__always) func end32(_ cpu: Int, _ linear: UInt64, _ update: Update, _ value: UInt32) {
    if let host = update.host {
      host.storeBytes(of: value, as: UInt32.self)
    } else {
      _ = store(cpu, linear, 4, UInt64(value), AccessKind.probed)
    }
  }
}
