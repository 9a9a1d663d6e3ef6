import Foundation
import Testing

/// `check --image`: boots, what is kept of them, and what is said of images and flags that are wrong.
/// Only with `LOCKLAB_LONG` set: the search of this kernel was not seen to end.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["LOCKLAB_LONG"] != nil))
struct WholeImageTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  /// Fills memory as kernels do, counts for a while, comes to `ready`.
  private static let longBoot = """
      movl $0x400000, %ebx
    1: movl %ebx, %edi
      movl $0x01010101, %eax
      movl $1024, %ecx
      rep stosl
      movl %edx, (%ebx)
      movl %ebx, %edx
      addl $4096, %ebx
      cmpl $0x1000000, %ebx
      jb 1b
    .globl ready
    ready:
      sti
    2: hlt
      jmp 2b
    """

  private func check(_ arguments: String..., cache: String = "cache") throws -> Outcome {
    try workshop.run(
      workshop.process(
        ["check", "--progress", "none"] + arguments,
        environment: ["XDG_CACHE_HOME": workshop.path(cache)]))
  }

  private func boots() -> [String] {
    ((try? FileManager.default.contentsOfDirectory(
      atPath: workshop.path("cache/locklab/boots"))) ?? []).sorted()
  }

  @Test func a_boot_is_executed_once() throws {
    try TinyKernel.write(body: Self.longBoot, to: "kernel", in: workshop)
    let first = try check("--image", "kernel.elf", "--from", "ready")
    #expect(first.status == 0, "\(first)")
    #expect(!first.output.contains("checkpoint"))
    #expect(boots().count == 1)
    let second = try check("--image", "kernel.elf", "--from", "ready")
    #expect(second.status == 0)
    #expect(second.output.contains("Started from a checkpoint of the boot ("))

    // Without it, and from another symbol.
    let without = try check("--image", "kernel.elf", "--from", "ready", "--no-boot-cache")
    #expect(!without.output.contains("checkpoint"))
    #expect(try !check("--image", "kernel.elf", "--from", "timer").output.contains("Started from"))

    // Cut off, or full of something else: said, and made again.
    for damage in [Data("nonsense".utf8), Data(count: 100_000)] {
      for name in boots() {
        try damage.write(to: URL(fileURLWithPath: workshop.path("cache/locklab/boots/\(name)")))
      }
      let third = try check("--image", "kernel.elf", "--from", "ready")
      #expect(third.status == 0)
      #expect(third.output.contains("was damaged and is made again"))
      #expect(
        try check("--image", "kernel.elf", "--from", "ready").output.contains("Started from"))
    }

    // A folder that cannot be written is done without.
    try workshop.write("file", "")
    let nowhere = try check("--image", "kernel.elf", "--from", "ready", cache: "file")
    #expect(nowhere.status == 0 && nowhere.errors == "")
  }

  @Test func sources_are_listed() throws {
    try TinyKernel.write(body: Self.longBoot, to: "kernel", in: workshop)
    let outcome = try check("--image", "kernel.elf", "--from", "ready")
    #expect(
      outcome.output.contains("Sources, as the image has programmed them: timer (line 0, vector"))
  }

  private func refusal(_ arguments: String...) throws -> String {
    let outcome = try workshop.run(workshop.process(["check", "--progress", "none"] + arguments))
    #expect(outcome.status == 3, "\(outcome)")
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.count == 1, "\(outcome.errors)")
    return outcome.errors
  }

  @Test func one_clear_line() throws {
    try TinyKernel.write(body: Self.longBoot, to: "kernel", in: workshop)
    #expect(
      try refusal("--image", "kernel.elf", "--boot", "pvh").contains(
        "no PVH entry: a PT_NOTE segment"))
    #expect(
      try refusal("--image", "kernel.elf", "--boot", "multiboot2").contains("no multiboot2 header"))
    #expect(
      try refusal("--image", "kernel.elf", "--boot", "disk").contains(
        "there is no disk to boot from"))
    #expect(
      try refusal("--image", "kernel.elf", "--disk", "none.img").contains("none.img: no such file"))
    try workshop.write("small.img", "too small")
    #expect(
      try refusal("--image", "kernel.elf", "--boot", "disk", "--disk", "small.img")
        .contains("the disk image has 9 bytes, less than a sector"))
    try workshop.write("blank.img", bytes: [UInt8](repeating: 0, count: 4096))
    #expect(
      try refusal("--image", "kernel.elf", "--boot", "disk", "--disk", "blank.img")
        .contains("the disk's first sector ends with 0h, not with the boot signature AA55h"))
    var sector = [UInt8](repeating: 0xF4, count: 512)
    sector[510] = 0x55
    sector[511] = 0xAA
    try workshop.write("boot.img", bytes: sector)
    #expect(
      try refusal("--image", "boot.img").contains(
        "it looks like a bootable disk: give its kernel's"))
    #expect(
      try refusal(
        "--image", "kernel.elf", "--boot", "disk", "--disk", "boot.img", "--from", "ready"
      ).contains("the kernel halted with nothing to wake it before it reached `ready`"))
    #expect(
      try refusal("--image", "kernel.elf", "--from-text", "never", "--from", "ready")
        .contains("before it reached the serial output `never`"))
    #expect(
      try refusal("--image", "kernel.elf", "--memory", "4G").contains("are more than the 3G below"))
    #expect(
      try refusal("--image", "kernel.elf", "--until", "raedy").contains("did you mean 'ready'?"))
  }

  @Test(arguments: [
    ["--from-text", "x"], ["--until", "x"], ["--boot", "elf"], ["--disk", "x"], ["--cpus", "2"],
    ["--memory", "1M"], ["--command-line", "x"], ["--image", "k", "--hits", "2"],
    ["--image", "k", "--from", "x", "--hits", "0"], ["--image", "k", "--cpus", "9"],
    ["--image", "k", "--boot", "floppy"],
    ["--image", "k", "--disk", "a", "--disk", "b", "--disk", "c"],
  ])
  func wrong_use(arguments: [String]) throws {
    let outcome = try workshop.run(workshop.process(["check"] + arguments))
    #expect(outcome.status == 64)
  }

  /// What is not modelled: what, where, how often, and what to do.
  @Test func an_unknown_device_is_named() throws {
    try TinyKernel.write(
      body:
        "ready:\n  .globl ready\n  sti\n  movw $0x278, %dx\n  movb $7, %al\n  outb %al, %dx\n1: hlt\n  jmp 1b",
      to: "kernel", in: workshop)
    let outcome = try check("--image", "kernel.elf", "--from", "ready", "--format", "json")
    #expect(outcome.status == 2)
    let note = "not modelled: OUT of 0x7 to port 0x278, 1 byte at ready+0x7 ("
    #expect(outcome.output.contains(note), "\(outcome.output)")
    #expect(outcome.output.contains("kernel.S:"))
    #expect(outcome.output.contains("patch the access away"))
    #expect(outcome.output.contains("path not followed"))
  }
}
