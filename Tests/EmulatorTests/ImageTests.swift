import Emulator
import Foundation
import Testing

/// The images under `Images`, built with clang and ld.lld, on our machine and on QEMU: what they
/// print over COM1 must be the same.
///
/// Left out of the comparison, because QEMU (7.2) does not do there what the manual says, and tested
/// against the manual alone by `manual.S`: segment limits and access rights, null segments, EIP
/// beyond the limit of CS at IRET and at gates, absent inner and outer stack segments (#SS, not #TS
/// or #NP), a task gate whose TSS lies in the LDT (#GP, not #TS), the EXT bit, LTR of a null
/// selector, the accessed bit of code segments. By `BoundaryTests`: the shadow of STI with IF set,
/// NMI. By `DeviceTests`: the timer's status before a count is loaded and its output in mode 2.
/// QEMU looks at its interrupt requests after OCW3 only when something else makes it:
/// `interrupts.S` writes the mask again.
@Suite struct ImageTests {
  static let qemu = find("qemu-system-i386")
  static let qemu64 = find("qemu-system-x86_64")

  static func find(_ name: String) -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
    let swift = path.split(separator: ":").map(String.init)
    return swift.map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  @Test(
    .enabled(
      if: qemu != nil,
      "qemu-system-i386 IS NOT INSTALLED: nothing was compared with it. Run `make test`."),
    arguments: ["gates", "iret", "far", "paging", "tasks", "interrupts", "devices"])
  func prints_what_QEMU_prints(image: String) throws {
    let folder = try Folder()
    let file = try folder.build(image)
    let ours = try run(file)
    let theirs = try runQEMU(file, folder)
    compare(ours, theirs, "QEMU")
  }

  /// Four CPUs, of which one prints.
  @Test(
    .enabled(
      if: qemu != nil,
      "qemu-system-i386 IS NOT INSTALLED: nothing was compared with it. Run `make test`."),
    arguments: [64, 7, 1000])
  func four_CPUs_print_what_QEMU_prints(quantum: Int) throws {
    let folder = try Folder()
    let file = try folder.build("smp")
    let machine = Machine(cpuCount: 4)
    try machine.loadMultiboot(ELFImage([UInt8](Data(contentsOf: file))))
    let (stop, cpu) = machine.runAll(limit: 20_000_000, quantum: quantum)
    #expect(stop == .exit, "CPU \(cpu) stopped with \(stop): \(machine.unmodelled ?? "")")
    let theirs = try runQEMU(file, folder, ["-smp", "4,sockets=4"])
    compare(String(decoding: machine.serialOutput, as: UTF8.self), theirs, "QEMU")
  }

  /// The same in 64-bit mode and with PAE. The image is loaded as the ELF64 file that it is here, and as the same
  /// bytes in an ELF32 file by QEMU, which refuses ELF64 with a multiboot header.
  ///
  /// Left out of the comparison and tested against the manual alone by `LongModeTests`, because QEMU
  /// (7.2) does otherwise: #SS instead of #GP for stack addresses that are not canonical; branches to
  /// such addresses, which fault before they are taken; SYSRET to one; WRMSR of one, LIDT and LGDT of
  /// one; a null SS with another privilege level; CR4.PAE and EFER.LME, which stay while IA-32e mode is
  /// active; the second half of system descriptors; the P bit of #PF for reserved bits; error codes of gates,
  /// which have the vector times 8, not 16; SS, which stays with a stack of the table in the same ring; the
  /// alignment that FXSAVE demands, and the bits of MXCSR that FXRSTOR refuses.
  @Test(
    .enabled(
      if: qemu64 != nil,
      "qemu-system-x86_64 IS NOT INSTALLED: nothing was compared with it. Run `make test`."),
    arguments: ["paging64", "gates64", "calls64", "pae"])
  func prints_what_QEMU_prints_in_64_bit_mode(image: String) throws {
    let folder = try Folder()
    let is64Bit = image.hasSuffix("64")
    let file = try folder.build(image, is64Bit: is64Bit)
    let narrow = is64Bit ? try folder.narrowed(file) : file
    compare(try run(file), try runQEMU(narrow, folder, is64Bit: true), "QEMU")
  }

  @Test func prints_what_the_manual_says() throws {
    let folder = try Folder()
    let ours = try run(try folder.build("manual"))
    let expected = try String(
      contentsOf: Folder.images.appendingPathComponent("manual.expected"), encoding: .utf8)
    compare(ours, expected, "the manual")
  }

  /// An observed run takes other paths through every store: it must print the same, its fingerprint
  /// must be that of the contents, and undoing it must bring the contents back.
  @Test(arguments: [
    "gates", "iret", "far", "paging", "tasks", "manual", "paging64", "gates64", "calls64", "pae",
  ])
  func observed_run_prints_the_same_and_can_be_undone(image: String) throws {
    let folder = try Folder()
    let file = try folder.build(image, is64Bit: image.hasSuffix("64"))
    let machine = Machine()
    try machine.loadMultiboot(ELFImage([UInt8](Data(contentsOf: file))))
    machine.memory.setBase()
    let before = machine.memory.fingerprint
    var stop = Stop.limit
    while stop == .limit || stop == .event || stop == .visible {
      stop = machine.run(cpu: 0, limit: 5_000_000, passFirst: true)
    }
    #expect(
      stop == .exit || stop == .shutdown, "stopped with \(stop): \(machine.unmodelled ?? "")")
    compare(String(decoding: machine.serialOutput, as: UTF8.self), try run(file), "a plain run")
    let kept = machine.memory.fingerprint
    machine.memory.undo(to: 0)
    machine.memory.setBase()
    #expect(machine.memory.fingerprint == before)

    let second = Machine()
    try second.loadMultiboot(ELFImage([UInt8](Data(contentsOf: file))))
    second.memory.setBase()
    stop = .limit
    while stop == .limit || stop == .event || stop == .visible {
      stop = second.run(cpu: 0, limit: 5_000_000, passFirst: true)
    }
    #expect(second.memory.fingerprint == kept)
    second.memory.setBase()
    #expect(second.memory.fingerprint == kept, "computed afresh from the contents")
  }

  /// The first lines that differ, with the headline of their test.
  func compare(_ ours: String, _ theirs: String, _ whose: String) {
    let a = ours.split(separator: "\n", omittingEmptySubsequences: false)
    let b = theirs.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(b.count > 20, "\(whose) printed next to nothing")
    var headline: Substring = ""
    var reported = 0
    for index in 0..<max(a.count, b.count) where reported < 5 {
      let (x, y) = (index < a.count ? a[index] : "(end)", index < b.count ? b[index] : "(end)")
      if x.hasPrefix("#") { headline = x }
      if x != y {
        Issue.record("line \(index + 1), \(headline)\n ours: \(x)\n \(whose): \(y)")
        reported += 1
      }
    }
  }

  func run(_ file: URL) throws -> String {
    let machine = Machine()
    try machine.loadMultiboot(ELFImage([UInt8](Data(contentsOf: file))))
    let stop = machine.run(cpu: 0, limit: 5_000_000)
    #expect(
      stop == .exit || stop == .shutdown, "stopped with \(stop): \(machine.unmodelled ?? "")")
    return String(decoding: machine.serialOutput, as: UTF8.self)
  }

  func runQEMU(
    _ file: URL, _ folder: Folder, is64Bit: Bool = false, _ more: [String] = []
  ) throws -> String {
    let serial = folder.url.appendingPathComponent("serial")
    // Its exit status is odd by construction of isa-debug-exit, and 0 after a triple fault.
    try folder.execute(
      is64Bit ? Self.qemu64! : Self.qemu!,
      (is64Bit ? ["-cpu", "max,vendor=GenuineIntel"] : []) + [
        "-kernel", file.path, "-m", "64", "-display", "none", "-no-reboot", "-monitor", "none",
        "-serial", "file:\(serial.path)", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
      ] + more, statuses: [0, 33])
    return try String(contentsOf: serial, encoding: .utf8)
  }
}

/// A temporary folder in which images are built.
final class Folder {
  static let images = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Images")
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("locklab-images-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Assembles and links an image.
  func build(_ name: String, is64Bit: Bool = false) throws -> URL {
    let object = url.appendingPathComponent("\(name).o")
    let image = url.appendingPathComponent("\(name).elf")
    guard let clang = ImageTests.find("clang"), let linker = ImageTests.find("ld.lld") else {
      throw Failure(description: "clang and ld.lld are needed; both come with the Swift toolchain")
    }
    try execute(
      clang,
      [
        "--target=\(is64Bit ? "x86_64" : "i686")-unknown-none-elf", "-c", "-o", object.path,
        Folder.images.appendingPathComponent("\(name).S").path,
      ])
    try execute(
      linker,
      [
        "-m", is64Bit ? "elf_x86_64" : "elf_i386", "-n", "-T",
        Folder.images.appendingPathComponent(is64Bit ? "image64.ld" : "image.ld").path,
        "-o", image.path, object.path,
      ])
    return image
  }

  /// An ELF64 image's contents in an ELF32 file.
  func narrowed(_ image: URL) throws -> URL {
    guard let copy = ImageTests.find("llvm-objcopy") ?? ImageTests.find("objcopy") else {
      throw Failure(description: "llvm-objcopy is needed; it comes with the Swift toolchain")
    }
    let result = image.deletingPathExtension().appendingPathExtension("elf32")
    try execute(copy, ["-O", "elf32-i386", image.path, result.path])
    return result
  }

  func execute(_ tool: String, _ arguments: [String], statuses: Set<Int32> = [0]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: tool)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let deadline = DispatchWorkItem { process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + 60, execute: deadline)
    let errors = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    deadline.cancel()
    guard statuses.contains(process.terminationStatus) else {
      throw Failure(
        description: "\(tool) exited with \(process.terminationStatus): "
          + String(decoding: errors, as: UTF8.self))
    }
  }
}
