/// An executable in the Executable and Linkable Format, as far as loading it needs.
///
/// Reads the ELF header and the program headers of 32-bit and 64-bit little-endian files (System V
/// ABI, chapters 4 and 5). The bytes come from anywhere: every offset and size is checked against
/// the file before it is used, and sums that overflow are errors, not traps.
public struct ELFImage: Sendable {
  /// Instruction sets that LockLab runs.
  public enum Machine: UInt16, Sendable {
    case i386 = 3
    case x64 = 62
  }

  /// A PT_LOAD segment.
  public struct Segment: Equatable, Sendable {
    /// Physical address of its first byte (p_paddr).
    public var physical: UInt64
    /// Linear address of its first byte (p_vaddr).
    public var virtual: UInt64
    /// Bytes of the file, which fill the segment's beginning.
    public var file: Range<Int>
    /// Bytes in memory; those beyond the file's are zero.
    public var memorySize: UInt64
    /// p_flags: 1 execute, 2 write, 4 read.
    public var flags: UInt32
  }

  public let bytes: [UInt8]
  public let machine: Machine
  /// Whether the file is ELF64.
  public let is64Bit: Bool
  /// Linear address of the entry point.
  public let entry: UInt64
  /// Loadable segments that are not empty, in the order of the file.
  public private(set) var segments: [Segment]

  /// - Throws: `ImageError`.
  public init(_ bytes: [UInt8]) throws(ImageError) {
    let reader = ByteReader(bytes: bytes)
    guard bytes.count >= 4, Array(bytes[0..<4]) == [0x7F, 0x45, 0x4C, 0x46] else {
      throw .notELF
    }
    guard bytes.count >= 20 else { throw .truncatedHeader(size: bytes.count) }
    switch bytes[4] {
    case 1: is64Bit = false
    case 2: is64Bit = true
    default: throw .unknownClass(bytes[4])
    }
    guard bytes[5] == 1 else { throw .notLittleEndian }
    guard bytes.count >= (is64Bit ? 64 : 52) else { throw .truncatedHeader(size: bytes.count) }
    let number = UInt16(reader.value(18, 2))
    guard let machine = Machine(rawValue: number) else { throw .wrongMachine(number) }
    if is64Bit != (machine == .x64) { throw .wrongClass(machine, is64Bit: is64Bit) }
    let type = UInt16(reader.value(16, 2))
    guard type == 2 || type == 3 else { throw .notExecutable(type: type) }
    self.bytes = bytes
    self.machine = machine
    entry = reader.value(24, is64Bit ? 8 : 4)
    segments = try ELFImage.readSegments(reader, is64Bit: is64Bit)
  }

  private static func readSegments(
    _ reader: ByteReader, is64Bit: Bool
  ) throws(ImageError) -> [Segment] {
    let size = UInt64(reader.bytes.count)
    let table = reader.value(is64Bit ? 32 : 28, is64Bit ? 8 : 4)
    let entrySize = reader.value(is64Bit ? 54 : 42, 2)
    let count = reader.value(is64Bit ? 56 : 44, 2)
    if count == 0 { throw .noSegments }
    // PN_XNUM: the true count is in a section header. No kernel has that many.
    if count == 0xFFFF { throw .tooManyProgramHeaders }
    guard entrySize >= (is64Bit ? 56 : 32) else { throw .smallProgramHeaders(size: entrySize) }
    let (end, overflows) = table.addingReportingOverflow(count * entrySize)
    guard !overflows, end <= size else {
      throw .programHeadersOutside(offset: table, count: count, fileSize: size)
    }

    var segments: [Segment] = []
    for index in 0..<Int(count) {
      let at = Int(table) + index * Int(entrySize)
      func field(_ offset32: Int, _ offset64: Int) -> UInt64 {
        reader.value(at + (is64Bit ? offset64 : offset32), is64Bit ? 8 : 4)
      }
      guard reader.value(at, 4) == 1 else { continue }
      let offset = field(4, 8)
      let virtual = field(8, 16)
      let physical = field(12, 24)
      let fileSize = field(16, 32)
      let memorySize = field(20, 40)
      let flags = UInt32(reader.value(at + (is64Bit ? 4 : 24), 4))
      if memorySize == 0 && fileSize == 0 { continue }
      let (fileEnd, fileOverflows) = offset.addingReportingOverflow(fileSize)
      guard !fileOverflows, fileEnd <= size else {
        throw .segmentOutsideFile(
          index: index, end: fileOverflows ? nil : fileEnd, fileSize: size)
      }
      guard fileSize <= memorySize else {
        throw .segmentLargerInFile(index: index, fileSize: fileSize, memorySize: memorySize)
      }
      guard !physical.addingReportingOverflow(memorySize).overflow,
        !virtual.addingReportingOverflow(memorySize - 1).overflow
      else {
        throw .segmentWrapsAround(index: index, address: physical, memorySize: memorySize)
      }
      segments.append(
        Segment(
          physical: physical, virtual: virtual, file: Int(offset)..<Int(fileEnd),
          memorySize: memorySize, flags: flags))
    }
    if segments.isEmpty { throw .noSegments }
    return segments
  }

  /// The contents of the first note of this owner and type in a PT_NOTE segment; nil: there is none. What is
  /// cut off is no note. System V ABI, chapter 5, "Note Section".
  func note(owner: [UInt8], type: UInt64) -> [UInt8]? {
    let reader = ByteReader(bytes: bytes)
    let table = Int(reader.value(is64Bit ? 32 : 28, is64Bit ? 8 : 4))
    let entrySize = Int(reader.value(is64Bit ? 54 : 42, 2))
    for index in 0..<Int(reader.value(is64Bit ? 56 : 44, 2)) {
      let header = table + index * entrySize
      guard reader.value(header, 4) == 4 else { continue }
      let offset = reader.value(header + (is64Bit ? 8 : 4), is64Bit ? 8 : 4)
      let size = reader.value(header + (is64Bit ? 32 : 16), is64Bit ? 8 : 4)
      let (sum, overflows) = offset.addingReportingOverflow(size)
      guard !overflows, sum <= UInt64(bytes.count) else { continue }
      let alignment = reader.value(header + (is64Bit ? 48 : 28), is64Bit ? 8 : 4) == 8 ? 8 : 4
      var at = Int(offset)
      let end = Int(sum)
      while at + 12 <= end {
        let nameSize = Int(reader.value(at, 4))
        let contentSize = Int(reader.value(at + 4, 4))
        let name = at + 12
        let content = name + (nameSize + alignment - 1) & ~(alignment - 1)
        guard content <= end, contentSize <= end - content else { break }
        if reader.value(at + 8, 4) == type && nameSize == owner.count
          && Array(bytes[name..<name + nameSize]) == owner
        {
          return Array(bytes[content..<content + contentSize])
        }
        at = content + (contentSize + alignment - 1) & ~(alignment - 1)
      }
    }
    return nil
  }

  /// The same image with a segment at another physical address.
  public func moving(segment index: Int, to physical: UInt64) -> ELFImage {
    var moved = self
    moved.segments[index].physical = physical
    return moved
  }

  /// The physical address at which a linear address of the image is loaded, nil when no segment
  /// holds it.
  public func physical(ofVirtual virtual: UInt64) -> UInt64? {
    for segment in segments
    where virtual >= segment.virtual && virtual - segment.virtual < segment.memorySize {
      return segment.physical + (virtual - segment.virtual)
    }
    return nil
  }
}

/// Why an image cannot be loaded.
public enum ImageError: Error, Equatable, Sendable {
  case notELF
  case truncatedHeader(size: Int)
  case unknownClass(UInt8)
  case notLittleEndian
  case wrongMachine(UInt16)
  case wrongClass(ELFImage.Machine, is64Bit: Bool)
  case notExecutable(type: UInt16)
  case noSegments
  case tooManyProgramHeaders
  case smallProgramHeaders(size: UInt64)
  case programHeadersOutside(offset: UInt64, count: UInt64, fileSize: UInt64)
  case segmentOutsideFile(index: Int, end: UInt64?, fileSize: UInt64)
  case segmentLargerInFile(index: Int, fileSize: UInt64, memorySize: UInt64)
  case segmentWrapsAround(index: Int, address: UInt64, memorySize: UInt64)
  case segmentOutsideMemory(index: Int, start: UInt64, end: UInt64, ramBytes: UInt64)
  case noMultibootHeader
  case badMultibootChecksum(offset: Int)
  case unsupportedMultibootFlags(UInt32)
  case badMultibootAddresses(String)
  case noMultiboot2Header
  case badMultiboot2(String)
  case unsupportedMultiboot2Tag(UInt32)
  case noEntryNote
  case badEntryNote(String)
  case segmentNotMapped(index: Int, virtual: UInt64)
  case noDisk
  case noBootSignature(UInt16)
  case diskTooSmall(size: Int)
  case entryOutside(UInt64)
  case noRoomForInformation
}

extension ImageError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notELF: "not an ELF file"
    case .truncatedHeader(let size):
      "ELF header is cut off: the file has only \(size) bytes"
    case .unknownClass(let value):
      "ELF class \(value) is neither 1 (32-bit) nor 2 (64-bit)"
    case .notLittleEndian: "big-endian ELF; LockLab runs i386 and x86-64, which are little-endian"
    case .wrongMachine(let number):
      "ELF for machine \(ImageError.name(ofMachine: number)); LockLab runs i386 and x86-64"
    case .wrongClass(let machine, let is64Bit):
      "ELF\(is64Bit ? 64 : 32) file for \(machine == .i386 ? "i386" : "x86-64"); "
        + "LockLab runs ELF32 for i386 and ELF64 for x86-64"
    case .notExecutable(let type):
      "ELF type \(type)\(type == 1 ? " (an object file that is not linked yet)" : "") "
        + "is not an executable"
    case .noSegments: "the ELF file has no loadable segment"
    case .tooManyProgramHeaders: "the ELF file has more than 65534 program headers"
    case .smallProgramHeaders(let size): "program headers of \(size) bytes are too small"
    case .programHeadersOutside(let offset, let count, let fileSize):
      "\(count) program headers at 0x\(hex(offset)) do not fit in the file's 0x\(hex(fileSize)) "
        + "bytes"
    case .segmentOutsideFile(let index, let end, let fileSize):
      "program header \(index) ends "
        + (end.map { "at 0x\(hex($0)), " } ?? "")
        + "beyond the file's 0x\(hex(fileSize)) bytes"
    case .segmentLargerInFile(let index, let fileSize, let memorySize):
      "program header \(index) has 0x\(hex(fileSize)) bytes in the file but only "
        + "0x\(hex(memorySize)) in memory"
    case .segmentWrapsAround(let index, let address, let memorySize):
      "program header \(index): 0x\(hex(memorySize)) bytes at 0x\(hex(address)) go beyond the "
        + "end of the address space"
    case .segmentOutsideMemory(let index, let start, let end, let ramBytes):
      "program header \(index) loads 0x\(hex(start))–0x\(hex(end)), outside the machine's "
        + "0x\(hex(ramBytes)) bytes of RAM; give it more memory or link it lower"
    case .noMultibootHeader:
      "no multiboot header (1BADB002h) in the first 8192 bytes; keep it in a section of its own "
        + "at the image's beginning and link with -n"
    case .badMultibootChecksum(let offset):
      "the multiboot header at file offset 0x\(hex(offset)) has a wrong checksum"
    case .unsupportedMultibootFlags(let flags):
      "the multiboot header requires features 0x\(hex(flags)), which LockLab does not have"
    case .badMultibootAddresses(let what): "multiboot header: \(what)"
    case .noMultiboot2Header:
      "no multiboot2 header (E85250D6h) in the first 32768 bytes, on an 8-byte boundary; keep it in a "
        + "section of its own at the image's beginning and link with -n"
    case .badMultiboot2(let what): "multiboot2 header: \(what)"
    case .unsupportedMultiboot2Tag(let type):
      "the multiboot2 header requires tag \(type), which LockLab does not know"
    case .noEntryNote:
      "no PVH entry: a PT_NOTE segment with a note of owner \"Xen\" and type 18 "
        + "(XEN_ELFNOTE_PHYS32_ENTRY)"
    case .badEntryNote(let what): "the PVH entry note: \(what)"
    case .segmentNotMapped(let index, let virtual):
      "program header \(index) wants 0x\(hex(virtual)), below 4 GiB but not where it is loaded, or at "
        + "another place in its page: no loader's page tables would have it so; use multiboot"
    case .noDisk: "there is no disk to boot from; name its image as the first `disk`"
    case .noBootSignature(let found):
      "the disk's first sector ends with \(hex(UInt64(found)))h, not with the boot signature AA55h"
    case .diskTooSmall(let size): "the disk image has \(size) bytes, less than a sector of 512"
    case .entryOutside(let address):
      "the entry point 0x\(hex(address)) lies in no loaded segment"
    case .noRoomForInformation:
      "the image leaves no room in memory for the multiboot information"
    }
  }

  private static func name(ofMachine number: UInt16) -> String {
    let names: [UInt16: String] = [
      2: "SPARC", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S/390", 40: "ARM",
      43: "SPARC V9", 50: "IA-64", 183: "AArch64", 243: "RISC-V", 258: "LoongArch",
    ]
    return names[number].map { "\($0) (\(number))" } ?? "\(number)"
  }
}

/// Little-endian values out of bytes whose bounds the caller has checked.
struct ByteReader {
  var bytes: [UInt8]

  func value(_ offset: Int, _ size: Int) -> UInt64 {
    var result: UInt64 = 0
    for i in 0..<size { result |= UInt64(bytes[offset + i]) << UInt64(8 * i) }
    return result
  }
}
