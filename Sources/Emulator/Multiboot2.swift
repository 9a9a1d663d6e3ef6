/// Booting as the Multiboot2 Specification, version 2.0, has it.

/// The header that a multiboot2 kernel carries in its first 32768 bytes (specification §3.1).
public struct Multiboot2Header: Equatable, Sendable {
  /// Where in the file it is.
  public var offset: Int
  /// Tag 2: where to load instead of where the ELF headers say.
  public var addresses: Addresses?
  /// Tag 3: where to enter instead of at e_entry.
  public var entry: UInt32?

  public struct Addresses: Equatable, Sendable {
    public var header: UInt32
    public var load: UInt32
    /// End of what is loaded; 0: the whole file.
    public var loadEnd: UInt32
    /// End of what is cleared; 0: nothing.
    public var bssEnd: UInt32
  }

  static let magic: UInt64 = 0xE852_50D6
  static let searched = 32768

  /// Nil: there is none.
  /// - Throws: `ImageError` for one that is broken, or asks for what LockLab does not have.
  public init?(in bytes: [UInt8]) throws(ImageError) {
    let reader = ByteReader(bytes: bytes)
    var offset = 0
    var broken: Int?
    while offset + 16 <= min(bytes.count, Self.searched) {
      defer { offset += 8 }
      guard reader.value(offset, 4) == Self.magic else { continue }
      let architecture = reader.value(offset + 4, 4)
      let length = reader.value(offset + 8, 4)
      let checksum = reader.value(offset + 12, 4)
      guard (Self.magic + architecture + length + checksum) & 0xFFFF_FFFF == 0 else {
        broken = broken ?? offset
        continue
      }
      guard architecture == 0 else {
        throw .badMultiboot2("its architecture is \(architecture), not 0 (i386)")
      }
      guard length >= 16, length <= UInt64(bytes.count - offset) else {
        throw .badMultiboot2("its length of \(length) bytes does not fit in the file")
      }
      self.offset = offset
      try readTags(reader, from: offset + 16, to: offset + Int(length))
      return
    }
    if let broken {
      throw .badMultiboot2("the one at file offset 0x\(hex(UInt64(broken))) has a wrong checksum")
    }
    return nil
  }

  private mutating func readTags(
    _ reader: ByteReader, from start: Int, to end: Int
  ) throws(ImageError) {
    var at = start
    while at + 8 <= end {
      let type = reader.value(at, 2)
      let isOptional = reader.value(at + 2, 2) & 1 != 0
      let size = reader.value(at + 4, 4)
      guard size >= 8, size <= UInt64(end - at) else {
        throw .badMultiboot2(
          "a tag of type \(type) has \(size) bytes, more than are left or too few")
      }
      func fields(_ count: Int) throws(ImageError) -> [UInt32] {
        guard size >= UInt64(8 + 4 * count) else {
          throw .badMultiboot2("a tag of type \(type) has only \(size) bytes")
        }
        return (0..<count).map { UInt32(reader.value(at + 8 + 4 * $0, 4)) }
      }
      switch type {
      case 0: return
      case 2:
        let f = try fields(4)
        addresses = Addresses(header: f[0], load: f[1], loadEnd: f[2], bssEnd: f[3])
      case 3: entry = try fields(1)[0]
      // Information requests are answered as far as there is something to say; a console, a frame buffer,
      // aligned modules, EFI's services and another place to load at are offers of the kernel's.
      case 1, 4, 5, 6, 7, 8, 9, 10: break
      default:
        guard isOptional else { throw .unsupportedMultiboot2Tag(UInt32(type)) }
      }
      at += (Int(size) + 7) & ~7
    }
    throw .badMultiboot2("its tags do not end with one of type 0")
  }
}

extension Machine {
  /// Loads a multiboot2 kernel and sets CPU 0 to its entry: as for multiboot, with another magic number
  /// and another information structure (specification §3.3).
  /// - Returns: the physical address of the information.
  /// - Throws: `ImageError`; memory may then be partly written.
  @discardableResult
  public func loadMultiboot2(
    _ image: ELFImage, commandLine: String = ""
  ) throws(ImageError) -> UInt64 {
    guard let header = try Multiboot2Header(in: image.bytes) else { throw .noMultiboot2Header }
    let placed: [Range<UInt64>]
    if let addresses = header.addresses {
      placed = [try place(image, header, addresses)]
    } else {
      placed = try placeSegments(image)
    }
    let entry = header.entry.map(UInt64.init) ?? physicalEntry(image, placed)
    guard entry <= 0xFFFF_FFFF, placed.contains(where: { $0.contains(entry) }) else {
      throw .entryOutside(entry)
    }
    writeFirmwareTables(avoiding: placed)
    let information = try writeInformation2(commandLine, avoiding: placed)
    enterFlat(entry)
    cpus[0][CPU.Register.ax] = 0x36D7_6289
    cpus[0][CPU.Register.bx] = information
    return information
  }

  private func place(
    _ image: ELFImage, _ header: Multiboot2Header, _ addresses: Multiboot2Header.Addresses
  ) throws(ImageError) -> Range<UInt64> {
    // A load address of all ones: the file's beginning.
    let first =
      addresses.load == UInt32.max
      ? Int64(addresses.header) - Int64(header.offset) : Int64(addresses.load)
    let start = Int64(header.offset) - (Int64(addresses.header) - first)
    guard first >= 0, start >= 0, start <= Int64(header.offset) else {
      throw .badMultiboot2("the load address lies before the beginning of the file")
    }
    let available = Int64(image.bytes.count) - start
    let size = addresses.loadEnd == 0 ? available : Int64(addresses.loadEnd) - first
    guard size >= 0, size <= available else {
      throw .badMultiboot2("the load end address lies beyond the file, or before the load address")
    }
    let end = max(first + size, Int64(addresses.bssEnd))
    guard end <= Int64(memory.hiddenBase) else {
      throw .segmentOutsideMemory(
        index: 0, start: UInt64(first), end: UInt64(end), ramBytes: memory.hiddenBase)
    }
    fill(
      UInt64(first), with: image.bytes[Int(start)..<Int(start + size)], size: UInt64(end - first))
    return UInt64(first)..<UInt64(end)
  }

  /// Tags: command line (1), loader's name (2), memory sizes (4), memory map (6), ACPI's RSDP (14).
  private func writeInformation2(
    _ commandLine: String, avoiding ranges: [Range<UInt64>]
  ) throws(ImageError) -> UInt64 {
    var bytes: [UInt8] = []
    func value(_ value: UInt64, _ size: Int) {
      for i in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
    }
    func tag(_ type: UInt64, _ body: () -> Void) {
      let start = bytes.count
      value(type, 4)
      value(0, 4)
      body()
      let size = bytes.count - start
      for i in 0..<4 { bytes[start + 4 + i] = UInt8(truncatingIfNeeded: size >> (8 * i)) }
      while bytes.count % 8 != 0 { bytes.append(0) }
    }
    let ram = memory.hiddenBase
    value(0, 8)
    tag(1) { bytes += Array(commandLine.utf8) + [0] }
    tag(2) { bytes += Array("LockLab".utf8) + [0] }
    tag(4) {
      value(min(ram, 0x9_FC00) / 1024, 4)
      value(ram > 0x10_0000 ? (ram - 0x10_0000) / 1024 : 0, 4)
    }
    tag(6) {
      value(24, 4)
      value(0, 4)
      for entry in memoryMap {
        value(entry.start, 8)
        value(entry.size, 8)
        value(entry.type, 4)
        value(0, 4)
      }
    }
    if memory.value(at: FirmwareAddress.rsdp, size: 8) == 0x2052_5450_2044_5352 {
      tag(14) {
        for i in UInt64(0)..<20 { bytes.append(memory.byte(at: FirmwareAddress.rsdp + i)) }
      }
    }
    tag(0) {}
    for i in 0..<4 { bytes[i] = UInt8(truncatingIfNeeded: bytes.count >> (8 * i)) }
    let base = try place(UInt64(bytes.count), avoiding: ranges)
    for (i, byte) in bytes.enumerated() { memory.setByte(at: base + UInt64(i), byte) }
    return base
  }
}
