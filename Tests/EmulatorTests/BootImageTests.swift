import Foundation
import Testing

@testable import Emulator

/// Ways to boot, and what booting kernels ask of devices, on our machine and on QEMU.
@Suite struct BootImageTests {

  private func disk(sectors: Int = 2100, from first: Int = 0, _ beginning: [UInt8] = []) -> [UInt8]
  {
    var bytes = [UInt8](repeating: 0, count: sectors * 512)
    bytes.replaceSubrange(0..<beginning.count, with: beginning)
    for sector in first..<sectors {
      bytes[sector * 512] = UInt8(sector & 0xFF)
      bytes[sector * 512 + 1] = UInt8(sector >> 8)
      bytes[sector * 512 + 508] = UInt8(sector % 251)
    }
    return bytes
  }

  private func output(_ machine: Machine, limit: Int = 400_000_000) -> String {
    let (stop, _) = machine.runAll(limit: limit)
    #expect(
      stop == .exit || stop == .shutdown,
      "stopped with \(stop) at \(machine.cpus[0].linearIP): \(machine.unmodelled ?? "")")
    return String(decoding: machine.serialOutput, as: UTF8.self)
  }

  private func runQEMU(_ folder: Folder, _ arguments: [String], is64Bit: Bool = false) throws
    -> String
  {
    let serial = folder.url.appendingPathComponent("serial")
    try folder.execute(
      is64Bit ? ImageTests.qemu64! : ImageTests.qemu!,
      arguments + [
        "-display", "none", "-no-reboot", "-monitor", "none", "-serial", "file:\(serial.path)",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
      ], statuses: [0, 33])
    return try String(contentsOf: serial, encoding: .utf8)
  }

  private func differences(_ ours: String, _ theirs: String, lines: Int) {
    let a = ours.split(separator: "\n", omittingEmptySubsequences: false)
    let b = theirs.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(b.count >= lines, "QEMU printed next to nothing: \(theirs)")
    for index in 0..<max(a.count, b.count) {
      let (x, y) = (index < a.count ? a[index] : "(end)", index < b.count ? b[index] : "(end)")
      if x != y { Issue.record("line \(index + 1): ours `\(x)`, QEMU `\(y)`") }
    }
  }

  @Test(.enabled(if: ImageTests.qemu != nil, "qemu-system-i386 IS NOT INSTALLED. Run `make test`."))
  func disk_answers_as_QEMU_s() throws {
    let folder = try Folder()
    let file = try folder.build("disk")
    let contents = disk()
    let path = folder.url.appendingPathComponent("disk.img")
    try Data(contents).write(to: path)
    let machine = Machine(disks: [contents])
    try machine.load(ELFImage([UInt8](Data(contentsOf: file))))
    let theirs = try runQEMU(
      folder,
      [
        "-kernel", file.path, "-m", "64", "-drive",
        "file=\(path.path),format=raw,if=ide,snapshot=on",
      ])
    differences(output(machine), theirs, lines: 25)
  }

  @Test(.enabled(if: ImageTests.qemu != nil, "qemu-system-i386 IS NOT INSTALLED. Run `make test`."))
  func a_boot_sector_finds_the_BIOS_that_QEMU_has() throws {
    let folder = try Folder()
    let image = try folder.buildBootSector("bios")
    let contents = disk(from: 8, [UInt8](try Data(contentsOf: image)))
    let path = folder.url.appendingPathComponent("boot.img")
    try Data(contents).write(to: path)
    let machine = Machine(disks: [contents])
    try machine.bootDisk()
    let theirs = try runQEMU(
      folder, ["-m", "64", "-drive", "file=\(path.path),format=raw,if=ide,snapshot=on"])
    differences(output(machine), theirs, lines: 12)
    #expect(machine.screenLines[0] == "AB")
  }

  @Test(.enabled(if: ImageTests.qemu != nil, "qemu-system-i386 IS NOT INSTALLED. Run `make test`."))
  func clock_screen_and_ports_answer_as_QEMU_s() throws {
    let folder = try Folder()
    let file = try folder.build("clock")
    let machine = Machine()
    try machine.load(ELFImage([UInt8](Data(contentsOf: file))))
    differences(
      output(machine), try runQEMU(folder, ["-kernel", file.path, "-m", "64"]), lines: 20)
  }

  @Test(
    .enabled(if: ImageTests.qemu64 != nil, "qemu-system-x86_64 IS NOT INSTALLED. Run `make test`."))
  func entry_by_PVH_is_as_QEMU_s() throws {
    let folder = try Folder()
    let file = try folder.build("pvh")
    let machine = Machine()
    #expect(
      try machine.load(ELFImage([UInt8](Data(contentsOf: file))), commandLine: "one two") == .pvh)
    let theirs = try runQEMU(
      folder, ["-kernel", file.path, "-m", "64", "-append", "one two"], is64Bit: true)
    differences(output(machine), theirs, lines: 8)
  }

  /// 224 MB of junk cost neither that memory nor the sense of what is in it.
  @Test(.enabled(if: ImageTests.qemu != nil, "qemu-system-i386 IS NOT INSTALLED. Run `make test`."))
  func pages_of_junk_cost_next_to_nothing() throws {
    let folder = try Folder()
    let file = try folder.build("fill")
    let machine = Machine(ramBytes: 256 << 20)
    try machine.load(ELFImage([UInt8](Data(contentsOf: file))))
    let ours = output(machine)
    machine.compactMemory()
    #expect(machine.memory.hostBytes < 8 << 20)
    differences(ours, try runQEMU(folder, ["-kernel", file.path, "-m", "256"]), lines: 20)

    let kept = machine.checkpoint()
    #expect(kept.bytes.count < 4 << 20)
    let other = Machine(ramBytes: 256 << 20)
    #expect(other.restore(kept))
    machine.memory.setBase()
    other.memory.setBase()
    #expect(machine.memory.fingerprint == other.memory.fingerprint)
    for address in stride(from: UInt64(0), to: 256 << 20, by: 0x3018) {
      #expect(machine.memory.word(at: address) == other.memory.word(at: address))
    }
  }

  /// A machine that goes on from a checkpoint does what the one that it was taken of does.
  @Test(arguments: ["devices", "interrupts", "tasks", "paging"])
  func a_checkpoint_goes_on(image: String) throws {
    let folder = try Folder()
    let elf = try ELFImage([UInt8](Data(contentsOf: folder.build(image))))
    let whole = Machine()
    try whole.load(elf)
    let expected = output(whole)
    for instructions in [1000, 20_000, 150_000] {
      let first = Machine()
      try first.load(elf)
      guard first.runAll(limit: instructions).stop == .limit else { continue }
      let second = Machine()
      #expect(second.restore(first.checkpoint()))
      #expect(output(second) == expected, "\(image) from \(instructions)")
    }
  }
}

extension Folder {
  /// A boot sector with what is loaded behind it, as a disk begins with it.
  func buildBootSector(_ name: String) throws -> URL {
    let object = url.appendingPathComponent("\(name).o")
    let image = url.appendingPathComponent("\(name).bin")
    try execute(
      ImageTests.find("clang")!,
      [
        "--target=i686-unknown-none-elf", "-c", "-o", object.path,
        Folder.images.appendingPathComponent("\(name).S").path,
      ])
    try execute(
      ImageTests.find("ld.lld")!,
      [
        "-m", "elf_i386", "--oformat", "binary", "--image-base=0", "-Ttext=0x7c00", "-e", "start",
        "-o", image.path,
        object.path,
      ])
    return image
  }
}
