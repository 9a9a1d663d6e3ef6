import Emulator
import Model

/// A kernel of a few dozen instructions, for searches without any reduction: a program for each of one
/// to three CPUs, perhaps a second task, handlers of interrupts, of messages between CPUs, of an NMI, of
/// a software interrupt and of an exception.
struct SmallKernel {
  /// How a lock is taken; all but the last through functions that the job knows.
  enum LockKind: String, CaseIterable {
    case value, field, count, plain, attempt, ticket, unknown
  }

  indirect enum Operation {
    // Registers and the stack.
    case registers(Int)
    case pushPop
    // Four variables, that all contexts share.
    /// XOR with a constant, in one instruction.
    case toggle(Int, Int)
    /// The same, with LOCK.
    case lockedToggle(Int, Int)
    /// A read-modify-write in two instructions: what comes between can be lost.
    case tornToggle(Int)
    case copy(from: Int, to: Int)
    /// XCHG with a register.
    case exchange(Int)
    case set(Int)
    /// XOR of one or two bytes at an offset from the first variable.
    case narrow(offset: Int, size: Int, Int)
    case copyString(from: Int, to: Int, words: Int)
    case fill(offset: Int, count: Int)
    case ifZero(Int, [Operation])
    // Interrupts.
    case interruptsOff
    case interruptsOn
    case endOfInterrupt
    /// Bits of the first 8259's mask.
    case mask(Int)
    case readRequests(Int)
    /// Sends IRQ 0 to the handler of IRQ 1 for a while.
    case redirect([Operation])
    case gate
    case divide
    /// An interprocessor interrupt.
    case send(to: Int, message: Int)
    // Locks.
    case locked(LockKind, Int, [Operation], restore: Bool)
    /// Taken, and never given back.
    case kept(LockKind, Int)
    // Waiting.
    case wait(Int, right: Bool)
    case spin(Int)
    // Stacks, and what a handler can see of what it interrupts.
    /// Pushes, publishes the stack pointer, works, pops into a variable.
    case publish([Operation])
    /// Toggles a bit where the published pointer says.
    case poke
    case onOtherStack([Operation], byFramePointer: Bool)
    case storeRegister(Int)
    case storeSavedRegister(Int)
    case storeFrame(Int)
    case count(Int)
  }

  /// What single-CPU kernels of the wild kind may use beside the plain operations.
  enum Feature: String, CaseIterable, Sendable {
    case nesting, nmi, masks, waiting, spinning, narrow, stackPointers, strings, gates, exceptions
    case interruptStack, framePointerStack, tasks, requests, descriptors, lockKinds
    case seesRegisters, seesSavedRegisters, seesFrame
  }

  /// For each CPU.
  var mains: [[Operation]]
  /// A second task on CPU 0; IRQ 0 then switches.
  var second: [Operation]?
  /// Of IRQ 0 and IRQ 1, which go to CPU 0; and how often each comes.
  var handlers: [[Operation]] = []
  var arrivals: [Int] = []
  /// Of messages between CPUs.
  var messages: [[Operation]] = []
  /// Of an NMI that comes once, and the CPU that it is for.
  var nmi: [Operation]?
  var nmiCPU = 0
  /// The CPU whose local timer fires once, with the first message's handler.
  var timerCPU: Int?
  var gate: [Operation] = []
  var exception: [Operation] = []
  var otherStackIsLow = false
  /// How it was made, for reports.
  var style = ""

  static let variableCount = 8
  static func variable(_ v: Int) -> UInt32 { UInt32(TinyKernel.variables) + UInt32(4 * v) }
  static func lock(_ l: Int) -> UInt32 { UInt32(TinyKernel.locks) + UInt32(4 * l) }
}

extension SmallKernel.Operation {
  /// What it encloses.
  var body: [SmallKernel.Operation]? {
    switch self {
    case .ifZero(_, let b), .redirect(let b), .locked(_, _, let b, _), .publish(let b),
      .onOtherStack(let b, _):
      b
    default: nil
    }
  }

  func with(body b: [SmallKernel.Operation]) -> Self {
    switch self {
    case .ifZero(let v, _): .ifZero(v, b)
    case .redirect: .redirect(b)
    case .locked(let k, let l, _, let restore): .locked(k, l, b, restore: restore)
    case .publish: .publish(b)
    case .onOtherStack(_, let f): .onOtherStack(b, byFramePointer: f)
    default: self
    }
  }
}

extension SmallKernel.Operation: CustomStringConvertible {
  var description: String {
    func all(_ b: [Self]) -> String { b.map(\.description).joined(separator: "; ") }
    switch self {
    case .registers(let n): return "registers \(n)"
    case .pushPop: return "push, pop"
    case .toggle(let v, let k): return "v\(v) ^= \(k)"
    case .lockedToggle(let v, let k): return "lock v\(v) ^= \(k)"
    case .tornToggle(let v): return "r = v\(v); v\(v) = r ^ 1"
    case .copy(let a, let b): return "v\(b) = v\(a)"
    case .exchange(let v): return "xchg v\(v)"
    case .set(let v): return "v\(v) = 1"
    case .narrow(let offset, let size, let k): return "byte \(offset) (\(size)) ^= \(k)"
    case .copyString(let f, let t, let n): return "rep movs v\(f) to v\(t), \(n)"
    case .fill(let o, let n): return "rep stosb at \(o), \(n)"
    case .ifZero(let v, let b): return "if v\(v) == 0 { \(all(b)) }"
    case .interruptsOff: return "cli"
    case .interruptsOn: return "sti"
    case .endOfInterrupt: return "EOI"
    case .mask(let m): return "mask \(m)"
    case .readRequests(let v): return "v\(v) = requests"
    case .redirect(let b): return "redirect { \(all(b)) }"
    case .gate: return "int 44"
    case .divide: return "divide by zero"
    case .send(let cpu, let m): return "send \(m) to CPU \(cpu)"
    case .locked(let kind, let l, let b, let restore):
      return "\(kind.rawValue) lock\(l) { \(all(b)) }" + (restore ? "" : " wrongly")
    case .kept(let kind, let l): return "\(kind.rawValue) lock\(l), kept"
    case .wait(let v, let right): return "\(right ? "" : "wrongly ")wait for v\(v)"
    case .spin(let v): return "spin for v\(v)"
    case .publish(let b): return "publish stack { \(all(b)) }"
    case .poke: return "poke"
    case .onOtherStack(let b, let f): return "on other stack\(f ? " by ebp" : "") { \(all(b)) }"
    case .storeRegister(let v): return "v\(v) = esi"
    case .storeSavedRegister(let v): return "v\(v) = saved esi"
    case .storeFrame(let v): return "v\(v) = saved eip"
    case .count(let n): return "esi += 1, \(n) times"
    }
  }
}

extension SmallKernel: CustomStringConvertible {
  var description: String {
    func all(_ b: [Operation]) -> String { b.map(\.description).joined(separator: "; ") }
    var lines = mains.enumerated().map { "CPU \($0): " + all($1) }
    if let second { lines.append("task: " + all(second)) }
    for (i, h) in handlers.enumerated() { lines.append("irq\(i) ×\(arrivals[i]): " + all(h)) }
    for (i, m) in messages.enumerated() { lines.append("message \(i): " + all(m)) }
    if let timerCPU { lines.append("local timer of CPU \(timerCPU): message 0") }
    if let nmi { lines.append("nmi to CPU \(nmiCPU): " + all(nmi)) }
    if uses({ if case .gate = $0 { true } else { false } }) { lines.append("int 44: " + all(gate)) }
    if uses({ if case .divide = $0 { true } else { false } }) {
      lines.append("#DE: " + all(exception))
    }
    return lines.joined(separator: "\n")
  }

  /// Whether an operation of that kind is anywhere in it.
  func uses(_ isWanted: (Operation) -> Bool) -> Bool {
    func inside(_ b: [Operation]) -> Bool {
      b.contains { isWanted($0) || inside($0.body ?? []) }
    }
    return everyBody.contains(where: inside)
  }

  var everyBody: [[Operation]] {
    mains + [second ?? []] + handlers + messages + [nmi ?? [], gate, exception]
  }
}

/// SplitMix64: small, and the same everywhere.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
  mutating func oneOf<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}
