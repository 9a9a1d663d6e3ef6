import Emulator

/// The small loader that runs a scenario's `calls`: descriptor tables, stacks, and machine code that
/// calls the functions and enters the handlers. It lies in guest memory, beside the image, and the
/// machine executes it like everything else.
struct Harness {
  /// The image with the loader's names, at the physical addresses where it is loaded.
  let image: PreparedImage
  /// Instruction pointer of each CPU while it is halted because all its calls have returned.
  let rest: [UInt64]
  /// Stacks: name, lowest address, end.
  let stacks: [(name: String, low: UInt64, high: UInt64)]

  private let scenario: Scenario
  private let layout: HarnessLayout
  private let perCPU: PerCPUCopies?
  private let code: CodeWriter
  private let starts: [UInt64]
  /// Handler of each vector; 0: none.
  private let gates: [UInt64]
  private let tables: PageTables?
  private let tablesBase: UInt64
  private let routes: [(line: Int, cpu: Int, vector: Int)]

  private var is64Bit: Bool { image.elf.is64Bit }

  /// Lines that sources with a function and no line of their own are given, in this order.
  static let freeLines = [3, 4, 5, 6, 7, 9, 10, 11, 13, 14, 15, 8, 1, 12]

  init(scenario: Scenario, image original: PreparedImage) throws {
    let ram = UInt64(scenario.memory)
    let elf = try Harness.placed(original.elf, ram: ram, scenario: scenario.name)
    let is64Bit = elf.is64Bit
    let convention = scenario.convention ?? .cdecl
    let calls = scenario.calls ?? []
    func fail(_ what: String) -> ScenarioError {
      ScenarioError("scenario `\(scenario.name)`: \(what)")
    }
    func address(_ name: String, _ what: String) throws -> UInt64 {
      if let symbol = original.symbols.symbol(named: name) { return symbol.address }
      let near = nearestNames(to: name, among: original.symbols.symbolNames)
      throw fail(
        "image `\(original.name)` has no symbol `\(name)` (\(what))"
          + (near.isEmpty ? "" : "; similar names: " + near.joined(separator: ", ")))
    }
    func value(_ argument: CallArgument) throws -> UInt64 {
      let number = UInt64(bitPattern: argument.number)
      return try argument.symbol.map { try address($0, "argument") &+ number } ?? number
    }

    // The code is written twice: its size decides where what follows it lies, not where it does itself.
    let stackBytes = calls.reduce(0) { $0 + ($1.stack + 4095) & ~4095 } + scenario.cpus * 4096
    let count = calls.reduce(0) { $0 + $1.calls.reduce(0) { $0 + min($1.times, 16) } }
    let handlers = scenario.sources.count + (scenario.handlers?.count ?? 0)
    let codeBytes = (count * 256 + handlers * 256 + 8192 + 4095) & ~4095
    let tableBytes =
      4096 * (16 + Int(ram >> 21) / 512)
      + elf.segments.reduce(0) { $0 + Int($1.memorySize >> 21 + 4) * 4096 }
    let copies = try scenario.perCPU.map { try PerCPUCopies($0, scenario, elf, original) }
    let copyBytes = (copies?.bytes ?? 0) * scenario.cpus
    let size = UInt64(8192 + codeBytes + tableBytes + stackBytes + copyBytes)
    let taken = elf.segments.map { $0.physical..<($0.physical + $0.memorySize) }
    let above = ((taken.map(\.upperBound).max() ?? 0) + 0xFFF) & ~0xFFF
    guard
      let base = [0x1_0000, above].first(where: { base in
        base + size <= (base == 0x1_0000 ? 0x9_F000 : ram)
          && !taken.contains { $0.overlaps(base..<base + size) }
      })
    else {
      throw fail("the image and the stacks of the calls do not fit into memory; raise `memory:`")
    }
    let layout = HarnessLayout(base: base)
    var rest: [UInt64] = []
    var stacks: [(name: String, low: UInt64, high: UInt64)] = []
    var starts: [UInt64] = []
    var routes: [(line: Int, cpu: Int, vector: Int)] = []
    var tables: PageTables?
    var code = CodeWriter(is64Bit: is64Bit, convention: convention, base: layout.code)
    var named: [(name: String, address: UInt64, size: Int)] = []
    func name(_ name: String, from start: UInt64) {
      named.append((name, start, Int(code.here - start)))
    }

    // Exceptions that nobody handles come to a halt here: the rule has spoken before.
    let unexpected = code.here
    _ = code.rest()
    named.append(("locklab_unexpected_exception", unexpected, 3))
    var gates: [UInt64] = Array(repeating: 0, count: 256)
    for vector in 0..<32 { gates[vector] = unexpected }

    func handle(
      _ vector: Int, _ function: String, _ arguments: [CallArgument], endsInterrupt: Bool
    ) throws {
      code.align(16)
      let start = code.here
      code.entry(
        try address(function, "handler"), try arguments.map(value),
        hasErrorCode: [8, 10, 11, 12, 13, 14, 17, 21].contains(vector),
        endsInterrupt: endsInterrupt)
      name("locklab_entry_\(vector)", from: start)
      gates[vector] = start
    }
    for handler in scenario.handlers ?? [] {
      try handle(
        handler.vector, handler.function, handler.arguments, endsInterrupt: handler.endsInterrupt)
    }
    var lines = Set(scenario.sources.compactMap(\.line))
    for source in scenario.sources {
      guard let function = source.function else {
        throw fail("source `\(source.name)` needs the `function` that handles it")
      }
      let vector: Int
      if source.nmi {
        vector = 2
      } else if source.machineCheck {
        vector = 18
      } else {
        guard let line = source.line ?? Harness.freeLines.first(where: { !lines.contains($0) })
        else { throw fail("more sources than there are interrupt lines") }
        lines.insert(line)
        vector = source.vector ?? 0x20 + line
        routes.append((line, source.cpu, vector))
      }
      guard gates[vector] == 0 || gates[vector] == unexpected else {
        throw fail("vector \(vector) of source `\(source.name)` has another handler already")
      }
      try handle(
        vector, function, source.arguments ?? [], endsInterrupt: !source.nmi && !source.machineCheck
      )
    }

    var stackBase = layout.code + UInt64(codeBytes + tableBytes)
    for cpu in 0..<scenario.cpus {
      code.align(16)
      starts.append(code.here)
      let start = code.here
      let list = calls.first { $0.cpu == cpu }
      let bytes = UInt64(((list?.stack ?? 4096) + 15) & ~15)
      let pages = (bytes + 0xFFF) & ~0xFFF
      // At the end of its pages, so that the size is exact.
      stacks.append(("stack of CPU \(cpu)", stackBase + pages - bytes, stackBase + pages))
      named.append(("locklab_stack_\(cpu)", stackBase + pages - bytes, Int(bytes)))
      stackBase += pages
      let startsOn = list?.interrupts ?? true
      // STI.
      if startsOn { code.put(0xFB) }
      for call in list?.calls ?? [] {
        let function = try address(call.function, "calls")
        let arguments = try call.arguments.map(value)
        if call.times > 16 {
          code.callRepeatedly(function, arguments, times: call.times)
        } else {
          for _ in 0..<call.times { code.call(function, arguments) }
        }
      }
      if !startsOn { code.put(0xFB) }
      name("locklab_calls_\(cpu)", from: start)
      let restStart = code.here
      rest.append(code.rest())
      named.append(("locklab_done_\(cpu)", restStart, 3))
    }
    precondition(code.bytes.count <= codeBytes)

    let tablesBase = layout.code + UInt64(codeBytes)
    if is64Bit || elf.segments.contains(where: { $0.virtual != $0.physical }) {
      var made = PageTables(is64Bit: is64Bit, base: tablesBase)
      let large: UInt64 = is64Bit ? 1 << 21 : 1 << 22
      var at: UInt64 = 0
      while at < ram {
        made.map(at, to: at, large: true)
        at += large
      }
      // The APICs' registers.
      made.map(0xFEC0_0000, to: 0xFEC0_0000, large: true)
      if is64Bit { made.map(0xFEE0_0000, to: 0xFEE0_0000, large: true) }
      for segment in elf.segments where segment.virtual != segment.physical {
        var offset: UInt64 = 0
        let first = segment.virtual & ~0xFFF
        let physical = segment.physical & ~0xFFF
        while first &+ offset < segment.virtual &+ segment.memorySize {
          made.map(first &+ offset, to: physical + offset, large: false)
          offset += 4096
          if first &+ offset < first { break }
        }
      }
      guard made.words.count * 8 <= tableBytes else {
        throw fail("the image's segments need more page tables than there is room for")
      }
      tables = made
    }
    perCPU = copies?.placed(at: stackBase)
    self.scenario = scenario
    self.layout = layout
    self.rest = rest
    self.stacks = stacks
    self.starts = starts
    self.routes = routes
    self.code = code
    self.gates = gates
    self.tables = tables
    self.tablesBase = tablesBase
    self.image = PreparedImage(
      original, elf: elf, symbols: HarnessSymbols(base: original.symbols, names: named))
  }

  /// The image at physical addresses that there are: where its headers say, if that is in memory.
  private static func placed(_ elf: ELFImage, ram: UInt64, scenario: String) throws -> ELFImage {
    var next: UInt64 = 0x10_0000
    for segment in elf.segments {
      let (end, overflows) = segment.physical.addingReportingOverflow(segment.memorySize)
      if !overflows, end <= ram { next = max(next, end) }
    }
    // Those that are elsewhere keep their distances: two of them can share a page.
    let high = elf.segments.indices.filter { index in
      let (end, overflows) = elf.segments[index].physical.addingReportingOverflow(
        elf.segments[index].memorySize)
      return overflows || end > ram
    }
    let first = high.map { elf.segments[$0].virtual & ~0xFFF }.min() ?? 0
    let start = (next + 0xFFF) & ~0xFFF
    var moved = elf
    for index in high {
      let segment = elf.segments[index]
      let distance = segment.virtual - first
      guard distance <= ram, start + distance + segment.memorySize <= ram else {
        throw ScenarioError(
          "scenario `\(scenario)`: the image's segments do not fit into \(ram >> 20) MB of memory; raise `memory:`"
        )
      }
      moved = moved.moving(segment: index, to: start + distance)
    }
    return moved
  }

  /// Puts image and loader into a machine, and its CPUs before the first call.
  func install(in machine: Machine) {
    for segment in image.elf.segments {
      machine.place(
        image.bytes[segment.file], at: segment.physical, size: segment.memorySize)
    }
    func put(_ words: [UInt64], at start: UInt64) {
      for (i, word) in words.enumerated() {
        machine.memory.setWord(at: start + UInt64(i) * 8, word)
      }
    }
    let descriptors = layout.descriptors(cpus: scenario.cpus, is64Bit: is64Bit)
    put(descriptors, at: layout.gdt)
    put(
      gates.flatMap {
        $0 == 0
          ? Array(repeating: 0, count: is64Bit ? 2 : 1)
          : HarnessLayout.gate($0, is64Bit: is64Bit)
      }, at: layout.idt)
    machine.place(code.bytes[...], at: layout.code, size: UInt64(code.bytes.count))
    if let tables { put(tables.words, at: tablesBase) }
    for cpu in machine.cpus.indices {
      // No I/O permission bitmap: its offset lies behind the segment's limit.
      machine.memory.setValue(at: layout.task(cpu) + 0x64, size: 4, 0x80 << 16)
      let distance = perCPU?.install(cpu, in: machine) ?? 0
      var place = InPlaceStart(
        entry: starts[cpu], stack: stacks[cpu].high,
        gdt: (layout.gdt, UInt64(descriptors.count * 8 - 1)),
        idt: (layout.idt, UInt64(256 * (is64Bit ? 16 : 8) - 1)),
        task: (
          HarnessLayout.taskSelector(cpu), layout.task(cpu), HarnessLayout.taskSize - 1
        ), pageTables: tables?.root, is64Bit: is64Bit)
      if scenario.perCPU?.usesGS == true {
        place.gsBase = distance
      } else {
        place.fsBase = distance
      }
      machine.start(cpu, in: place)
    }
    for route in routes {
      machine.route(line: route.line, to: route.cpu, vector: route.vector)
    }
  }

  /// Number of the line of a source, as it is routed.
  static func withLines(_ scenario: Scenario) -> Scenario {
    guard scenario.calls != nil else { return scenario }
    var scenario = scenario
    var lines = Set(scenario.sources.compactMap(\.line))
    for i in scenario.sources.indices {
      let source = scenario.sources[i]
      guard source.line == nil, !source.nmi, !source.machineCheck, !source.localTimer,
        let line = freeLines.first(where: { !lines.contains($0) })
      else { continue }
      lines.insert(line)
      scenario.sources[i].line = line
    }
    return scenario
  }
}

/// An image's names, and the loader's.
final class HarnessSymbols: Symbolizer {
  private let base: Symbolizer
  private let names: [(name: String, address: UInt64, size: Int)]

  init(base: Symbolizer, names: [(name: String, address: UInt64, size: Int)]) {
    self.base = base
    self.names = names
  }

  func symbol(named name: String) -> (address: UInt64, size: Int)? {
    if let found = base.symbol(named: name) { return found }
    return names.first { $0.name == name }.map { ($0.address, $0.size) }
  }

  func symbol(containing address: UInt64) -> (name: String, address: UInt64, size: Int)? {
    if let own = names.first(where: { $0.address <= address && address - $0.address < $0.size }) {
      return own
    }
    return base.symbol(containing: address)
  }

  func location(of address: UInt64) -> (location: SourceLocation, inlined: [String])? {
    base.location(of: address)
  }

  func unwind(
    pc: UInt64, sp: UInt64, bp: UInt64, read: (UInt64) -> UInt64?
  ) -> (pc: UInt64, sp: UInt64, bp: UInt64)? {
    base.unwind(pc: pc, sp: sp, bp: bp, read: read)
  }

  func variable(named name: String) -> VariableShape? { base.variable(named: name) }
  var symbolNames: [String] { base.symbolNames }
}
