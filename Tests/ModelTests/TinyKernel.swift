import Emulator
import Model

/// A kernel of a few dozen instructions, made as an ELF image of machine code: one CPU in ring 0, a
/// main program, handlers for IRQ 0 and IRQ 1, a few variables and locks. Booted like any other.
struct TinyKernel {
  static let base: UInt64 = 0x10_0000
  /// Variables v0…v3, then locks.
  static let variables: UInt64 = 0x12_0000
  static let locks: UInt64 = 0x12_0100
  static let stackTop: UInt64 = 0x13_1000
  static let variableCount = 4
  static let lockCount = 2

  static let vectorCount = 96
  /// Set when the main program begins: the other CPUs wait for it.
  static let go: UInt64 = 0x12_0200
  private static let alive: UInt64 = 0x12_0204
  private static let trampoline: UInt32 = 0x8000

  let cpuCount: Int
  var image: [UInt8]
  var symbols: FixedSymbols

  /// - Parameters:
  ///   - main: code of the main program; runs after everything is set up, with IF=0.
  ///   - handlers: bodies of the handlers of IRQ 0, IRQ 1, …; registers are saved around them, EOI and
  ///     IRET follow.
  ///   - others: bodies for other vectors below 48 (NMI, exceptions, INT n); no EOI follows.
  ///   - functions: code that is emitted as it stands.
  ///   - processors: main programs of the other CPUs, which are started before the main program runs,
  ///     and wait until it does.
  ///   - messages: bodies for vectors 80, 81, …, which end with an EOI to the local APIC.
  init(
    main: (inout Assembler) -> Void, handlers: [(inout Assembler) -> Void],
    others: [(vector: Int, body: (inout Assembler) -> Void)] = [],
    functions: (inout Assembler) -> Void = { _ in },
    processors: [(inout Assembler) -> Void] = [], messages: [(inout Assembler) -> Void] = []
  ) {
    cpuCount = 1 + processors.count
    var a = Assembler(origin: TinyKernel.base)
    // Multiboot header: magic, flags, checksum. Multiboot specification 0.6.96 §3.1.1.
    a.word(0x1BAD_B002)
    a.word(0)
    a.word(0 &- 0x1BAD_B002)
    a.label("entry")
    a.jump(to: "init")
    a.align(8)
    a.label("gdt")
    a.bytes([0, 0, 0, 0, 0, 0, 0, 0])
    // Flat code and data, ring 0. Intel SDM Vol. 3A §3.4.5.
    a.bytes([0xFF, 0xFF, 0, 0, 0, 0x9A, 0xCF, 0])
    a.bytes([0xFF, 0xFF, 0, 0, 0, 0x92, 0xCF, 0])
    a.label("gdtr")
    a.bytes([23, 0])
    a.address(of: "gdt")
    a.align(8)
    a.label("idt")
    let idt = a.position
    for _ in 0..<TinyKernel.vectorCount { a.bytes([0, 0, 0, 0, 0, 0, 0, 0]) }
    a.label("idtr")
    let limit = TinyKernel.vectorCount * 8 - 1
    a.bytes([UInt8(limit & 0xFF), UInt8(limit >> 8)])
    a.address(of: "idt")
    a.align(16)

    a.label("spin_acquire")
    a.bytes([0x9C, 0x58, 0xFA])  // pushf; pop eax; cli
    a.bytes([0x8B, 0x4C, 0x24, 0x04])  // mov ecx, [esp+4]
    a.bytes([0xBA, 1, 0, 0, 0])  // mov edx, 1
    a.bytes([0x87, 0x11])  // xchg [ecx], edx
    a.bytes([0x85, 0xD2])  // test edx, edx
    a.bytes([0x75, 0xF5])  // jnz to the mov
    a.bytes([0xC3])
    a.label("spin_release")
    a.bytes([0x8B, 0x4C, 0x24, 0x04])  // mov ecx, [esp+4]
    a.bytes([0xC7, 0x01, 0, 0, 0, 0])  // mov dword [ecx], 0
    a.bytes([0xFF, 0x74, 0x24, 0x08])  // push dword [esp+8]
    a.bytes([0x9D, 0xC3])  // popf; ret

    for (i, body) in handlers.enumerated() {
      a.label("handler\(i)")
      a.bytes([0x60])  // pusha
      body(&a)
      a.bytes([0xB0, 0x20, 0xE6, 0x20])  // mov al, 0x20; out 0x20, al
      a.bytes([0x61, 0xCF])  // popa; iret
    }
    for other in others {
      a.label("vector\(other.vector)")
      a.bytes([0x60])  // pusha
      other.body(&a)
      a.bytes([0x61, 0xCF])  // popa; iret
    }
    for (i, body) in messages.enumerated() {
      a.label("message\(i)")
      a.bytes([0x60])  // pusha
      body(&a)
      a.storeAPIC(0xB0, 0)
      a.bytes([0x61, 0xCF])  // popa; iret
    }
    functions(&a)
    if !processors.isEmpty { TinyKernel.startUpCode(&a, processors) }
    a.label("trap")
    a.bytes([0xF4, 0xEB, 0xFD])  // hlt; jmp to the hlt

    a.label("init")
    a.bytes([0x0F, 0x01, 0x15])  // lgdt
    a.address(of: "gdtr")
    a.bytes([0x0F, 0x01, 0x1D])  // lidt
    a.address(of: "idtr")
    a.bytes([0xEA])  // ljmp 8:
    a.address(of: "flat")
    a.bytes([8, 0])
    a.label("flat")
    a.bytes([0xB8, 16, 0, 0, 0])  // mov eax, 16
    for segment: UInt8 in [0xD8, 0xC0, 0xD0, 0xE0, 0xE8] { a.bytes([0x8E, segment]) }
    a.bytes([0xBC])  // mov esp, stackTop
    a.word(UInt32(TinyKernel.stackTop))
    // 8259 pair: vectors 32 and 40, all lines open. Intel 8259A data sheet, ICW1–ICW4.
    for (port, value) in [
      (0x20, 0x11), (0x21, 32), (0x21, 4), (0x21, 1), (0xA0, 0x11), (0xA1, 40), (0xA1, 2),
      (0xA1, 1), (0x21, 0), (0xA1, 0),
    ] as [(UInt8, UInt8)] {
      a.bytes([0xB0, value, 0xE6, port])
    }
    if !processors.isEmpty { TinyKernel.startProcessors(&a, processors.count) }
    // Registers begin at zero, so that they differ between runs of a program only by its own doing.
    for r: UInt8 in [0, 1, 2, 3, 5, 6, 7] { a.bytes([0x31, 0xC0 | r << 3 | r]) }
    a.label("start")
    if !processors.isEmpty {
      a.bytes([0xC7, 0x05])  // mov dword [go], 1
      a.word(UInt32(TinyKernel.go))
      a.word(1)
    }
    main(&a)
    a.label("done")
    a.bytes([0xF4, 0xEB, 0xFD])  // hlt; jmp to the hlt
    a.resolve()
    for i in handlers.indices { a.gate(idt, vector: 32 + i, to: a.labels["handler\(i)"]!) }
    for i in messages.indices { a.gate(idt, vector: 80 + i, to: a.labels["message\(i)"]!) }
    for vector in 0..<32 { a.gate(idt, vector: vector, to: a.labels["trap"]!) }
    for other in others {
      a.gate(idt, vector: other.vector, to: a.labels["vector\(other.vector)"]!)
    }

    symbols = FixedSymbols(labels: a.labels, end: a.position)
    symbols.add("variables", TinyKernel.variables, size: 4 * TinyKernel.variableCount)
    for i in 0..<TinyKernel.lockCount {
      symbols.add("lock\(i)", TinyKernel.locks + UInt64(4 * i), size: 4)
    }
    image = TinyKernel.elf(a.code, entry: a.labels["entry"]!)
  }

  var prepared: PreparedImage {
    get throws { try PreparedImage(bytes: image, name: "tiny", symbols: symbols) }
  }

  /// A scenario over the handlers' sources, with the lock functions known.
  func scenario(arrivals: [Int?]) -> Scenario {
    var s = Scenario(name: "tiny", image: "tiny")
    s.memory = 2 << 20
    s.cpus = cpuCount
    s.start.symbol = "start"
    for (i, n) in arrivals.enumerated() {
      var source = Source(name: "source\(i)", line: i)
      source.arrivals = n
      s.sources.append(source)
    }
    s.locks = [LockDiscipline(acquire: ["spin_acquire"], release: ["spin_release"])]
    return s
  }

  /// What another CPU runs from its start-up message on: real mode, then protected mode, then, once
  /// the main program has begun, a program of its own.
  private static func startUpCode(
    _ a: inout Assembler, _ processors: [(inout Assembler) -> Void]
  ) {
    a.align(16)
    a.label("trampoline")
    // Real mode: cli; cld; xor ax,ax; mov ds,ax; lgdt [trampoline + 64]; mov eax,cr0; or al,1;
    // mov cr0,eax; jmp 8:other
    a.bytes([0xFA, 0xFC, 0x31, 0xC0, 0x8E, 0xD8])
    a.bytes([
      0x66, 0x0F, 0x01, 0x16, UInt8((trampoline + 64) & 0xFF), UInt8((trampoline + 64) >> 8),
    ])
    a.bytes([0x0F, 0x20, 0xC0, 0x0C, 0x01, 0x0F, 0x22, 0xC0])
    a.bytes([0x66, 0xEA])
    a.address(of: "other")
    a.bytes([8, 0])
    while a.position < a.labels["trampoline"]! + 64 { a.bytes([0x90]) }
    a.bytes([23, 0])
    a.address(of: "gdt")
    a.label("trampoline_end")
    a.label("other")
    a.bytes([0xB8, 16, 0, 0, 0])  // mov eax, 16
    for segment: UInt8 in [0xD8, 0xC0, 0xD0, 0xE0, 0xE8] { a.bytes([0x8E, segment]) }
    a.bytes([0xA1])  // mov eax, [APIC ID]
    a.word(0xFEE0_0020)
    a.bytes([0xC1, 0xE8, 24, 0x89, 0xC3, 0xC1, 0xE0, 13])  // shr eax,24; mov ebx,eax; shl eax,13
    a.bytes([0x8D, 0xA0])  // lea esp, [eax + stackTop]
    a.word(UInt32(stackTop))
    a.bytes([0x0F, 0x01, 0x1D])  // lidt
    a.address(of: "idtr")
    a.storeAPIC(0xF0, 0x1FF)
    a.bytes([0xF0, 0xFF, 0x05])  // lock inc dword [alive]
    a.word(UInt32(alive))
    a.label("other_waits")
    a.bytes([0xF3, 0x90, 0x83, 0x3D])  // pause; cmp dword [go], 0
    a.word(UInt32(go))
    a.bytes([0])
    a.branch(4, to: "other_waits")
    for i in processors.indices {
      a.bytes([0x83, 0xFB, UInt8(i + 1)])  // cmp ebx, i + 1
      a.branch(4, to: "main\(i + 1)")
    }
    for (i, body) in processors.enumerated() {
      a.label("main\(i + 1)")
      for r: UInt8 in [0, 1, 2, 3, 5, 6, 7] { a.bytes([0x31, 0xC0 | r << 3 | r]) }
      body(&a)
      a.label("done\(i + 1)")
      a.bytes([0xF4, 0xEB, 0xFD])  // hlt; jmp to the hlt
    }
  }

  private static func startProcessors(_ a: inout Assembler, _ count: Int) {
    a.bytes([0xBE])  // mov esi, trampoline
    a.address(of: "trampoline")
    a.bytes([0xBF])  // mov edi, its place
    a.word(trampoline)
    a.bytes([0xB9, 80, 0, 0, 0, 0xFC, 0xF3, 0xA4])  // mov ecx, 80; cld; rep movsb
    for i in 1...count {
      a.storeAPIC(0x310, UInt32(i) << 24)
      a.storeAPIC(0x300, 0x4500)
      a.storeAPIC(0x300, 0x4600 | trampoline >> 12)
      let label = a.freshLabel()
      a.label(label)
      a.bytes([0x83, 0x3D])  // cmp dword [alive], i
      a.word(UInt32(alive))
      a.bytes([UInt8(i)])
      a.branch(5, to: label)
    }
  }

  /// ELF32 with one segment. System V ABI, "ELF header" and "Program header".
  private static func elf(_ code: [UInt8], entry: UInt64) -> [UInt8] {
    var f: [UInt8] = []
    func u16(_ v: Int) { f += [UInt8(v & 0xFF), UInt8(v >> 8)] }
    func u32(_ v: UInt64) { for i in 0..<4 { f.append(UInt8(v >> UInt64(8 * i) & 0xFF)) } }
    f += [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    u16(2)
    u16(3)
    u32(1)
    u32(entry)
    u32(52)
    u32(0)
    u32(0)
    u16(52)
    u16(32)
    u16(1)
    u16(40)
    u16(0)
    u16(0)
    u32(1)
    u32(84)
    u32(base)
    u32(base)
    u32(UInt64(code.count))
    u32(0x4_0000)
    u32(7)
    u32(4)
    return f + code
  }
}

/// Just enough of an assembler: bytes, labels, and 32-bit references to them.
struct Assembler {
  let origin: UInt64
  var code: [UInt8] = []
  var labels: [String: UInt64] = [:]
  private var references: [(at: Int, label: String, relative: Bool)] = []
  private var fresh = 0

  init(origin: UInt64) { self.origin = origin }

  var position: UInt64 { origin + UInt64(code.count) }

  mutating func bytes(_ b: [UInt8]) { code += b }
  mutating func word(_ v: UInt32) {
    for i in 0..<4 { code.append(UInt8(truncatingIfNeeded: v >> UInt32(8 * i))) }
  }
  mutating func align(_ n: Int) { while code.count % n != 0 { code.append(0x90) } }
  mutating func label(_ name: String) { labels[name] = position }
  mutating func freshLabel() -> String {
    fresh += 1
    return ".L\(fresh)"
  }
  mutating func address(of label: String) {
    references.append((code.count, label, false))
    word(0)
  }
  mutating func jump(to label: String) {
    bytes([0xE9])
    references.append((code.count, label, true))
    word(0)
  }
  mutating func branch(_ condition: UInt8, to label: String) {
    bytes([0x0F, 0x80 | condition])
    references.append((code.count, label, true))
    word(0)
  }
  mutating func call(_ label: String) {
    bytes([0xE8])
    references.append((code.count, label, true))
    word(0)
  }
  /// Stores to a register of the local APIC.
  mutating func storeAPIC(_ offset: UInt32, _ value: UInt32) {
    bytes([0xC7, 0x05])
    word(0xFEE0_0000 + offset)
    word(value)
  }
  mutating func resolve() {
    for r in references {
      let target = labels[r.label]!
      let value =
        r.relative
        ? UInt32(truncatingIfNeeded: target &- (origin + UInt64(r.at + 4)))
        : UInt32(truncatingIfNeeded: target)
      for i in 0..<4 { code[r.at + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
    }
    references = []
  }
  /// A 32-bit interrupt gate in ring 0. Intel SDM Vol. 3A §6.11.
  mutating func gate(_ idt: UInt64, vector: Int, to handler: UInt64) {
    let at = Int(idt - origin) + vector * 8
    let h = UInt32(handler)
    let b: [UInt8] = [
      UInt8(h & 0xFF), UInt8(h >> 8 & 0xFF), 8, 0, 0, 0x8E, UInt8(h >> 16 & 0xFF), UInt8(h >> 24),
    ]
    for i in 0..<8 { code[at + i] = b[i] }
  }
}

/// Symbols known from the start, without debug information.
final class FixedSymbols: Symbolizer {
  private var sorted: [(name: String, address: UInt64, size: Int)] = []

  init(labels: [String: UInt64], end: UInt64) {
    let named = labels.filter { !$0.key.hasPrefix(".") }.sorted { $0.value < $1.value }
    for (i, entry) in named.enumerated() {
      let next = i + 1 < named.count ? named[i + 1].value : end
      sorted.append((entry.key, entry.value, Int(next - entry.value)))
    }
  }

  func add(_ name: String, _ address: UInt64, size: Int) { sorted.append((name, address, size)) }

  func symbol(named name: String) -> (address: UInt64, size: Int)? {
    sorted.first { $0.name == name }.map { ($0.address, $0.size) }
  }
  func symbol(containing address: UInt64) -> (name: String, address: UInt64, size: Int)? {
    sorted.first { $0.address <= address && address < $0.address + UInt64($0.size) }
  }
  func location(of address: UInt64) -> (location: SourceLocation, inlined: [String])? { nil }
  func unwind(
    pc: UInt64, sp: UInt64, bp: UInt64, read: (UInt64) -> UInt64?
  ) -> (pc: UInt64, sp: UInt64, bp: UInt64)? { nil }
  var symbolNames: [String] { sorted.map(\.name) }
}
