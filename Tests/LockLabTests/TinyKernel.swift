import Foundation

/// The smallest kernels that can be explored: they boot by multiboot, set up an IDT and the
/// interrupt controllers, and come to one symbol.
enum TinyKernel: String, CaseIterable {
  /// Waits for interrupts, rightly: clean.
  case idle
  /// Halts with interrupts off: interrupts are lost.
  case broken
  /// Its timer counts to 2^32: nobody gets to the last state.
  case endless

  struct Failed: Error { var message: String }

  /// Compiles the kernel to `FOLDER/NAME.elf`; its path.
  func build(in workshop: Workshop, name: String? = nil) throws -> String {
    try Self.write(body: body, to: name ?? rawValue, in: workshop)
  }

  /// Compiles a kernel that goes on with this code after its setup, and whose timer runs `handler`;
  /// its path.
  @discardableResult
  static func write(
    body: String, handler: String = "  incl counter", to name: String, in workshop: Workshop
  ) throws -> String {
    let source = workshop.path("\(name).S")
    let image = workshop.path("\(name).elf")
    try Self.source(body: body, handler: handler).write(
      toFile: source, atomically: true, encoding: .utf8)
    let object = workshop.path("\(name).o")
    try Self.run(["clang", "-target", "i686-unknown-none-elf", "-g", "-c", source, "-o", object])
    try Self.run([
      "ld.lld", "-m", "elf_i386", "-static", "-n", "-e", "_start", "--image-base=0x100000",
      "-Ttext=0x100000", object, "-o", image,
    ])
    return image
  }

  /// Runs a tool, in a folder if one is given.
  static func run(_ arguments: [String], in folder: URL? = nil) throws {
    let process = Process()
    process.currentDirectoryURL = folder
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    // A file, not a pipe: reading from one is not taken up again after a signal.
    let errors = FileManager.default.temporaryDirectory
      .appendingPathComponent("locklab-tool-\(UUID().uuidString)")
    try Data().write(to: errors)
    defer { try? FileManager.default.removeItem(at: errors) }
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    let message = try Data(contentsOf: errors)
    guard process.terminationStatus == 0 else {
      throw Failed(message: String(decoding: message, as: UTF8.self))
    }
  }

  private var body: String {
    switch self {
    case .idle: "idle:\n  sti\n1: hlt\n  jmp 1b"
    case .broken: "broken:\n  cli\n1: hlt\n  jmp 1b"
    case .endless: "endless:\n  sti\n1: hlt\n  jmp 1b"
    }
  }

  /// A kernel that comes to this code once all is set up.
  static func source(body: String, handler: String = "  incl counter") -> String {
    source.replacing("@BODY@", with: body).replacing("@HANDLER@", with: handler)
  }

  private static let source = """
    .section .text
    .long 0x1BADB002, 0, -0x1BADB002
    .globl _start, timer, endless, idle, broken, start
    _start:
      movl $stack_top, %esp
      lgdt gdt_pointer
      ljmp $8, $1f
    1:
      movl $16, %eax
      movl %eax, %ds
      movl %eax, %es
      movl %eax, %ss
      movl $timer, %eax
      movw %ax, idt + 32 * 8
      movw $8, idt + 32 * 8 + 2
      movw $0x8E00, idt + 32 * 8 + 4
      shrl $16, %eax
      movw %ax, idt + 32 * 8 + 6
      lidt idt_pointer
      movb $0x11, %al
      outb %al, $0x20
      outb %al, $0xA0
      movb $32, %al
      outb %al, $0x21
      movb $40, %al
      outb %al, $0xA1
      movb $4, %al
      outb %al, $0x21
      movb $2, %al
      outb %al, $0xA1
      movb $1, %al
      outb %al, $0x21
      outb %al, $0xA1
      movb $0xFE, %al
      outb %al, $0x21
      movb $0xFF, %al
      outb %al, $0xA1
    @BODY@
    timer:
      pushl %eax
    @HANDLER@
      movb $0x20, %al
      outb %al, $0x20
      popl %eax
      iret
    .section .data
    .balign 8
    gdt: .quad 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
    gdt_pointer: .word 23; .long gdt
    idt: .fill 48, 8, 0
    idt_pointer: .word 48 * 8 - 1; .long idt
    counter: .long 0
    .section .bss
    .balign 16
    stack: .skip 4096
    stack_top:
    """
}

extension Workshop {
  /// A job file over tiny kernels: each scenario is named after its kernel and expects what is said.
  func writeJob(_ expectations: [(TinyKernel, String)], name: String = "locklab.yml") throws {
    var text = "version: 1\nimages:\n"
    for (kernel, _) in expectations {
      _ = try kernel.build(in: self)
      text += "  \(kernel): {file: \(kernel).elf}\n"
    }
    text += "scenarios:\n"
    for (kernel, expectation) in expectations {
      text += """
          - name: \(kernel)
            image: \(kernel)
            start: {symbol: \(kernel)}
            sources: \(kernel == .endless ? "[{name: timer, line: 0}]" : "[]")
            expect: \(expectation)
            covers: [M5]

        """
    }
    try write(name, text)
  }
}
