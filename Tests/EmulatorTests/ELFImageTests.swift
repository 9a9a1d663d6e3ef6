import Emulator
import Testing

/// Files made byte by byte: right ones, cut-off ones and hostile ones.
@Suite struct ELFImageTests {
  struct Header {
    var type: UInt64 = 1
    var offset: UInt64 = 0x100
    var virtual: UInt64 = 0x10_0000
    var physical: UInt64 = 0x10_0000
    var fileSize: UInt64 = 0x20
    var memorySize: UInt64 = 0x40
    var flags: UInt64 = 5
  }

  func file(
    _ headers: [Header] = [Header()], is64Bit: Bool = false, machine: UInt64? = nil,
    table: UInt64? = nil, count: UInt64? = nil, entrySize: UInt64? = nil, size: Int = 0x200,
    entry: UInt64 = 0x10_0010, type: UInt64 = 2, multiboot: [UInt64]? = [0, 0xE452_4FFE]
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 0x1000)
    func set(_ at: Int, _ size: Int, _ value: UInt64) {
      for i in 0..<size { bytes[at + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
    }
    set(0, 4, 0x464C_457F)
    set(4, 4, is64Bit ? 0x0001_0102 : 0x0001_0101)
    set(16, 2, type)
    set(18, 2, machine ?? (is64Bit ? 62 : 3))
    let w = is64Bit ? 8 : 4
    set(24, w, entry)
    set(is64Bit ? 32 : 28, w, table ?? 64)
    set(is64Bit ? 54 : 42, 2, entrySize ?? (is64Bit ? 56 : 32))
    set(is64Bit ? 56 : 44, 2, count ?? UInt64(headers.count))
    for (index, h) in headers.enumerated() {
      let at = 64 + index * (is64Bit ? 56 : 32)
      set(at, 4, h.type)
      set(at + (is64Bit ? 4 : 24), 4, h.flags)
      set(at + (is64Bit ? 8 : 4), w, h.offset)
      set(at + (is64Bit ? 16 : 8), w, h.virtual)
      set(at + (is64Bit ? 24 : 12), w, h.physical)
      set(at + (is64Bit ? 32 : 16), w, h.fileSize)
      set(at + (is64Bit ? 40 : 20), w, h.memorySize)
    }
    set(0x118, 4, 0xDEAD_BEEF)
    if let multiboot {
      set(0x100, 4, 0x1BAD_B002)
      for (index, value) in multiboot.enumerated() { set(0x104 + index * 4, 4, value) }
    }
    return Array(bytes[0..<size])
  }

  func error(_ bytes: [UInt8]) -> String {
    do {
      _ = try ELFImage(bytes)
      return "no error"
    } catch { return error.description }
  }

  @Test func right_files() throws {
    let small = try ELFImage(file())
    #expect(small.machine == .i386)
    #expect(small.segments.count == 1)
    let segment = small.segments[0]
    #expect(segment.physical == 0x10_0000)
    #expect(segment.virtual == 0x10_0000)
    #expect(segment.file == 0x100..<0x120)
    #expect(segment.memorySize == 0x40)
    #expect(segment.flags == 5)
    let big = try ELFImage(file(is64Bit: true))
    #expect(big.machine == .x64)
    #expect(big.segments == small.segments)
    #expect(big.entry == 0x10_0010)
  }

  @Test func refusals_say_what_is_wrong() {
    #expect(error([]) == "not an ELF file")
    #expect(error(Array("#!/bin/sh\n".utf8)) == "not an ELF file")
    #expect(
      error(Array(file()[0..<30])) == "ELF header is cut off: the file has only 30 bytes")
    #expect(
      error(file(machine: 40)) == "ELF for machine ARM (40); LockLab runs i386 and x86-64")
    #expect(
      error(file(machine: 62))
        == "ELF32 file for x86-64; LockLab runs ELF32 for i386 and ELF64 for x86-64")
    #expect(
      error(file(type: 1))
        == "ELF type 1 (an object file that is not linked yet) is not an executable")
    #expect(error(file(count: 0)) == "the ELF file has no loadable segment")
    #expect(error(file([Header(type: 2)])) == "the ELF file has no loadable segment")
    #expect(
      error(file(count: 200))
        == "200 program headers at 0x40 do not fit in the file's 0x200 bytes")
    #expect(
      error(file([Header(), Header(offset: 0x1F0)]))
        == "program header 1 ends at 0x210, beyond the file's 0x200 bytes")
    #expect(error(file(entrySize: 8)) == "program headers of 8 bytes are too small")
    #expect(
      error(file([Header(fileSize: 0x41)]))
        == "program header 0 has 0x41 bytes in the file but only 0x40 in memory")
  }

  @Test func sums_that_overflow_are_errors() {
    let max = UInt64.max
    #expect(
      error(file([Header(offset: max - 7, fileSize: 8, memorySize: 8)], is64Bit: true))
        == "program header 0 ends beyond the file's 0x200 bytes")
    #expect(
      error(file([Header(physical: max - 3)], is64Bit: true))
        == "program header 0: 0x40 bytes at 0xfffffffffffffffc go beyond the end of the address "
        + "space")
    #expect(
      error(file([Header(virtual: max - 3)], is64Bit: true)).hasPrefix("program header 0: 0x40"))
    #expect(
      error(file(is64Bit: true, table: max - 10))
        == "1 program headers at 0xfffffffffffffff5 do not fit in the file's 0x200 bytes")
    #expect(
      error(file([Header(fileSize: 0x20, memorySize: max)], is64Bit: true)).hasPrefix("program"))
  }

  /// Every prefix and every single corrupted byte either loads or is refused.
  @Test(arguments: [false, true]) func no_file_traps(is64Bit: Bool) {
    let good = file(is64Bit: is64Bit)
    for length in 0..<good.count { load(Array(good[0..<length])) }
    for index in 0..<0x110 {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFE, 0xFF] {
        var bytes = good
        bytes[index] = value
        load(bytes)
      }
    }
  }

  func load(_ bytes: [UInt8]) {
    guard let image = try? ELFImage(bytes) else { return }
    _ = try? Machine(ramBytes: 2 << 20).loadMultiboot(image)
  }

  func multibootError(_ bytes: [UInt8], ram: Int = 4 << 20) throws -> String {
    let image = try ELFImage(bytes)
    do {
      try Machine(ramBytes: ram).loadMultiboot(image)
      return "no error"
    } catch { return error.description }
  }

  @Test func multiboot_refusals() throws {
    #expect(try multibootError(file()) == "no error")
    #expect(try multibootError(file(multiboot: nil)).hasPrefix("no multiboot header"))
    #expect(
      try multibootError(file(multiboot: [0, 0]))
        == "the multiboot header at file offset 0x100 has a wrong checksum")
    #expect(
      try multibootError(file(multiboot: [8, 0xE452_4FF6]))
        == "the multiboot header requires features 0x8, which LockLab does not have")
    #expect(
      try multibootError(file(), ram: 1 << 20)
        == "program header 0 loads 0x100000–0x100040, outside the machine's 0x100000 bytes of "
        + "RAM; give it more memory or link it lower")
    #expect(
      try multibootError(file(entry: 0x20_0000))
        == "the entry point 0x200000 lies in no loaded segment")
  }

  @Test func multiboot_state() throws {
    let machine = Machine(ramBytes: 4 << 20)
    let image = try ELFImage(file([Header(virtual: 0xC010_0000)], entry: 0xC010_0010))
    machine.memory.setByte(at: 0x10_0030, 0xFF)
    let information = try machine.loadMultiboot(image, commandLine: "debug=1")
    let c = machine.cpus[0]
    #expect(c[CPU.Register.ax] == 0x2BAD_B002)
    #expect(c[CPU.Register.bx] == information)
    #expect(c.rip == 0x10_0010, "the linear entry address becomes the physical one")
    #expect(c[CPU.Word.cr0] & 0x8000_0001 == 1)
    #expect(!c.interruptsEnabled)
    let memory = machine.memory
    #expect(memory.value(at: 0x10_0018, size: 4) == 0xDEAD_BEEF)
    #expect(memory.byte(at: 0x10_0030) == 0, "what is beyond the file's bytes is cleared")
    #expect(memory.value(at: information, size: 4) == 0x45)
    #expect(memory.value(at: information + 4, size: 4) == 639)
    #expect(memory.value(at: information + 8, size: 4) == 3072)
    let line = memory.value(at: information + 16, size: 4)
    #expect((0..<8).map { memory.byte(at: line + $0) } == Array("debug=1".utf8) + [0])
    let map = memory.value(at: information + 48, size: 4)
    #expect(memory.value(at: information + 44, size: 4) == 96)
    #expect(memory.value(at: map + 72 + 4, size: 8) == 0x10_0000)
    #expect(memory.value(at: map + 72 + 12, size: 8) == 0x30_0000)
  }

  @Test func address_fields_of_the_header() throws {
    let machine = Machine(ramBytes: 4 << 20)
    // Load the file from its header on (offset 100h) to 20_0000h, 60h bytes and 20h cleared.
    let fields: [UInt64] = [
      1 << 16, 0xE451_4FFE, 0x20_0000, 0x20_0000, 0x20_0060, 0x20_0080, 0x20_0018,
    ]
    let image = try ELFImage(file(multiboot: fields))
    try machine.loadMultiboot(image)
    #expect(machine.cpus[0].rip == 0x20_0018)
    #expect(machine.memory.value(at: 0x20_0000, size: 4) == 0x1BAD_B002)
    #expect(machine.memory.value(at: 0x10_0000, size: 4) == 0)
  }
}
