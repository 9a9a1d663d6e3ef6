/// Entries of the GDT, LDT and IDT, and the small accesses that every system instruction shares.

/// An eight-byte descriptor. Intel SDM Vol. 3A §3.4.5 (segments), §5.8.3 (call gates), §6.11
/// (gates of the IDT).
struct Descriptor {
  var raw: UInt64

  /// System descriptor types. Intel SDM Vol. 3A §3.5, table 3-2.
  enum SystemType {
    static let availableTSS16 = 1
    static let ldt = 2
    static let busyTSS16 = 3
    static let callGate16 = 4
    static let taskGate = 5
    static let interruptGate16 = 6
    static let trapGate16 = 7
    static let availableTSS32 = 9
    static let busyTSS32 = 11
    static let callGate32 = 12
    static let interruptGate32 = 14
    static let trapGate32 = 15
  }

  var base: UInt64 { (raw >> 16) & 0xFF_FFFF | (raw >> 56) << 24 }

  /// Limit in bytes: the granularity bit scales it by 4 KiB and fills the low bits with ones.
  var limit: UInt64 {
    let field = raw & 0xFFFF | (raw >> 32) & 0xF_0000
    return raw & (1 << 55) != 0 ? field << 12 | 0xFFF : field
  }

  /// 64-bit code (L) that also claims to be 32-bit code (D): no code segment of IA-32e mode.
  /// Intel SDM Vol. 3A §5.2.1.
  var isBadLongCode: Bool { raw >> 53 & 3 == 3 }
  /// L: 64-bit code in IA-32e mode.
  var isLongCode: Bool { raw & (1 << 53) != 0 }

  /// In the form that `CPU.attributes` documents.
  var attributes: UInt64 { (raw >> 40) & 0xF0FF }

  var type: Int { Int(truncatingIfNeeded: raw >> 40) & 15 }
  var isSystem: Bool { raw & (1 << 44) == 0 }
  var privilege: Int { Int(truncatingIfNeeded: raw >> 45) & 3 }
  var isPresent: Bool { raw & (1 << 47) != 0 }

  var isCode: Bool { !isSystem && type & 8 != 0 }
  var isConforming: Bool { isCode && type & 4 != 0 }
  var isWritableData: Bool { !isSystem && type & 0b1010 == 0b0010 }
  /// Data, or code that may be read.
  var isReadable: Bool { !isSystem && (type & 8 == 0 || type & 2 != 0) }

  // Gates.
  var gateSelector: UInt16 { UInt16(truncatingIfNeeded: raw >> 16) }
  var gateOffset: UInt64 {
    let offset = raw & 0xFFFF | (raw >> 32) & 0xFFFF_0000
    return is32BitGate ? offset : offset & 0xFFFF
  }
  var is32BitGate: Bool { type & 8 != 0 }
  var gateParameterCount: Int { Int(truncatingIfNeeded: raw >> 32) & 31 }
}

/// A descriptor and where it was found.
struct FoundDescriptor {
  var descriptor: Descriptor
  /// The second eight bytes of a system descriptor in IA-32e mode: bits 63–32 of a base or an
  /// offset. Intel SDM Vol. 3A §7.2.3, §5.8.3.1.
  var upper: UInt64 = 0
  /// Linear address of its eight bytes.
  var linear: UInt64
}

/// Vectors of exceptions. Intel SDM Vol. 3A §6.3.1, table 6-1.
enum Vector {
  static let divideError = 0
  static let debug = 1
  static let nmi = 2
  static let breakpoint = 3
  static let overflow = 4
  static let boundRange = 5
  static let invalidOpcode = 6
  static let deviceNotAvailable = 7
  static let doubleFault = 8
  static let invalidTSS = 10
  static let segmentNotPresent = 11
  static let stackFault = 12
  static let generalProtection = 13
  static let pageFault = 14
  static let machineCheck = 18
}

extension Machine {
  /// Records a fault of the instruction or delivery in flight. Always false, so that a function
  /// can end with it.
  @inline(__always) func fault(_ vector: Int, _ error: UInt32 = 0) -> Bool {
    faultVector = vector
    faultError = error
    return false
  }

  /// Records that the instruction in flight is not modelled.
  @inline(never) func notModelled(_ what: String) -> Bool {
    unmodelled = what
    faultVector = Machine.unmodelledFault
    faultError = 0
    return false
  }

  /// The error code of a fault that concerns a selector. Intel SDM Vol. 3A §6.13.
  @inline(__always) func selectorError(_ selector: UInt16, external: UInt32 = 0) -> UInt32 {
    UInt32(selector & 0xFFFC) | external
  }

  @inline(__always) func isNull(_ selector: UInt16) -> Bool { selector & 0xFFFC == 0 }

  /// Reads system structures at a linear address, as the processor itself does: with supervisor
  /// rights at any privilege level (Intel SDM Vol. 3A §4.6.1). nil after a fault.
  @inline(__always) func readSystem(_ cpu: Int, _ linear: UInt64, size: Int) -> UInt64? {
    faultVector = -1
    let value = readLinear(
      cpu, linear & systemMask(cpu), size: size, asSupervisor: true, table: true)
    return faultVector < 0 ? value : nil
  }

  @inline(__always) func writeSystem(
    _ cpu: Int, _ linear: UInt64, size: Int, _ value: UInt64
  ) -> Bool {
    faultVector = -1
    writeLinear(cpu, linear & systemMask(cpu), size: size, value, asSupervisor: true, system: true)
    return faultVector < 0
  }

  /// What addresses of descriptor tables and task states are cut to.
  @inline(__always) func systemMask(_ cpu: Int) -> UInt64 {
    cpus[cpu].isLongMode ? ~0 : 0xFFFF_FFFF
  }

  /// The linear address of a selector's descriptor, nil when it lies outside its table.
  /// Intel SDM Vol. 3A §3.5.1.
  func descriptorAddress(
    _ cpu: Int, _ selector: UInt16, gdtOnly: Bool = false, size: UInt64 = 8
  ) -> UInt64? {
    let c = cpus[cpu]
    let offset = UInt64(selector & 0xFFF8)
    if selector & 4 == 0 {
      guard offset + size - 1 <= c[CPU.Word.gdtrLimit] else { return nil }
      return (c[CPU.Word.gdtrBase] &+ offset) & systemMask(cpu)
    }
    if gdtOnly || c.attributes(CPU.Segment.ldtr) == 0 { return nil }
    guard offset + size - 1 <= c.limit(CPU.Segment.ldtr) else { return nil }
    return (c.base(CPU.Segment.ldtr) &+ offset) & systemMask(cpu)
  }

  /// Reads the second half of a system descriptor, 16 bytes long in IA-32e mode. Its own type field
  /// must be 0. Intel SDM Vol. 3A §5.8.3.1, §7.2.3.
  /// - Returns: false after #GP(selector) or a page fault.
  func readUpperHalf(_ cpu: Int, _ selector: UInt16, _ found: inout FoundDescriptor) -> Bool {
    guard descriptorAddress(cpu, selector, size: 16) != nil else {
      return fault(Vector.generalProtection, selectorError(selector))
    }
    guard let upper = readSystem(cpu, found.linear &+ 8, size: 8) else { return false }
    found.upper = upper & 0xFFFF_FFFF
    guard upper >> 40 & 0x1F == 0 else {
      return fault(Vector.generalProtection, selectorError(selector))
    }
    return true
  }

  /// Reads a selector's descriptor.
  /// - Parameters:
  ///   - vector: the fault when the selector lies outside its table; its error code is the selector.
  ///   - external: the EXT bit of that error code.
  ///   - gdtOnly: whether a selector of the LDT is a fault, too.
  /// - Returns: nil after a fault.
  func findDescriptor(
    _ cpu: Int, _ selector: UInt16, fault vector: Int, external: UInt32 = 0, gdtOnly: Bool = false
  ) -> FoundDescriptor? {
    guard let linear = descriptorAddress(cpu, selector, gdtOnly: gdtOnly) else {
      _ = fault(vector, selectorError(selector, external: external))
      return nil
    }
    guard let raw = readSystem(cpu, linear, size: 8) else { return nil }
    return FoundDescriptor(descriptor: Descriptor(raw: raw), linear: linear)
  }

  /// Sets the accessed bit in memory when it is clear. Intel SDM Vol. 3A §3.4.5.1.
  /// - Returns: false after a page fault.
  func markAccessed(_ cpu: Int, _ found: inout FoundDescriptor) -> Bool {
    if found.descriptor.isSystem || found.descriptor.raw & (1 << 40) != 0 { return true }
    found.descriptor.raw |= 1 << 40
    let byte = (found.descriptor.raw >> 40) & 0xFF
    return writeSystem(cpu, found.linear + 5, size: 1, byte)
  }

  /// Puts a checked descriptor into a segment register.
  @inline(__always) func setSegment(
    _ cpu: Int, _ segment: Int, _ selector: UInt16, _ descriptor: Descriptor
  ) {
    // The base of 64-bit code counts as 0: it is 0 here.
    let isLongCode =
      segment == CPU.Segment.cs && descriptor.isLongCode && cpus[cpu].isLongMode
    cpus[cpu].setSegment(
      segment, selector: selector, base: isLongCode ? 0 : descriptor.base,
      limit: descriptor.limit, attributes: descriptor.attributes)
    if segment == CPU.Segment.cs { cpus[cpu][CPU.Word.cpl] = UInt64(selector & 3) }
  }

  /// Whether an instruction pointer may be loaded with this code segment: within its limit, or
  /// canonical when it is 64-bit code.
  func isInside(_ cpu: Int, _ code: Descriptor, _ target: UInt64) -> Bool {
    code.isLongCode && cpus[cpu].isLongMode
      ? Machine.isCanonical(target) : target <= code.limit
  }

  @inline(__always) func setNullSegment(_ cpu: Int, _ segment: Int, _ selector: UInt16 = 0) {
    cpus[cpu].setSegment(segment, selector: selector, base: 0, limit: 0, attributes: 0)
  }

  /// Whether `size` bytes at an offset lie inside a segment; expand-down segments hold what is
  /// above the limit. Intel SDM Vol. 3A §5.3.
  func isInside(limit: UInt64, attributes: UInt64, offset: UInt64, size: Int) -> Bool {
    let last = offset &+ UInt64(size) &- 1
    if attributes & 0b1100 == 0b0100 {
      let top: UInt64 = attributes & (1 << 14) != 0 ? 0xFFFF_FFFF : 0xFFFF
      return offset > limit && last <= top
    }
    return last <= limit
  }

  /// The linear address of an access through a segment register, all its checks made:
  /// #GP(0), or #SS(0) for SS. Intel SDM Vol. 3A §5.3–5.5. nil after a fault.
  func checkedAddress(
    _ cpu: Int, _ segment: Int, _ offset: UInt64, size: Int, write: Bool
  ) -> UInt64? {
    let c = cpus[cpu]
    if c.is64Bit {
      let linear = self.linear(cpu, segment, offset)
      if Machine.isCanonical(linear) && Machine.isCanonical(linear &+ UInt64(size) &- 1) {
        return linear
      }
      _ = fault(
        segment == CPU.Segment.ss ? Vector.stackFault : Vector.generalProtection)
      return nil
    }
    let attributes = c.attributes(segment)
    let isCode = attributes & 8 != 0
    let allowed =
      attributes != 0
      && (write ? !isCode && attributes & 2 != 0 : !isCode || attributes & 2 != 0)
    guard allowed,
      isInside(limit: c.limit(segment), attributes: attributes, offset: offset, size: size)
    else {
      _ = fault(
        segment == CPU.Segment.ss && allowed ? Vector.stackFault : Vector.generalProtection)
      return nil
    }
    return (c.base(segment) &+ offset) & 0xFFFF_FFFF
  }
}

/// A stack that is being pushed to or popped from before any register changes, so that a fault
/// midway leaves the processor as it was.
struct PendingStack {
  var base: UInt64
  var limit: UInt64
  var attributes: UInt64
  /// The stack pointer register's whole value.
  var pointer: UInt64
  /// The privilege level of the accesses is 3.
  var isUser: Bool
  /// 64 bits wide and without segment. Intel SDM Vol. 1 §6.2.3.
  var isLong = false

  /// B bit: 32-bit or 16-bit stack pointer. Intel SDM Vol. 3A §3.4.5.
  var mask: UInt64 { isLong ? ~0 : attributes & (1 << 14) != 0 ? 0xFFFF_FFFF : 0xFFFF }

  /// The linear address of an offset.
  func linear(_ offset: UInt64) -> UInt64 {
    isLong ? offset : (base &+ offset & mask) & 0xFFFF_FFFF
  }

  /// Whether `size` bytes at an offset may be touched.
  func contains(_ machine: Machine, offset: UInt64, size: Int) -> Bool {
    isLong
      ? Machine.isCanonical(offset) && Machine.isCanonical(offset &+ UInt64(size) &- 1)
      : machine.isInside(limit: limit, attributes: attributes, offset: offset, size: size)
  }

  mutating func move(by distance: Int) {
    let moved = pointer &+ UInt64(bitPattern: Int64(distance))
    pointer = isLong ? moved : pointer & ~mask & 0xFFFF_FFFF | moved & mask
  }
}

extension Machine {
  /// The stack that SS and ESP name now.
  func currentStack(_ cpu: Int) -> PendingStack {
    let c = cpus[cpu]
    let ss = CPU.Segment.ss
    return PendingStack(
      base: c.base(ss), limit: c.limit(ss), attributes: c.attributes(ss), pointer: c.rsp,
      isUser: c.cpl == 3, isLong: c.is64Bit)
  }

  /// Whether `size` bytes below the pointer lie inside the stack segment.
  func hasRoom(_ stack: PendingStack, size: Int) -> Bool {
    stack.contains(self, offset: (stack.pointer &- UInt64(size)) & stack.mask, size: size)
  }

  /// Pushes without checking the limit: `hasRoom` has. False after a page fault.
  func push(_ cpu: Int, _ stack: inout PendingStack, size: Int, _ value: UInt64) -> Bool {
    var moved = stack
    moved.move(by: -size)
    faultVector = -1
    writeLinear(cpu, moved.linear(moved.pointer), size: size, value, asSupervisor: !stack.isUser)
    if faultVector >= 0 { return false }
    stack = moved
    return true
  }

  /// Pops a value; #SS(0) outside the segment. nil after a fault.
  func pop(_ cpu: Int, _ stack: inout PendingStack, size: Int) -> UInt64? {
    let offset = stack.pointer & stack.mask
    guard stack.contains(self, offset: offset, size: size) else {
      _ = fault(Vector.stackFault)
      return nil
    }
    faultVector = -1
    let value = readLinear(
      cpu, stack.linear(offset), size: size, asSupervisor: !stack.isUser)
    if faultVector >= 0 { return nil }
    stack.move(by: size)
    return value
  }
}
