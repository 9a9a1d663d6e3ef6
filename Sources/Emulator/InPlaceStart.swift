/// CPUs that begin in the middle of memory that somebody else has prepared: descriptor tables, page
/// tables, stacks and code. No firmware and no boot loader runs.
/// Intel SDM Vol. 3A §9.8 (protected mode), §9.8.5 (IA-32e mode).

/// Where a CPU begins, and with which tables.
public struct InPlaceStart: Sendable {
  public var entry: UInt64
  public var stack: UInt64
  /// Linear addresses and limits of the tables in memory.
  public var gdt: (base: UInt64, limit: UInt64)
  public var idt: (base: UInt64, limit: UInt64)
  /// Selector, linear address and limit of the CPU's task state segment.
  public var task: (selector: UInt16, base: UInt64, limit: UInt64)
  /// Physical address of the page tables; nil: paging is off.
  public var pageTables: UInt64?
  public var is64Bit: Bool
  /// Bases of FS and GS.
  public var fsBase: UInt64 = 0
  public var gsBase: UInt64 = 0

  public init(
    entry: UInt64, stack: UInt64, gdt: (base: UInt64, limit: UInt64),
    idt: (base: UInt64, limit: UInt64), task: (selector: UInt16, base: UInt64, limit: UInt64),
    pageTables: UInt64?, is64Bit: Bool
  ) {
    self.entry = entry
    self.stack = stack
    self.gdt = gdt
    self.idt = idt
    self.task = task
    self.pageTables = pageTables
    self.is64Bit = is64Bit
  }
}

extension Machine {
  /// The selectors of flat code and data that `start` loads.
  public static let flatCode: UInt16 = 0x08
  public static let flatData: UInt16 = 0x10

  /// Puts a CPU in ring 0 at an address, interrupts off, all registers zero but the stack pointer.
  public func start(_ cpu: Int, in place: InPlaceStart) {
    let c = cpus[cpu]
    for word in 0..<CPU.wordCount { c[word] = 0 }
    c.rsp = place.stack
    c.rip = place.entry
    c.rflags = CPU.Flag.fixed
    c[CPU.Word.activity] = CPU.Activity.running
    c[CPU.Word.cr0] = ControlBit.pe | ControlBit.et | ControlBit.ne | ControlBit.mp
    c[CPU.Word.cr4] = ControlBit.osfxsr | ControlBit.osxmmexcpt
    if let tables = place.pageTables {
      c[CPU.Word.cr0] |= ControlBit.pg
      c[CPU.Word.cr3] = tables
      c[CPU.Word.cr4] |= place.is64Bit ? ControlBit.pae | ControlBit.fsgsbase : ControlBit.pse
    }
    if place.is64Bit {
      c[CPU.Word.efer] = ControlBit.lme | ControlBit.lma | ControlBit.sce
    }
    c[CPU.Word.dr0 + 6] = 0xFFFF_0FF0
    c[CPU.Word.dr0 + 7] = 0x400
    c[CPU.Word.pat] = 0x0007_0406_0007_0406
    c[CPU.Word.gdtrBase] = place.gdt.base
    c[CPU.Word.gdtrLimit] = place.gdt.limit
    c[CPU.Word.idtrBase] = place.idt.base
    c[CPU.Word.idtrLimit] = place.idt.limit
    // Attributes: present, type code (read) or data (write), accessed, 32 bits or L, pages.
    for segment in 0..<6 {
      let isCode = segment == CPU.Segment.cs
      c.setSegment(
        segment, selector: isCode ? Machine.flatCode : Machine.flatData, base: 0,
        limit: 0xFFFF_FFFF, attributes: isCode ? (place.is64Bit ? 0xA09B : 0xC09B) : 0xC093)
    }
    for (segment, base) in [(CPU.Segment.fs, place.fsBase), (CPU.Segment.gs, place.gsBase)]
    where base != 0 {
      c.setSegment(
        segment, selector: Machine.flatData, base: base, limit: 0xFFFF_FFFF, attributes: 0xC093)
    }
    c.setSegment(
      CPU.Segment.ldtr, selector: 0, base: 0, limit: 0xFFFF, attributes: 0x82)
    c.setSegment(
      CPU.Segment.tr, selector: place.task.selector, base: place.task.base,
      limit: place.task.limit, attributes: 0x8B)
    // The 8259 pair is out of the way: LINT0 is masked.
    apic(cpu)[LocalAPIC.Word.spurious] = 0x1FF
    apic(cpu)[LocalAPIC.LocalVector.lint0] = 0x1_0700
    apic(cpu)[LocalAPIC.LocalVector.lint1] = 0x400
    flushTLB(cpu)
  }

  /// Sends an ISA line's edges to one CPU by a vector, through the I/O APIC. Data sheet 290566 §3.2.4.
  public func route(line: Int, to cpu: Int, vector: Int) {
    // The 8259 pair latches each edge, too. It is given one now, so that later ones change nothing there.
    raise(line: line)
    lower(line: line)
    setDeviceWord(
      .ioAPICEntries, Machine.pin(ofLine: line), UInt64(cpu) << 56 | UInt64(vector))
  }

  /// Copies bytes to physical memory and clears what follows them, up to `size`.
  public func place(_ bytes: ArraySlice<UInt8>, at physical: UInt64, size: UInt64) {
    fill(physical, with: bytes, size: size)
  }
}
