import Emulator
import Model

/// A random small kernel that does what `RandomKernel` does not: nested and early ends of interrupts,
/// NMIs, masks, waiting with HLT, narrow and unaligned accesses, pointers into a stack, string
/// instructions, exceptions, other stacks, two tasks.
struct WildKernel {
  /// What a kernel may use beside the operations of `RandomKernel`.
  enum Feature: String, CaseIterable, Sendable {
    case nesting, nmi, masks, waiting, spinning, narrow, stackPointers, strings, gates, exceptions
    case interruptStack, framePointerStack, tasks, requests, descriptors
    case seesRegisters, seesSavedRegisters, seesFrame
  }

  indirect enum Operation: CustomStringConvertible {
    case base(RandomKernel.Operation)
    case endOfInterrupt
    case mask(Int)
    case wait(Int, right: Bool)
    case spin(Int)
    case set(Int)
    /// XOR of one or two bytes at an offset from the first variable.
    case narrow(offset: Int, size: Int, Int)
    /// Pushes, publishes the stack pointer, works, pops into a variable.
    case publish([Operation])
    /// Toggles a bit where the published pointer says.
    case poke
    case copyString(from: Int, to: Int, words: Int)
    case fill(offset: Int, count: Int)
    case gate
    case divide
    case onOtherStack([Operation], byFramePointer: Bool)
    case readRequests(Int)
    /// Sends IRQ 0 to the handler of IRQ 1 for a while.
    case redirect([Operation])
    case storeRegister(Int)
    case storeSavedRegister(Int)
    case storeFrame(Int)
    case count(Int)

    var description: String {
      func all(_ b: [Operation]) -> String { b.map(\.description).joined(separator: "; ") }
      switch self {
      case .base(let o): return o.description
      case .endOfInterrupt: return "EOI"
      case .mask(let m): return "mask \(m)"
      case .wait(let v, let right): return "\(right ? "" : "wrongly ")wait for v\(v)"
      case .spin(let v): return "spin for v\(v)"
      case .set(let v): return "v\(v) = 1"
      case .narrow(let offset, let size, let k): return "byte \(offset) (\(size)) ^= \(k)"
      case .publish(let b): return "publish stack { \(all(b)) }"
      case .poke: return "poke"
      case .copyString(let f, let t, let n): return "rep movs v\(f) to v\(t), \(n)"
      case .fill(let o, let n): return "rep stosb at \(o), \(n)"
      case .gate: return "int 44"
      case .divide: return "divide by zero"
      case .onOtherStack(let b, let f):
        return "on other stack\(f ? " by ebp" : "") { \(all(b)) }"
      case .readRequests(let v): return "v\(v) = requests"
      case .redirect(let b): return "redirect { \(all(b)) }"
      case .storeRegister(let v): return "v\(v) = esi"
      case .storeSavedRegister(let v): return "v\(v) = saved esi"
      case .storeFrame(let v): return "v\(v) = saved eip"
      case .count(let n): return "esi += 1, \(n) times"
      }
    }
  }

  static let variableCount = 8
  private static let published = UInt32(TinyKernel.locks) + 0x40
  /// A byte for each of two tasks: its work is done.
  static let finished = UInt32(TinyKernel.locks) + 0xC0
  private static let current = UInt32(TinyKernel.locks) + 0x80
  private static let savedStack = UInt32(TinyKernel.locks) + 0x88
  private static let taskStackTop: UInt32 = 0x13_3000
  private static let lowStackTop: UInt32 = 0x12_F000
  private static let highStackTop: UInt32 = 0x13_5000

  var features: Set<Feature>
  var main: [Operation]
  var second: [Operation]?
  var handlers: [[Operation]]
  var arrivals: [Int]
  var nmi: [Operation]?
  var gate: [Operation] = []
  var exception: [Operation] = []
  var otherStackIsLow = false

  init(seed: UInt64, features: Set<Feature>) {
    self.features = features
    var r = SplitMix(state: seed &* 0x1234_5678_9ABC_DEF1)
    func has(_ f: Feature) -> Bool { features.contains(f) }
    enum Place { case main, handler, inner }
    func base(_ place: Place, depth: Int, _ r: inout SplitMix) -> Operation {
      func simple(_ r: inout SplitMix) -> RandomKernel.Operation {
        switch r.below(7) {
        case 0, 1: return .toggle(r.below(4), 1 + r.below(2))
        case 2: return .copy(from: r.below(4), to: r.below(4))
        case 3: return .tornToggle(r.below(4))
        case 4: return .registers(1 + r.below(3))
        case 5: return .pushPop
        default: return .toggle(r.below(4), 4)
        }
      }
      switch r.below(8) {
      case 0 where place == .main: return .base(.interruptsOff)
      case 1 where place == .main || has(.nesting) && place == .handler:
        return .base(.interruptsOn)
      case 2 where depth > 0:
        return .base(.locked(r.below(2), [simple(&r)], restore: r.below(6) > 0))
      case 3 where depth > 0: return .base(.ifZero(r.below(4), [simple(&r)]))
      case 4 where depth > 0 && has(.spinning):
        return .base(.unsafeLocked(r.below(2), [simple(&r)]))
      default: return .base(simple(&r))
      }
    }
    func operations(_ count: Int, _ place: Place, depth: Int, _ r: inout SplitMix) -> [Operation] {
      (0..<count).map { _ in
        var choices: [Operation] = []
        let some = operations2(place, &r)
        if has(.nesting) && place == .handler {
          choices += [.endOfInterrupt, .base(.interruptsOn)]
        }
        if has(.masks) && place != .inner { choices += [.mask(r.below(4)), .mask(0)] }
        if has(.waiting) {
          if place == .main {
            choices += [.wait(r.below(2), right: true), .wait(r.below(2), right: false)]
          }
          choices.append(.set(r.below(2)))
        }
        if has(.spinning) && place == .main { choices += [.spin(r.below(2)), .set(r.below(2))] }
        if has(.narrow) {
          choices.append(.narrow(offset: r.below(14), size: 1 + r.below(2), 1 + r.below(3)))
          choices.append(.narrow(offset: r.below(4), size: 1, 1 + r.below(3)))
        }
        if has(.stackPointers) && place == .main && depth > 0 { choices.append(.publish(some)) }
        if has(.stackPointers) && place == .handler { choices += [.poke, .poke] }
        if has(.strings) {
          choices.append(.copyString(from: r.below(2), to: r.below(4), words: 1 + r.below(3)))
          choices.append(.fill(offset: r.below(8), count: 1 + r.below(5)))
        }
        if has(.gates) && place != .inner { choices.append(.gate) }
        if has(.exceptions) && place != .inner { choices += [.divide, .divide] }
        if has(.interruptStack) && place == .handler && depth > 0 {
          choices.append(.onOtherStack(some, byFramePointer: false))
        }
        if has(.framePointerStack) && place == .handler && depth > 0 {
          choices += [
            .onOtherStack(some, byFramePointer: true), .onOtherStack(some, byFramePointer: true),
          ]
        }
        if has(.requests) && place != .inner { choices.append(.readRequests(4 + r.below(2))) }
        if has(.descriptors) && place == .main && depth > 0 { choices.append(.redirect(some)) }
        if place == .main && (has(.seesRegisters) || has(.seesSavedRegisters) || has(.seesFrame)) {
          choices.append(.count(1 + r.below(3)))
        }
        if has(.seesRegisters) && place == .handler { choices.append(.storeRegister(6)) }
        if has(.seesSavedRegisters) && place == .handler { choices.append(.storeSavedRegister(6)) }
        if has(.seesFrame) && place == .handler { choices.append(.storeFrame(7)) }
        if choices.isEmpty || r.below(2) == 0 { return base(place, depth: depth, &r) }
        return choices[r.below(choices.count)]
      }
    }
    func operations2(_ place: Place, _ r: inout SplitMix) -> [Operation] {
      (0..<1 + r.below(2)).map { _ in base(.inner, depth: place == .inner ? 0 : 1, &r) }
    }
    main = [.base(.interruptsOn)] + operations(2 + r.below(4), .main, depth: 1, &r)
    let count = has(.descriptors) || has(.nesting) ? 2 : 1 + r.below(2)
    handlers = (0..<count).map { _ in operations(1 + r.below(3), .handler, depth: 1, &r) }
    arrivals = (0..<count).map { _ in 1 + r.below(count == 1 ? 2 : 1) }
    if has(.nmi) {
      nmi = operations(1 + r.below(3), .inner, depth: 1, &r)
      if r.below(3) == 0 { arrivals[0] = 1 }
    }
    gate = operations(1 + r.below(2), .inner, depth: 1, &r)
    exception = operations(1 + r.below(2), .inner, depth: 1, &r)
    otherStackIsLow = r.below(2) == 0
    if has(.tasks) {
      second = [.base(.interruptsOn)] + operations(1 + r.below(3), .main, depth: 1, &r)
      arrivals[0] = 1 + r.below(2)
    }
  }

  var kernel: TinyKernel {
    var others: [(vector: Int, body: (inout Assembler) -> Void)] = [
      (44, { a in for o in gate { emit(o, &a) } }),
      (
        0,
        { a in
          a.bytes([0x83, 0x44, 0x24, 32, 2])  // add dword [esp+32], 2: past the DIV
          for o in exception { emit(o, &a) }
        }
      ),
    ]
    if second != nil { others.append((45, { a in switchTasks(&a) })) }
    if let nmi { others.append((2, { a in for o in nmi { emit(o, &a) } })) }
    return TinyKernel(
      main: { a in
        if second != nil { prepareTask(&a) }
        for o in main { emit(o, &a) }
        if second != nil { finishTask(0, &a) }
        a.bytes([0xFB])
      },
      handlers: handlers.enumerated().map { i, body in
        { a in
          for o in body { emit(o, &a) }
          if i == 0 && second != nil { switchTasks(&a) }
        }
      },
      others: others,
      functions: { a in
        guard let second else { return }
        a.label("task")
        for o in second { emit(o, &a) }
        finishTask(1, &a)
        a.bytes([0xFB, 0xF4, 0xEB, 0xFD])  // sti; hlt; jmp to the hlt
      })
  }

  var scenario: Scenario {
    var s = kernel.scenario(arrivals: arrivals.map { $0 })
    s.expectedExceptions = [0]
    if nmi != nil {
      var source = Source(name: "nmi", line: nil)
      source.nmi = true
      source.arrivals = 1
      s.sources.append(source)
    }
    return s
  }

  var text: String {
    func all(_ b: [Operation]) -> String { b.map(\.description).joined(separator: "; ") }
    var lines = ["main: " + all(main)]
    if let second { lines.append("task: " + all(second)) }
    for (i, h) in handlers.enumerated() { lines.append("irq\(i) ×\(arrivals[i]): " + all(h)) }
    if let nmi { lines.append("nmi: " + all(nmi)) }
    if features.contains(.gates) { lines.append("int 44: " + all(gate)) }
    if features.contains(.exceptions) { lines.append("#DE: " + all(exception)) }
    return lines.joined(separator: "\n")
  }

  /// A frame for IRET with zeroed registers below it, as if the task had been interrupted at its start.
  private func prepareTask(_ a: inout Assembler) {
    func store(_ address: UInt32, _ value: UInt32) {
      a.bytes([0xC7, 0x05])
      a.word(address)
      a.word(value)
    }
    let top = WildKernel.taskStackTop
    store(top - 4, 0x202)
    store(top - 8, 8)
    store(top - 12, UInt32(a.labels["task"]!))
    store(WildKernel.current, 0)
    store(WildKernel.savedStack + 4, top - 44)
  }

  /// Says that a task has done its work, and gives the other one a chance to do its own.
  private func finishTask(_ n: Int, _ a: inout Assembler) {
    a.bytes([0xC6, 0x05])  // mov byte [finished+n], 1
    a.word(WildKernel.finished + UInt32(n))
    a.bytes([1, 0xCD, 45])  // int 45
  }

  private func switchTasks(_ a: inout Assembler) {
    a.bytes([0xA1])  // mov eax, [current]
    a.word(WildKernel.current)
    a.bytes([0x89, 0xA0])  // mov [eax+saved], esp
    a.word(WildKernel.savedStack)
    a.bytes([0x83, 0xF0, 4, 0xA3])  // xor eax, 4; mov [current], eax
    a.word(WildKernel.current)
    a.bytes([0x8B, 0xA0])  // mov esp, [eax+saved]
    a.word(WildKernel.savedStack)
  }

  private func emit(_ o: Operation, _ a: inout Assembler) {
    func variable(_ v: Int) -> UInt32 { RandomKernel.variable(v) }
    switch o {
    case .base(let b): RandomKernel.emit(b, &a)
    case .endOfInterrupt: a.bytes([0xB0, 0x20, 0xE6, 0x20])
    case .mask(let m): a.bytes([0xB0, UInt8(m), 0xE6, 0x21])
    case .wait(let v, let right):
      let again = a.freshLabel()
      let end = a.freshLabel()
      a.label(again)
      if right { a.bytes([0xFA]) }
      a.bytes([0x83, 0x3D])  // cmp dword [v], 0
      a.word(variable(v))
      a.bytes([0])
      a.branch(5, to: end)
      if right { a.bytes([0xFB]) }
      a.bytes([0xF4])
      a.jump(to: again)
      a.label(end)
      if right { a.bytes([0xFB]) }
    case .spin(let v):
      let again = a.freshLabel()
      a.label(again)
      a.bytes([0x83, 0x3D])
      a.word(variable(v))
      a.bytes([0])
      a.branch(4, to: again)
    case .set(let v):
      a.bytes([0xC7, 0x05])
      a.word(variable(v))
      a.word(1)
    case .narrow(let offset, let size, let k):
      if size == 2 { a.bytes([0x66]) }
      a.bytes([size == 2 ? 0x83 : 0x80, 0x35])  // xor [at], k
      a.word(variable(0) + UInt32(offset))
      a.bytes([UInt8(k)])
    case .publish(let body):
      a.bytes([0x6A, 0x40, 0x89, 0x25])  // push 0x40; mov [published], esp
      a.word(WildKernel.published)
      for b in body { emit(b, &a) }
      a.bytes([0xC7, 0x05])
      a.word(WildKernel.published)
      a.word(0)
      a.bytes([0x58, 0xA3])  // pop eax; mov [v4], eax
      a.word(variable(4))
    case .poke:
      let end = a.freshLabel()
      a.bytes([0xA1])
      a.word(WildKernel.published)
      a.bytes([0x85, 0xC0])  // test eax, eax
      a.branch(4, to: end)
      a.bytes([0x83, 0x30, 1])  // xor dword [eax], 1
      a.label(end)
    case .copyString(let from, let to, let words):
      a.bytes([0xBE])
      a.word(variable(from))
      a.bytes([0xBF])
      a.word(variable(to))
      a.bytes([0xB9])
      a.word(UInt32(words))
      a.bytes([0xF3, 0xA5])
    case .fill(let offset, let count):
      a.bytes([0xBF])
      a.word(variable(0) + UInt32(offset))
      a.bytes([0xB9])
      a.word(UInt32(count))
      a.bytes([0xB0, 1, 0xF3, 0xAA])
    case .gate: a.bytes([0xCD, 44])
    case .divide:
      // xor edx, edx; xor ecx, ecx; div ecx
      a.bytes([0x31, 0xD2, 0x31, 0xC9, 0xF7, 0xF1])
    case .onOtherStack(let body, let byFramePointer):
      let top = otherStackIsLow ? WildKernel.lowStackTop : WildKernel.highStackTop
      if byFramePointer {
        a.bytes([0x89, 0xE5, 0xBC])  // mov ebp, esp; mov esp, top
        a.word(top)
      } else {
        a.bytes([0x89, 0xE0, 0xBC])  // mov eax, esp; mov esp, top; push eax
        a.word(top)
        a.bytes([0x50])
      }
      for b in body { emit(b, &a) }
      a.bytes(byFramePointer ? [0x89, 0xEC] : [0x5C])  // mov esp, ebp; or pop esp
    case .readRequests(let v):
      a.bytes([0x31, 0xC0, 0xE4, 0x20, 0xA3])  // xor eax, eax; in al, 0x20; mov [v], eax
      a.word(variable(v))
    case .redirect(let body):
      func point(_ label: String) {
        a.bytes([0x66, 0xC7, 0x05])  // mov word [gate], offset
        a.word(UInt32(a.labels["idt"]!) + 32 * 8)
        let offset = UInt16(truncatingIfNeeded: a.labels[label]!)
        a.bytes([UInt8(offset & 0xFF), UInt8(offset >> 8)])
      }
      point("handler1")
      for b in body { emit(b, &a) }
      point("handler0")
    case .storeRegister(let v):
      a.bytes([0x89, 0x35])  // mov [v], esi
      a.word(variable(v))
    case .storeSavedRegister(let v):
      a.bytes([0x8B, 0x44, 0x24, 4, 0xA3])  // mov eax, [esp+4]: ESI as PUSHA saved it
      a.word(variable(v))
    case .storeFrame(let v):
      a.bytes([0x8B, 0x44, 0x24, 32, 0xA3])  // mov eax, [esp+32]: EIP
      a.word(variable(v))
    case .count(let n): for _ in 0..<n { a.bytes([0x46]) }
    }
  }
}
