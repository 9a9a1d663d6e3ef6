/// Entering an ELF file at its entry point, in the state of Linux's boot protocol (Documentation/arch/x86/boot.rst,
/// "32-bit Boot Protocol" and "64-bit Boot Protocol"): CS 10h, DS, ES and SS 18h, flat, in a GDT in memory;
/// interrupts off; ESI or RSI the address of the zero page (struct boot_params), the other registers zero
/// but for the stack pointer. i386: paging off. x86-64: long mode, with the first 4 GiB mapped to themselves and
/// each segment where the file wants it.
///
/// The stack of 16 KiB is more than the protocol promises: kernels whose entry is a C function need one.

/// Low memory for what the loader leaves, page by page.
private struct LoaderPages {
  private let machine: Machine
  private let avoided: [Range<UInt64>]
  private var next: UInt64 = 0x9000

  init(_ machine: Machine, avoiding ranges: [Range<UInt64>]) {
    self.machine = machine
    avoided = ranges
  }

  /// Pages in a row, all zeros.
  mutating func take(_ pages: UInt64 = 1) throws(ImageError) -> UInt64 {
    let size = pages * 4096
    while next < 0x9_F000 || next >= 0x10_0000 {
      let range = next..<next + size
      if range.upperBound > (next < 0x10_0000 ? 0x9_F000 : machine.memory.hiddenBase) {
        guard next < 0x10_0000 else { break }
        next = max(0x10_0000, ((avoided.map(\.upperBound).max() ?? 0) + 4095) & ~4095)
        continue
      }
      if let hit = avoided.first(where: { $0.overlaps(range) }) {
        next = (hit.upperBound + 4095) & ~4095
        if next >= 0x9_F000 && next < 0x10_0000 {
          next = max(0x10_0000, ((avoided.map(\.upperBound).max() ?? 0) + 4095) & ~4095)
        }
        continue
      }
      next += size
      return range.lowerBound
    }
    throw .noRoomForInformation
  }
}

extension Machine {
  private static let codeSelector: UInt16 = 0x10
  private static let dataSelector: UInt16 = 0x18

  /// Loads an image and sets CPU 0 to its entry point.
  /// - Returns: the physical address of the zero page.
  /// - Throws: `ImageError`; memory may then be partly written.
  @discardableResult
  public func loadELF(_ image: ELFImage, commandLine: String = "") throws(ImageError) -> UInt64 {
    let placed = try placeSegments(image)
    writeFirmwareTables(avoiding: placed)
    var pages = LoaderPages(self, avoiding: placed)
    let zeroPage = try pages.take()
    let tables = try pages.take(UInt64(1 + commandLine.utf8.count / 4096 + 1))
    let stack = try pages.take(4)
    // The GDT, and behind it the command line.
    let line = tables + 64
    put(image.is64Bit ? 0x00AF_9B00_0000_FFFF : 0x00CF_9B00_0000_FFFF, 8, at: tables + 16)
    put(0x00CF_9300_0000_FFFF, 8, at: tables + 24)
    put(text: commandLine, at: line)
    writeZeroPage(zeroPage, line)

    var entry = image.entry
    if image.is64Bit {
      guard
        image.physical(ofVirtual: entry) != nil || placed.contains(where: { $0.contains(entry) })
      else { throw .entryOutside(entry) }
    } else {
      entry = physicalEntry(image, placed)
      guard placed.contains(where: { $0.contains(entry) }) else { throw .entryOutside(entry) }
    }
    enterFlat(entry, code: Machine.codeSelector, data: Machine.dataSelector)
    let c = cpus[0]
    c[CPU.Register.si] = zeroPage
    c[CPU.Register.sp] = stack + 4 * 4096
    c[CPU.Word.gdtrBase] = tables
    c[CPU.Word.gdtrLimit] = 31
    if image.is64Bit {
      c[CPU.Word.cr3] = try writePageTables(image, &pages)
      c[CPU.Word.cr4] = ControlBit.pae
      c[CPU.Word.efer] = 1 << 8 | 1 << 10
      c[CPU.Word.cr0] = ControlBit.pe | ControlBit.et | ControlBit.pg
      c.setSegment(
        CPU.Segment.cs, selector: Machine.codeSelector, base: 0, limit: 0xFFFF_FFFF,
        attributes: 0xA09B)
      flushTLB(0)
    }
    return zeroPage
  }

  /// Linux's struct boot_params, as far as it says something: memory and command line.
  private func writeZeroPage(_ at: UInt64, _ line: UInt64) {
    let ram = memory.hiddenBase
    let extended = ram > 0x10_0000 ? (ram - 0x10_0000) / 1024 : 0
    put(min(extended, 0xFFFF), 2, at: at + 0x002)
    put(FirmwareAddress.rsdp, 8, at: at + 0x070)
    put(extended, 4, at: at + 0x1E0)
    put(0xAA55, 2, at: at + 0x1FE)
    put(0x5372_6448, 4, at: at + 0x202)  // "HdrS"
    put(0x020F, 2, at: at + 0x206)
    put(0xFF, 1, at: at + 0x210)
    put(1, 1, at: at + 0x211)
    put(line, 4, at: at + 0x228)
    put(UInt64(memoryMap.count), 1, at: at + 0x1E8)
    for (index, entry) in memoryMap.enumerated() {
      let place = at + 0x2D0 + UInt64(index * 20)
      put(entry.start, 8, at: place)
      put(entry.size, 8, at: place + 8)
      put(entry.type, 4, at: place + 16)
    }
  }

  /// The first 4 GiB to themselves in pages of 2 MiB, and segments that are linked elsewhere in pages of 4 KiB.
  private func writePageTables(
    _ image: ELFImage, _ pages: inout LoaderPages
  ) throws(ImageError) -> UInt64 {
    // Present, writable.
    let flags: UInt64 = 3
    let root = try pages.take()
    let third = try pages.take()
    put(third | flags, 8, at: root)
    for gigabyte in UInt64(0)..<4 {
      let table = try pages.take()
      put(table | flags, 8, at: third + gigabyte * 8)
      for entry in UInt64(0)..<512 {
        put(gigabyte << 30 | entry << 21 | 1 << 7 | flags, 8, at: table + entry * 8)
      }
    }
    for (index, segment) in image.segments.enumerated() where segment.virtual != segment.physical {
      guard (segment.virtual ^ segment.physical) & 0xFFF == 0, Machine.isCanonical(segment.virtual),
        segment.virtual >= 1 << 32
      else { throw .segmentNotMapped(index: index, virtual: segment.virtual) }
      var virtual = segment.virtual & ~0xFFF
      var physical = segment.physical & ~0xFFF
      while physical < segment.physical + segment.memorySize {
        var table = root
        for level in [39, 30, 21] as [UInt64] {
          let at = table + (virtual >> level & 511) * 8
          var next = memory.word(at: at)
          if next == 0 {
            next = try pages.take() | flags
            put(next, 8, at: at)
          }
          table = next & ~0xFFF
        }
        put(physical | flags, 8, at: table + (virtual >> 12 & 511) * 8)
        virtual &+= 4096
        physical += 4096
      }
    }
    return root
  }
}
