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

    enterFlat(entry)
    cpus[0][CPU.Register.ax] = 0x2BAD_B002
    cpus[0][CPU.Register.bx] = information
    writeFirmwareTables(avoiding: ranges)
    return information
  }

  private func loadSegments(
    _ image: ELFImage, _ header: MultibootHeader
  ) throws(ImageError) -> (entry: UInt64, loaded: [Range<UInt64>]) {
    if let addresses = header.addresses {
      return try loadByAddresses(image, header, addresses)
    }
    let placed = try placeSegments(image)
    return (physicalEntry(image, placed), placed)
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

  /// Writes the information structure (specification §3.3) with memory sizes (flag 0), the command
  /// line (flag 2) and a memory map (flag 6) where the image is not.
  private func writeInformation(
    _ commandLine: String, avoiding ranges: [Range<UInt64>]
  ) throws(ImageError) -> UInt64 {
    let line = Array(commandLine.utf8) + [0]
    let ram = memory.hiddenBase
    let map = memoryMap
    let size = UInt64(128 + map.count * 24 + line.count + 15) & ~15
    let base = try place(size, avoiding: ranges)
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
