import Testing

@testable import Emulator

/// What each loader leaves for the kernel, and what it says of images that it cannot load.
@Suite struct BootProtocolTests {
  private static let file = ELFImageTests()

  /// A multiboot2 header at 100h: magic, architecture, length, checksum, tags.
  private static func multiboot2(
    architecture: UInt32 = 0, length: UInt32? = nil, checksum: UInt32? = nil,
    tags: [[UInt32]] = [], ends: Bool = true
  ) -> [UInt8] {
    var words: [UInt32] = []
    for tag in tags + (ends ? [[0, 8]] : []) {
      words += tag
      if words.count % 2 != 0 { words.append(0) }
    }
    let length = length ?? UInt32(16 + words.count * 4)
    let sum = checksum ?? 0 &- (0xE852_50D6 &+ architecture &+ length)
    return put([0xE852_50D6, architecture, length, sum] + words, at: 0x100)
  }

  private static func put(_ words: [UInt32], at offset: Int) -> [UInt8] {
    var bytes = file.file(size: 0x400, multiboot: nil)
    for (index, word) in words.enumerated() {
      for i in 0..<4 { bytes[offset + index * 4 + i] = UInt8(truncatingIfNeeded: word >> (8 * i)) }
    }
    return bytes
  }

  /// An image with a PVH note of these bytes.
  private static func note(
    _ content: [UInt8], owner: String = "Xen\0", type: UInt32 = 18, size: UInt32? = nil
  ) -> [UInt8] {
    var bytes = file.file(
      [.init(), .init(type: 4, offset: 0x180, fileSize: 0x40, memorySize: 0x40)], size: 0x400,
      multiboot: nil)
    let head: [UInt32] = [UInt32(owner.utf8.count), size ?? UInt32(content.count), type]
    var note: [UInt8] = []
    for word in head { for i in 0..<4 { note.append(UInt8(truncatingIfNeeded: word >> (8 * i))) } }
    note += Array(owner.utf8) + content
    bytes.replaceSubrange(0x180..<(0x180 + note.count), with: note)
    return bytes
  }

  private func error(
    _ bytes: [UInt8], by wanted: BootProtocol? = nil, disks: [[UInt8]] = [], ram: Int = 4 << 20
  ) -> String {
    do {
      try Machine(ramBytes: ram, disks: disks).load(ELFImage(bytes), by: wanted)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func each_protocol_is_recognised() throws {
    #expect(try BootProtocol(of: ELFImage(Self.file.file())) == .multiboot)
    #expect(try BootProtocol(of: ELFImage(Self.multiboot2())) == .multiboot2)
    #expect(try BootProtocol(of: ELFImage(Self.note([0x10, 0, 0x10, 0]))) == .pvh)
    #expect(try BootProtocol(of: ELFImage(Self.file.file(multiboot: nil))) == .elf)
  }

  @Test(arguments: [
    // Multiboot2.
    (
      multiboot2(checksum: 1),
      "multiboot2 header: the one at file offset 0x100 has a wrong checksum"
    ),
    (multiboot2(architecture: 4), "multiboot2 header: its architecture is 4, not 0 (i386)"),
    (multiboot2(length: 0x10000), "multiboot2 header: its length of 65536 bytes does not fit"),
    (multiboot2(length: 8), "multiboot2 header: its length of 8 bytes does not fit"),
    (multiboot2(tags: [[1, 4]]), "multiboot2 header: a tag of type 1 has 4 bytes"),
    (
      multiboot2(tags: [[1, 0x7FFF_FFFF]]),
      "multiboot2 header: a tag of type 1 has 2147483647 bytes"
    ),
    (multiboot2(tags: [[6, 8]], ends: false), "multiboot2 header: its tags do not end"),
    (multiboot2(tags: [[2, 12, 0]]), "multiboot2 header: a tag of type 2 has only 12 bytes"),
    (multiboot2(tags: [[3, 8]]), "multiboot2 header: a tag of type 3 has only 8 bytes"),
    (
      multiboot2(tags: [[77, 8]]),
      "the multiboot2 header requires tag 77, which LockLab does not know"
    ),
    (
      multiboot2(tags: [[2, 24, 0x10_0000, 0x20_0000, 0, 0]]),
      "multiboot2 header: the load address lies before the beginning of the file"
    ),
    (
      multiboot2(tags: [[2, 24, 0x10_0000, 0x10_0000, 0x30_0000, 0]]),
      "multiboot2 header: the load end address lies beyond the file"
    ),
    (
      multiboot2(tags: [[2, 24, 0x10_0000, 0x10_0000, 0x10_0100, 0xF000_0000]]),
      "program header 0 loads 0x100000–0xf0000000, outside the machine's"
    ),
    (
      multiboot2(tags: [[3, 12, 0x5000_0000]]),
      "the entry point 0x50000000 lies in no loaded segment"
    ),
    // PVH.
    (note([1, 2, 3]), "the PVH entry note: it has 3 bytes, not 4 or 8"),
    (note([0, 0, 0, 0, 1, 0, 0, 0]), "the PVH entry note: 0x100000000 does not fit in 32 bits"),
    (note([0, 0, 0, 0x50]), "the entry point 0x50000000 lies in no loaded segment"),
    // ELF entry points.
    (
      file.file(entry: 0x50_0000, multiboot: nil),
      "the entry point 0x500000 lies in no loaded segment"
    ),
    (
      file.file(
        [.init(virtual: 0x20_0000)], is64Bit: true, entry: 0x20_0010, multiboot: nil),
      "program header 0 wants 0x200000, below 4 GiB but not where it is loaded"
    ),
    (
      file.file(
        [.init(virtual: 0xFFFF_FFFF_8010_0800)], is64Bit: true, entry: 0xFFFF_FFFF_8010_0810,
        multiboot: nil), "program header 0 wants 0xffffffff80100800"
    ),
    (
      file.file(
        [.init(physical: 0x8000, memorySize: 0x3F_8000)], entry: 0x10_0010, multiboot: nil),
      "the image leaves no room in memory"
    ),
  ])
  func one_clear_error(bytes: [UInt8], message: String) {
    let said = error(bytes)
    #expect(said.hasPrefix(message), "said: \(said)")
  }

  @Test func what_the_image_does_not_offer_is_said() {
    let plain = Self.file.file(multiboot: nil)
    #expect(error(plain, by: .multiboot).hasPrefix("no multiboot header (1BADB002h)"))
    #expect(error(plain, by: .multiboot2).hasPrefix("no multiboot2 header (E85250D6h)"))
    #expect(error(plain, by: .pvh).hasPrefix("no PVH entry: a PT_NOTE segment"))
    #expect(error(Self.note([0, 0, 0x10, 0], owner: "Gen\0"), by: .pvh).hasPrefix("no PVH entry"))
    #expect(error(Self.note([0, 0, 0x10, 0], type: 17), by: .pvh).hasPrefix("no PVH entry"))
    #expect(error(Self.note([0], size: 0xFFFF_FFF0), by: .pvh).hasPrefix("no PVH entry"))
    #expect(error(plain, by: .disk).hasPrefix("there is no disk to boot from"))
    #expect(
      error(plain, by: .disk, disks: [[1, 2]]).hasPrefix("the disk image has 2 bytes, less than"))
    #expect(
      error(plain, by: .disk, disks: [[UInt8](repeating: 0x5A, count: 1024)])
        .hasPrefix("the disk's first sector ends with 5a5ah, not with the boot signature AA55h"))
  }

  @Test func multiboot2_state() throws {
    let machine = Machine(ramBytes: 8 << 20)
    #expect(
      try machine.load(ELFImage(Self.multiboot2()), commandLine: "debug=1") == .multiboot2)
    let c = machine.cpus[0]
    #expect(c[CPU.Register.ax] == 0x36D7_6289)
    #expect(c.rip == 0x10_0010)
    #expect(c[CPU.Word.cr0] & 0x8000_0001 == 1)
    let memory = machine.memory
    var at = c[CPU.Register.bx]
    let end = at + memory.value(at: at, size: 4)
    at += 8
    var tags: [UInt64: UInt64] = [:]
    while at < end {
      tags[memory.value(at: at, size: 4)] = at
      at += (memory.value(at: at + 4, size: 4) + 7) & ~7
    }
    #expect(at == end)
    #expect(Set(tags.keys) == [0, 1, 2, 4, 6, 14])
    #expect((0..<8).map { memory.byte(at: tags[1]! + 8 + $0) } == Array("debug=1".utf8) + [0])
    #expect(memory.value(at: tags[4]! + 12, size: 4) == 7 * 1024)
    #expect(memory.value(at: tags[6]! + 16 + 3 * 24, size: 8) == 0x10_0000)
    #expect(memory.value(at: tags[6]! + 24 + 3 * 24, size: 8) == 7 << 20)
  }

  /// Linux's 32-bit boot protocol.
  @Test func entry_of_an_i386_file() throws {
    let machine = Machine(ramBytes: 8 << 20)
    let image = try ELFImage(
      Self.file.file([.init(virtual: 0xC010_0000)], entry: 0xC010_0010, multiboot: nil))
    #expect(try machine.load(image, commandLine: "root=1") == .elf)
    let c = machine.cpus[0]
    #expect(c.rip == 0x10_0010)
    #expect(c.selector(CPU.Segment.cs) == 0x10)
    #expect(c.selector(CPU.Segment.ds) == 0x18)
    #expect(c[CPU.Word.cr0] & 0x8000_0001 == 1)
    #expect(machine.peek(0, linear: c[CPU.Word.gdtrBase] + 16, size: 8) == 0x00CF_9B00_0000_FFFF)
    let zeroPage = c[CPU.Register.si]
    #expect(machine.memory.value(at: zeroPage + 0x202, size: 4) == 0x5372_6448)
    #expect(machine.memory.byte(at: zeroPage + 0x1E8) == 4)
    let line = machine.memory.value(at: zeroPage + 0x228, size: 4)
    #expect((0..<7).map { machine.memory.byte(at: line + $0) } == Array("root=1".utf8) + [0])
  }

  /// Long mode, the first 4 GiB mapped to themselves, a high segment where it wants to be.
  @Test func entry_of_an_x86_64_file() throws {
    let machine = Machine(ramBytes: 8 << 20)
    let high: UInt64 = 0xFFFF_FFFF_8010_0000
    let image = try ELFImage(
      Self.file.file([.init(virtual: high)], is64Bit: true, entry: high + 0x18, multiboot: nil))
    #expect(try machine.load(image) == .elf)
    let c = machine.cpus[0]
    #expect(c.is64Bit)
    #expect(c.rip == high + 0x18)
    #expect(machine.physicalAddress(cpu: 0, linear: high + 0x18) == 0x10_0018)
    #expect(machine.physicalAddress(cpu: 0, linear: 0x7F_0020) == 0x7F_0020)
    #expect(machine.physicalAddress(cpu: 0, linear: c.rsp - 8) == c.rsp - 8)
    #expect(machine.peek(0, linear: high + 0x18, size: 4) == 0xDEAD_BEEF)
  }

  /// Whatever is cut off or changed in a header either loads or is refused.
  @Test func no_image_traps() {
    let images = [
      Self.multiboot2(tags: [[2, 24, 0x10_0100, 0x10_0000, 0, 0x10_1000], [3, 12, 0x10_0010]]),
      Self.note([0x10, 0, 0x10, 0]),
      Self.file.file([.init(virtual: 0xFFFF_FFFF_8010_0000)], is64Bit: true, multiboot: nil),
    ]
    for good in images {
      for index in Array(0..<0xC0) + Array(0x100..<0x140) + Array(0x180..<0x1A0) {
        for value: UInt8 in [0, 1, 0x7F, 0xFF] {
          var bytes = good
          bytes[index] = value
          if let image = try? ELFImage(bytes) {
            _ = try? Machine(ramBytes: 2 << 20).load(image)
          }
        }
      }
      for length in stride(from: 0, to: good.count, by: 7) {
        if let image = try? ELFImage(Array(good[0..<length])) {
          _ = try? Machine(ramBytes: 2 << 20).load(image)
        }
      }
    }
  }
}
