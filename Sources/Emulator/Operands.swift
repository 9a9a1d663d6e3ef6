/// What a generic instruction did.
enum Outcome {
  /// Go on behind the instruction.
  case next
  /// The instruction has set `rip` itself.
  case jumped
  /// `faultVector` says why nothing happened.
  case fault
}

extension Machine {
  typealias Op = UnsafePointer<MicroOp>

  // MARK: Registers

  /// Reads a register operand: a number, or for bytes an offset in the register block.
  @inline(__always) func register(_ cpu: Int, _ n: UInt8, _ size: Int) -> UInt64 {
    let words = cores[cpu].words
    switch size {
    case 1: return UInt64(UnsafeRawPointer(words).load(fromByteOffset: Int(n), as: UInt8.self))
    case 2: return words[Int(n)] & 0xFFFF
    case 4: return words[Int(n)] & 0xFFFF_FFFF
    default: return words[Int(n)]
    }
  }

  /// Writes a register operand; a 32-bit result clears the upper half, smaller ones keep the
  /// rest. Intel SDM Vol. 1 §3.4.1.1.
  @inline(__always) func setRegister(_ cpu: Int, _ n: UInt8, _ size: Int, _ value: UInt64) {
    let words = cores[cpu].words
    switch size {
    case 1:
      UnsafeMutableRawPointer(words).storeBytes(
        of: UInt8(truncatingIfNeeded: value), toByteOffset: Int(n), as: UInt8.self)
    case 2: words[Int(n)] = words[Int(n)] & ~0xFFFF | value & 0xFFFF
    case 4: words[Int(n)] = value & 0xFFFF_FFFF
    default: words[Int(n)] = value
    }
  }

  // MARK: Addresses

  /// Offset in its segment of the memory operand. Intel SDM Vol. 1 §3.7.5.
  @inline(__always) func effectiveOffset(_ cpu: Int, _ op: Op) -> UInt64 {
    let words = cores[cpu].words
    if op.pointee.prefixes & MicroOp.Prefix.absolute != 0 { return op.pointee.imm }
    var offset =
      words[Int(op.pointee.base)] &+ words[Int(op.pointee.index)] << UInt64(op.pointee.scale)
      &+ UInt64(bitPattern: Int64(op.pointee.disp))
    if op.pointee.prefixes & MicroOp.Prefix.ripRelative != 0 {
      offset &+= words[CPU.Word.rip] &+ op.pointee.next
    }
    return Machine.cut(offset, op.pointee.addressSize)
  }

  @inline(__always) static func cut(_ value: UInt64, _ size: UInt8) -> UInt64 {
    switch size {
    case 2: return value & 0xFFFF
    case 4: return value & 0xFFFF_FFFF
    default: return value
    }
  }

  /// Linear address of the memory operand, without any check.
  func effectiveAddress(_ cpu: Int, _ op: Op) -> UInt64 {
    linear(cpu, Int(op.pointee.segment), effectiveOffset(cpu, op))
  }

  /// Linear address of the memory operand after the checks of its segment; nil with #GP or #SS.
  @inline(__always) func address(_ cpu: Int, _ op: Op, _ size: Int, write: Bool) -> UInt64? {
    address(
      cpu, segment: Int(op.pointee.segment), effectiveOffset(cpu, op), size, write: write)
  }

  @inline(__always) func linear(_ cpu: Int, _ segment: Int, _ offset: UInt64) -> UInt64 {
    let core = cores + cpu
    if core.pointee.mode == DecodeMode.long64 && segment < CPU.Segment.fs { return offset }
    return (core.pointee.words[CPU.Word.segments + segment * 4 + 1] &+ offset) & core.pointee.mask
  }

  /// Linear address of `size` bytes at an offset in a segment after the checks of limit, type and
  /// presence. Intel SDM Vol. 3A §5.3–5.5.
  @inline(__always) func address(
    _ cpu: Int, segment: Int, _ offset: UInt64, _ size: Int, write: Bool
  ) -> UInt64? {
    let core = cores + cpu
    if core.pointee.mode == DecodeMode.flat32 && segment < CPU.Segment.fs
      && (segment != CPU.Segment.cs || !write)
    {
      return offset & 0xFFFF_FFFF
    }
    if core.pointee.mode == DecodeMode.long64 {
      if segment == CPU.Segment.gs { noteGS(cpu) }
      return canonicalAddress(cpu, segment, offset, size)
    }
    return checkedAddress(cpu, segment, offset, size, write: write)
  }

  /// The one check of 64-bit mode. Intel SDM Vol. 1 §3.3.7.1: #SS(0) for the stack, else #GP(0).
  @inline(__always) private func canonicalAddress(
    _ cpu: Int, _ segment: Int, _ offset: UInt64, _ size: Int
  ) -> UInt64? {
    let at = linear(cpu, segment, offset)
    if Machine.isCanonical(at) && Machine.isCanonical(at &+ UInt64(size) &- 1) { return at }
    raise(segment == CPU.Segment.ss ? Vector.stackFault : Vector.generalProtection)
    return nil
  }

  @inline(never) private func checkedAddress(
    _ cpu: Int, _ segment: Int, _ offset: UInt64, _ size: Int, write: Bool
  ) -> UInt64? {
    let attributes = cpus[cpu].attributes(segment)
    let limit = cpus[cpu].limit(segment)
    let vector = segment == CPU.Segment.ss ? 12 : 13
    let type = attributes & 0xF
    let isCode = type & 8 != 0
    var allowed = attributes & 0x90 == 0x90
    if isCode {
      // Code is never written, and read only when its type says so.
      if write || type & 2 == 0 { allowed = false }
    } else if write && type & 2 == 0 {
      allowed = false
    }
    let last = offset &+ UInt64(size) &- 1
    if !isCode && type & 4 != 0 {
      // Expand-down: valid offsets are above the limit, up to the size that B gives.
      let top: UInt64 = attributes & 1 << 14 != 0 ? 0xFFFF_FFFF : 0xFFFF
      if offset <= limit || last > top || last < offset { allowed = false }
    } else if limit != 0xFFFF_FFFF && (last > limit || last < offset) {
      // Past the end of 4 GiB the manual leaves open whether it faults (Vol. 3A §5.3): it wraps
      // here, as it does in flat segments.
      allowed = false
    }
    if !allowed {
      raise(vector)
      return nil
    }
    return linear(cpu, segment, offset)
  }

  // MARK: Operands of the generic forms

  @inline(__always) func kind(_ op: Op) -> UInt8 {
    op.pointee.klass & InstructionClass.locked != 0 ? AccessKind.locked : AccessKind.explicit
  }

  /// Reads the r/m operand.
  @inline(__always) func readRM(_ cpu: Int, _ op: Op, _ size: Int) -> UInt64? {
    if !op.pointee.isMemory { return register(cpu, op.pointee.rm, size) }
    guard let at = address(cpu, op, size, write: false) else { return nil }
    return load(cpu, at, size, kind(op))
  }

  /// Reads the r/m operand of an instruction that will write it with `writeRM`.
  @inline(__always) func readRMForWrite(_ cpu: Int, _ op: Op, _ size: Int) -> UInt64? {
    if !op.pointee.isMemory { return register(cpu, op.pointee.rm, size) }
    guard let at = address(cpu, op, size, write: true) else { return nil }
    return loadForWrite(cpu, at, size, kind(op))
  }

  /// Writes the r/m operand after `readRMForWrite`: cannot fail.
  @inline(__always) func writeRM(_ cpu: Int, _ op: Op, _ size: Int, _ value: UInt64) {
    if !op.pointee.isMemory { return setRegister(cpu, op.pointee.rm, size, value) }
    _ = store(cpu, effectiveAddress(cpu, op), size, value, kind(op) | AccessKind.probed)
  }

  /// Writes the r/m operand without having read it.
  @inline(__always) func storeRM(_ cpu: Int, _ op: Op, _ size: Int, _ value: UInt64) -> Bool {
    if !op.pointee.isMemory {
      setRegister(cpu, op.pointee.rm, size, value)
      return true
    }
    guard let at = address(cpu, op, size, write: true) else { return false }
    return store(cpu, at, size, value, kind(op))
  }

  // MARK: Flags

  /// Replaces the flags in `mask`.
  @inline(__always) func setFlags(_ cpu: Int, _ mask: UInt64, _ flags: UInt64) {
    let words = cores[cpu].words
    words[CPU.Word.rflags] = words[CPU.Word.rflags] & ~mask | flags
  }

  // MARK: Stack

  /// What the stack pointer is cut to: SS.B, or 64 bits. Intel SDM Vol. 1 §6.2.3.
  @inline(__always) func stackMask(_ cpu: Int) -> UInt64 {
    if cores[cpu].mode == DecodeMode.long64 { return ~0 }
    return cpus[cpu].attributes(CPU.Segment.ss) & 1 << 14 != 0 ? 0xFFFF_FFFF : 0xFFFF
  }

  @inline(__always) func setStackPointer(_ cpu: Int, _ value: UInt64) {
    let words = cores[cpu].words
    let mask = stackMask(cpu)
    // With a 16-bit stack the upper part of ESP stays.
    words[CPU.Register.sp] =
      mask == 0xFFFF ? words[CPU.Register.sp] & ~mask | value & mask : value & mask
  }

  /// Stores below the stack pointer, which it does not move; nil with the fault set.
  @inline(__always) func pushValue(
    _ cpu: Int, below sp: UInt64, _ size: Int, _ value: UInt64
  ) -> UInt64? {
    let new = (sp &- UInt64(size)) & stackMask(cpu)
    guard
      let at = address(cpu, segment: CPU.Segment.ss, new, size, write: true),
      store(cpu, at, size, value, AccessKind.stack)
    else { return nil }
    return new
  }

  /// Loads at the stack pointer.
  @inline(__always) func stackValue(_ cpu: Int, at sp: UInt64, _ size: Int) -> UInt64? {
    guard
      let at = address(
        cpu, segment: CPU.Segment.ss, sp & stackMask(cpu), size, write: false)
    else { return nil }
    return load(cpu, at, size, AccessKind.stack)
  }
}
