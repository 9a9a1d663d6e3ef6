/// Booting by Xen's PVH entry: an ELF note of owner "Xen" and type 18 (XEN_ELFNOTE_PHYS32_ENTRY) holds the
/// physical address to enter at. Xen, docs/misc/pvh.pandoc, "x86/HVM direct boot ABI"; the structures are those
/// of xen/include/public/arch-x86/hvm/start_info.h.

extension ELFImage {
  /// The physical address that the image's PVH note names; nil: there is no such note.
  /// - Throws: `ImageError` for a note that is cut off or names no 32-bit address.
  public func entryNote() throws(ImageError) -> UInt64? {
    guard let note = note(owner: Array("Xen\0".utf8), type: 18) else { return nil }
    guard note.count == 4 || note.count == 8 else {
      throw .badEntryNote("it has \(note.count) bytes, not 4 or 8")
    }
    let entry = ByteReader(bytes: note).value(0, note.count)
    guard entry <= 0xFFFF_FFFF else {
      throw .badEntryNote("0x\(hex(entry)) does not fit in 32 bits")
    }
    return entry
  }
}

extension Machine {
  /// Loads an image and sets CPU 0 to its PVH entry: protected mode, flat segments, paging and interrupts off,
  /// EBX the address of the start information.
  /// - Returns: that address.
  /// - Throws: `ImageError`; memory may then be partly written.
  @discardableResult
  public func loadPVH(_ image: ELFImage, commandLine: String = "") throws(ImageError) -> UInt64 {
    guard let entry = try image.entryNote() else { throw .noEntryNote }
    let placed = try placeSegments(image)
    guard placed.contains(where: { $0.contains(entry) }) else { throw .entryOutside(entry) }
    writeFirmwareTables(avoiding: placed)

    let map = memoryMap
    let mapOffset: UInt64 = 64
    let lineOffset = mapOffset + UInt64(map.count * 24)
    let base = try place(lineOffset + UInt64(commandLine.utf8.count) + 1, avoiding: placed)
    // hvm_start_info, version 1.
    put(0x336E_C578, 4, at: base)
    put(1, 4, at: base + 4)
    put(0, 8, at: base + 8)
    put(0, 8, at: base + 16)
    put(base + lineOffset, 8, at: base + 24)
    put(FirmwareAddress.rsdp, 8, at: base + 32)
    put(base + mapOffset, 8, at: base + 40)
    put(UInt64(map.count), 8, at: base + 48)
    for (index, entry) in map.enumerated() {
      let at = base + mapOffset + UInt64(index * 24)
      put(entry.start, 8, at: at)
      put(entry.size, 8, at: at + 8)
      put(entry.type, 8, at: at + 16)
    }
    put(text: commandLine, at: base + lineOffset)
    enterFlat(entry)
    cpus[0].setSegment(CPU.Segment.tr, selector: 0, base: 0, limit: 0x67, attributes: 0x8B)
    cpus[0][CPU.Register.bx] = base
    return base
  }
}
