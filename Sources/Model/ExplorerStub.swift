import Emulator

public struct PreparedImage {
  let bytes: [UInt8]
  let symbols: Symbolizer
  public init(bytes: [UInt8], name: String, symbols: Symbolizer) throws {
    func bad(_ text: String) -> StubError { StubError(description: text) }
    guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { throw bad("not an ELF file") }
    guard bytes.count >= 52 else { throw bad("truncated ELF file") }
    guard bytes[18] == 3 || bytes[18] == 62 else { throw bad("an ELF file for another machine") }
    self.bytes = bytes
    self.symbols = symbols
  }
}

struct StubError: Error, CustomStringConvertible { var description: String }

public final class Explorer {
  let scenario: Scenario
  let options: ExplorationOptions
  let image: PreparedImage
  /// Called with each counterexample as soon as it is known to replay.
  public var found: ((Counterexample) -> Void)?

  public init(scenario: Scenario, image: PreparedImage, options: ExplorationOptions) throws {
    self.scenario = scenario
    self.options = options
    self.image = image
  }

  public func run(progress: (SearchProgress) -> Void, interrupted: () -> Bool) -> ScenarioResult {
    var result = ScenarioResult(scenario: scenario, arch: "i386", verdict: .clean)
    var p = SearchProgress()
    let isEndless = image.symbols.symbol(named: "endless") != nil
    var i = 0
    while i < 5 || isEndless {
      i += 1
      p.states = i * 1000
      p.seconds = Double(i) / 10
      progress(p)
      if interrupted() {
        result.verdict = .inconclusive
        result.notes = ["Interrupted."]
        return result
      }
    }
    result.states = 5000
    result.instructions = 123456
    result.seconds = 0.5
    result.peakMemoryBytes = 1 << 20
    var broken: [String] = []
    if image.symbols.symbol(named: "broken") != nil { broken = ["interrupts-lost"] }
    if image.symbols.symbol(named: "idle") == nil, broken.isEmpty,
      case .violated(let rules) = scenario.expect
    {
      broken = rules
    }
    if !broken.isEmpty {
      result.verdict = .violated
      result.counterexamples = broken.map { StubData.counterexample(rule: $0) }
      for c in result.counterexamples { found?(c) }
    }
    return result
  }
}

public enum ReplayOutcome {
  case same(step: Int)
  case differentRule(String, step: Int)
  case diverged(step: Int, reason: String)
  case noViolation(steps: Int)
}

public func replay(_ c: Counterexample, scenario: Scenario, image: PreparedImage) throws
  -> ReplayOutcome
{ .same(step: c.steps) }

enum StubData {
  static func counterexample(rule: String) -> Counterexample {
    var c = Counterexample(
      rule: rule, title: "The keyboard interrupt waits for console_lock, which task reader holds on the same CPU with interrupts on.",
      identity: .init(rule: rule, lockClasses: ["console_lock"], functions: ["console_write", "keyboard_interrupt"]),
      schedule: Schedule(steps: [.init(raise: nil, instructions: 1204), .init(raise: 1, instructions: 312)]), injected: ["keyboard"])
    let f = "Sources/KernelCore/Kernel/console.swift"
    func loc(_ l: Int) -> SourceLocation { .init(file: f, line: l) }
    c.events = [
      .init(kind: .start, step: 0, cpu: 0, context: "task reader", text: "runs in user code", address: 0x40_1000, function: "reader_main", location: .init(file: "Sources/KernelCore/Kernel/user.swift", line: 12), disassembly: "mov eax, 0x04", interruptFlag: true),
      .init(kind: .systemCall, step: 811, cpu: 0, context: "system call of reader", text: "system call write (int 0x80)", address: 0x40_1010, function: "write", location: nil, disassembly: "int 0x80", interruptFlag: false),
      .init(kind: .interruptsOn, step: 840, cpu: 0, context: "system call of reader", text: "interrupts on", address: 0x10_0010, function: "syscall_entry+0x10", location: .init(file: "Sources/KernelCore/i386/entry.S", line: 88), disassembly: "sti", interruptFlag: true),
      .init(kind: .acquire, step: 1204, cpu: 0, context: "system call of reader", text: "acquires console_lock", address: 0x10_1234, function: "console_write+0x1c", location: loc(41), inlined: ["Spinlock.acquire (inlined at \(f):41)"], disassembly: "xchg dword ptr [ecx], eax", interruptFlag: true, held: ["console_lock"]),
      .init(kind: .interrupt, step: 1204, cpu: 0, context: "interrupt 33 (keyboard)", text: "keyboard interrupt, vector 33, interrupts console_write", address: 0x10_2000, function: "interrupt_33", location: .init(file: "Sources/KernelCore/i386/entry.S", line: 20), disassembly: "push 0x00", interruptFlag: false, held: ["console_lock"]),
      .init(kind: .wait, step: 1500, cpu: 0, context: "interrupt 33 (keyboard)", text: "waits for console_lock", address: 0x10_1234, function: "console_write+0x1c", location: loc(41), disassembly: "pause", interruptFlag: false, held: ["console_lock"]),
      .init(kind: .violation, step: 1516, cpu: 0, context: "interrupt 33 (keyboard)", text: "waits for ever: only the interrupted code could release console_lock", address: 0x10_1236, function: "console_write+0x1e", location: loc(41), disassembly: "jmp 0x101230", interruptFlag: false, held: ["console_lock"]),
    ]
    c.stacks = [
      .init(context: "interrupt 33 (keyboard)", frames: [.init(address: 0x101236, function: "console_write+0x1e", location: loc(41), inlined: ["Spinlock.acquire (inlined at \(f):41)"]), .init(address: 0x102040, function: "keyboard_interrupt+0x40", location: loc(99))]),
      .init(context: "system call of reader", frames: [.init(address: 0x101234, function: "console_write+0x1c", location: loc(41))]),
    ]
    c.holders = ["task reader holds console_lock, acquired at \(f):41."]
    c.waiters = ["interrupt 33 (keyboard) waits for console_lock."]
    return c
  }
}
