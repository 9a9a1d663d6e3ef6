/// Booting as the Multiboot Specification, version 0.6.96, has it.

/// The header that a multiboot kernel carries in its first 8192 bytes (specification §3.1).
public struct MultibootHeader: Equatable, Sendable {
  /// Where in the file it is.
  public var offset: Int
  public var flags: UInt32
  /// The address fields, with flag 16: where to load instead of where the ELF headers say.
  public var addresses: Addresses?

  public struct Addresses: Equatable, Sendable {
    public var header: UInt32
    public var load: UInt32
    /// End of what is loaded; 0: the whole file.
    public var loadEnd: UInt32
    /// End of what is cleared; 0: nothing.
    public var bssEnd: UInt32
    public var entry: UInt32
  }

  static let magic: UInt64 = 0x1BAD_B002

  /// - Throws: `ImageError` when there is none, or only broken ones.
  public init(in bytes: [UInt8]) throws(ImageError) {
    let reader = ByteReader(bytes: bytes)
    var broken: Int?
    var offset = 0
    while offset + 12 <= min(bytes.count, 8192) {
      defer { offset += 4 }
      guard reader.value(offset, 4) == MultibootHeader.magic else { continue }
      let flags = reader.value(offset + 4, 4)
      let checksum = reader.value(offset + 8, 4)
      guard (MultibootHeader.magic + flags + checksum) & 0xFFFF_FFFF == 0 else {
        broken = broken ?? offset
        continue
      }
      // Flags 0–15 are requirements: 0 page alignment, 1 memory sizes, 2 a video mode, which a
      // loader may ignore as text mode is what there is.
      guard flags & 0xFFF8 == 0 else {
        throw .unsupportedMultibootFlags(UInt32(flags & 0xFFF8))
      }
      self.offset = offset
      self.flags = UInt32(flags)
      if flags & 1 << 16 != 0 {
        guard offset + 32 <= bytes.count else {
          throw .badMultibootAddresses("its address fields are cut off by the end of the file")
        }
        func field(_ index: Int) -> UInt32 { UInt32(reader.value(offset + index, 4)) }
        addresses = Addresses(
          header: field(12), load: field(16), loadEnd: field(20), bssEnd: field(24),
          entry: field(28))
      }
      return
    }
    if let broken { throw .badMultibootChecksum(offset: broken) }
    throw .noMultibootHeader
  }
}

extension Machine {
  /// Loads a multiboot kernel and sets CPU 0 to its entry: protected mode, flat segments, paging and
  /// interrupts off, EAX the magic number, EBX the address of the information (specification §3.2).
  ///
  /// The GDT is not in memory: as the specification says, the kernel has to load one of its own
  /// before it loads a segment register. So is ESP undefined (zero here).
  /// - Returns: the physical address of the multiboot information.
  /// - Throws: `ImageError`; memory may then be partly written.
  @discardableResult
  public func loadMultiboot(
    _ image: ELFImage, commandLine: String = ""
  ) throws(ImageError) -> UInt64 {
    let header = try MultibootHeader(in: image.bytes)
    let (entry, ranges) = try loadSegments(image, header)
    guard entry <= 0xFFFF_FFFF, ranges.contains(where: { $0.contains(entry) }) else {
      throw .entryOutside(entry)
    }
    let information = try writeInformation(commandLine, avoiding: ranges)

    let c = cpus[0]
    for register in 0..<16 { c[register] = 0 }
    c[CPU.Register.ax] = 0x2BAD_B002
    c[CPU.Register.bx] = information
    c.rip = entry
    c.rflags = CPU.Flag.fixed
    c[CPU.Word.shadow] = 0
    c[CPU.Word.activity] = CPU.Activity.running
    c[CPU.Word.nmi] = 0
    c[CPU.Word.cpl] = 0
    c[CPU.Word.cr0] = ControlBit.pe | ControlBit.et
    c[CPU.Word.cr2] = 0
    c[CPU.Word.cr3] = 0
    c[CPU.Word.cr4] = 0
    c[CPU.Word.efer] = 0
    c[CPU.Word.dr0 + 6] = 0xFFFF_0FF0
    c[CPU.Word.dr0 + 7] = 0x400
    c[CPU.Word.pat] = 0x0007_0406_0007_0406
    c[CPU.Word.gdtrBase] = 0
    c[CPU.Word.gdtrLimit] = 0
    c[CPU.Word.idtrBase] = 0
    c[CPU.Word.idtrLimit] = 0
    // Attributes: present, type code (read) or data (write), accessed, 32 bits, pages.
    for segment in 0..<6 {
      let isCode = segment == CPU.Segment.cs
      c.setSegment(
        segment, selector: isCode ? 0x08 : 0x10, base: 0, limit: 0xFFFF_FFFF,
        attributes: isCode ? 0xC09B : 0xC093)
    }
    setNullSegment(0, CPU.Segment.ldtr)
    c.setSegment(CPU.Segment.tr, selector: 0, base: 0, limit: 0xFFFF, attributes: 0x8B)
    for cpu in cpus.indices.dropFirst() { initialise(cpu) }
    writeFirmwareTables(avoiding: ranges)
    flushTLB(0)
    return information
  }

  private func loadSegments(
    _ image: ELFImage, _ header: MultibootHeader
  ) throws(ImageError) -> (entry: UInt64, loaded: [Range<UInt64>]) {
    let ram = memory.hiddenBase
    var loaded: [Range<UInt64>] = []
    if let addresses = header.addresses {
      return try loadByAddresses(image, header, addresses)
    }
    for (index, segment) in image.segments.enumerated() {
      let end = segment.physical + segment.memorySize
      guard end <= ram else {
        throw .segmentOutsideMemory(
          index: index, start: segment.physical, end: end, ramBytes: ram)
      }
      fill(segment.physical, with: image.bytes[segment.file], size: segment.memorySize)
      loaded.append(segment.physical..<end)
    }
    // e_entry is a linear address; where segments are linked high, the loader jumps to where they
    // were loaded.
    let isPhysical = loaded.contains { $0.contains(image.entry) }
    let entry = isPhysical ? image.entry : image.physical(ofVirtual: image.entry) ?? image.entry
    return (entry, loaded)
  }

  /// Flag 16 of the header: its own address fields count, the ELF headers do not.
  private func loadByAddresses(
    _ image: ELFImage, _ header: MultibootHeader, _ addresses: MultibootHeader.Addresses
  ) throws(ImageError) -> (entry: UInt64, loaded: [Range<UInt64>]) {
    guard addresses.load <= addresses.header,
      Int(addresses.header - addresses.load) <= header.offset
    else {
      throw .badMultibootAddresses("the load address lies before the beginning of the file")
    }
    let start = header.offset - Int(addresses.header - addresses.load)
    let available = image.bytes.count - start
    let size: Int
    if addresses.loadEnd == 0 {
      size = available
    } else {
      guard addresses.loadEnd >= addresses.load,
        Int(addresses.loadEnd - addresses.load) <= available
      else { throw .badMultibootAddresses("the load end address lies beyond the file") }
      size = Int(addresses.loadEnd - addresses.load)
    }
    let first = UInt64(addresses.load)
    var end = first + UInt64(size)
    if addresses.bssEnd != 0 {
      guard UInt64(addresses.bssEnd) >= end else {
        throw .badMultibootAddresses("the end of the BSS lies before the end of the data")
      }
      end = UInt64(addresses.bssEnd)
    }
    guard end <= memory.hiddenBase else {
      throw .segmentOutsideMemory(index: 0, start: first, end: end, ramBytes: memory.hiddenBase)
    }
    fill(first, with: image.bytes[start..<start + size], size: end - first)
    return (UInt64(addresses.entry), [first..<end])
  }

  /// Copies bytes to physical memory and clears what follows them up to `size`. Whole words at a
  /// time: images have megabytes.
  func fill(_ physical: UInt64, with bytes: ArraySlice<UInt8>, size: UInt64) {
    var index = bytes.startIndex
    var address = physical
    let end = physical + size
    while address < end {
      if address & 7 == 0 && end - address >= 8 {
        var word: UInt64 = 0
        for i in 0..<min(8, bytes.endIndex - index) {
          word |= UInt64(bytes[index + i]) << UInt64(8 * i)
        }
        index = min(index + 8, bytes.endIndex)
        if word != 0 || memory.word(at: address) != 0 { memory.setWord(at: address, word) }
        address += 8
      } else {
        memory.setByte(at: address, index < bytes.endIndex ? bytes[index] : 0)
        if index < bytes.endIndex { index += 1 }
        address += 1
      }
    }
  }

  /// Writes the information structure (specification §3.3) with memory sizes (flag 0), the command
  /// line (flag 2) and a memory map (flag 6) where the image is not.
  private func writeInformation(
    _ commandLine: String, avoiding ranges: [Range<UInt64>]
  ) throws(ImageError) -> UInt64 {
    let line = Array(commandLine.utf8) + [0]
    let ram = memory.hiddenBase
    let map: [(start: UInt64, size: UInt64, type: UInt64)] = [
      (0, 0x9_FC00, 1), (0x9_FC00, 0x400, 2), (0xF_0000, 0x1_0000, 2),
      (0x10_0000, ram > 0x10_0000 ? ram - 0x10_0000 : 0, 1),
    ]
    let size = UInt64(128 + map.count * 24 + line.count + 15) & ~15
    let end = ranges.map(\.upperBound).max() ?? 0
    let candidates = Array(stride(from: 0x9000 as UInt64, to: 0x9_0000, by: 0x1000))
    guard
      let base = (candidates + [(end + 0xFFF) & ~0xFFF]).first(where: { base in
        base + size <= ram && !ranges.contains { $0.overlaps(base..<base + size) }
      })
    else { throw .noRoomForInformation }

    let mapBase = base + 128
    let lineBase = mapBase + UInt64(map.count * 24)
    for offset in 0..<UInt64(128) { memory.setByte(at: base + offset, 0) }
    func set(_ offset: UInt64, _ value: UInt64) {
      memory.setValue(at: base + offset, size: 4, value)
    }
    set(0, 1 << 0 | 1 << 2 | 1 << 6)
    set(4, min(ram, 0x9_FC00) / 1024)
    set(8, ram > 0x10_0000 ? (ram - 0x10_0000) / 1024 : 0)
    set(16, lineBase)
    set(44, UInt64(map.count * 24))
    set(48, mapBase)
    for (index, entry) in map.enumerated() {
      let at = mapBase + UInt64(index * 24)
      memory.setValue(at: at, size: 4, 20)
      memory.setValue(at: at + 4, size: 8, entry.start)
      memory.setValue(at: at + 12, size: 8, entry.size)
      memory.setValue(at: at + 20, size: 4, entry.type)
    }
    for (index, byte) in line.enumerated() {
      memory.setByte(at: lineBase + UInt64(index), byte)
    }
    return base
  }
}
