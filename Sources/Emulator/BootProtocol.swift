/// How a kernel is brought into memory and entered: what all ways have in common.

/// The contracts between loader and kernel that are known.
public enum BootProtocol: String, Codable, Sendable, CaseIterable {
  /// The Multiboot Specification, version 0.6.96.
  case multiboot
  /// The Multiboot2 Specification, version 2.0.
  case multiboot2
  /// Xen's PVH entry, which QEMU and cloud-hypervisor use too: an ELF note names it.
  case pvh
  /// The ELF file's entry point, in the state of Linux's 32-bit or 64-bit boot protocol.
  case elf
  /// A disk's boot sector in real mode, with a BIOS.
  case disk
}

extension BootProtocol: CustomStringConvertible {
  public var description: String {
    switch self {
    case .multiboot: "multiboot"
    case .multiboot2: "multiboot2"
    case .pvh: "PVH"
    case .elf: "the ELF entry point"
    case .disk: "the disk's boot sector"
    }
  }

  /// The first contract that the image offers, in the order of the cases. (What a disk has is not the image's
  /// to say.)
  /// - Throws: `ImageError` when all it offers is a broken header.
  public init(of image: ELFImage) throws(ImageError) {
    let broken: ImageError
    do {
      _ = try MultibootHeader(in: image.bytes)
      self = .multiboot
      return
    } catch {
      broken = error
    }
    if try Multiboot2Header(in: image.bytes) != nil {
      self = .multiboot2
    } else if try image.entryNote() != nil {
      self = .pvh
    } else if broken == .noMultibootHeader {
      self = .elf
    } else {
      throw broken
    }
  }
}

extension Machine {
  /// Loads a kernel and sets CPU 0 to its entry.
  /// - Parameter wanted: the contract; nil: the first that the image offers.
  /// - Returns: the contract.
  /// - Throws: `ImageError`; memory may then be partly written.
  @discardableResult
  public func load(
    _ image: ELFImage, by wanted: BootProtocol? = nil, commandLine: String = ""
  ) throws(ImageError) -> BootProtocol {
    let chosen: BootProtocol
    if let wanted { chosen = wanted } else { chosen = try BootProtocol(of: image) }
    switch chosen {
    case .multiboot: try loadMultiboot(image, commandLine: commandLine)
    case .multiboot2: try loadMultiboot2(image, commandLine: commandLine)
    case .pvh: try loadPVH(image, commandLine: commandLine)
    case .elf: try loadELF(image, commandLine: commandLine)
    case .disk: try bootDisk()
    }
    return chosen
  }

  // MARK: Memory

  /// What a kernel is told of memory: start, size, and type (1 usable, 2 reserved).
  var memoryMap: [(start: UInt64, size: UInt64, type: UInt64)] {
    let ram = memory.hiddenBase
    return [
      (0, 0x9_FC00, 1), (0x9_FC00, 0x400, 2), (0xF_0000, 0x1_0000, 2),
      (0x10_0000, ram > 0x10_0000 ? ram - 0x10_0000 : 0, 1),
    ]
  }

  /// Puts the segments where the program headers say.
  /// - Returns: where they are.
  func placeSegments(_ image: ELFImage) throws(ImageError) -> [Range<UInt64>] {
    let ram = memory.hiddenBase
    var placed: [Range<UInt64>] = []
    for (index, segment) in image.segments.enumerated() {
      let end = segment.physical + segment.memorySize
      guard end <= ram else {
        throw .segmentOutsideMemory(
          index: index, start: segment.physical, end: end, ramBytes: ram)
      }
      fill(segment.physical, with: image.bytes[segment.file], size: segment.memorySize)
      placed.append(segment.physical..<end)
    }
    return placed
  }

  /// e_entry is a linear address; where segments are linked high, a loader without paging jumps to where
  /// they were loaded.
  func physicalEntry(_ image: ELFImage, _ placed: [Range<UInt64>]) -> UInt64 {
    if placed.contains(where: { $0.contains(image.entry) }) { return image.entry }
    return image.physical(ofVirtual: image.entry) ?? image.entry
  }

  /// A place for what the loader leaves to the kernel, where the image is not: in low memory, else behind the
  /// image.
  func place(_ size: UInt64, avoiding ranges: [Range<UInt64>]) throws(ImageError) -> UInt64 {
    let end = ranges.map(\.upperBound).max() ?? 0
    let candidates = Array(stride(from: 0x9000 as UInt64, to: 0x9_0000, by: 0x1000))
    guard
      let base = (candidates + [(end + 0xFFF) & ~0xFFF]).first(where: { base in
        base + size <= memory.hiddenBase && (base >= 0x10_0000 || base + size <= 0x9_FC00)
          && !ranges.contains { $0.overlaps(base..<base + size) }
      })
    else { throw .noRoomForInformation }
    return base
  }

  func put(_ value: UInt64, _ size: Int, at physical: UInt64) {
    memory.setValue(at: physical, size: size, value)
  }

  /// A text that ends with a zero byte.
  func put(text: String, at physical: UInt64) {
    for (index, byte) in (Array(text.utf8) + [0]).enumerated() {
      memory.setByte(at: physical + UInt64(index), byte)
    }
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

  // MARK: CPUs

  /// CPU 0 in protected mode with flat segments, paging and interrupts off, all registers zero; the
  /// others wait to be started. The GDT is not in memory: kernels have to load one of their own before they
  /// load a segment register.
  func enterFlat(_ entry: UInt64, code: UInt16 = 0x08, data: UInt16 = 0x10) {
    let c = cpus[0]
    for word in 0..<CPU.wordCount { c[word] = 0 }
    c.rip = entry
    c.rflags = CPU.Flag.fixed
    c[CPU.Word.activity] = CPU.Activity.running
    c[CPU.Word.cr0] = ControlBit.pe | ControlBit.et
    c[CPU.Word.dr0 + 6] = 0xFFFF_0FF0
    c[CPU.Word.dr0 + 7] = 0x400
    c[CPU.Word.pat] = 0x0007_0406_0007_0406
    // Attributes: present, type code (read) or data (write), accessed, 32 bits, pages.
    for segment in 0..<6 {
      let isCode = segment == CPU.Segment.cs
      c.setSegment(
        segment, selector: isCode ? code : data, base: 0, limit: 0xFFFF_FFFF,
        attributes: isCode ? 0xC09B : 0xC093)
    }
    setNullSegment(0, CPU.Segment.ldtr)
    c.setSegment(CPU.Segment.tr, selector: 0, base: 0, limit: 0xFFFF, attributes: 0x8B)
    for cpu in cpus.indices.dropFirst() { initialise(cpu) }
    flushTLB(0)
  }
}
