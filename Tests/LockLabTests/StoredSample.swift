import Database
import Model

/// A database with a counterexample in it, made without exploring anything.
enum StoredSample {
  static func write(
    to workshop: Workshop, _ counterexample: Counterexample = deadlock, cpus: Int = 1
  ) throws {
    let store = try Store(path: workshop.path("locklab.db"), access: .write)
    let run = try store.beginRun(version: "0.1.0", command: "check")
    var scenario = Scenario(name: "reader", image: "core")
    scenario.summary = "the console's lock leaves interrupts on"
    scenario.cpus = cpus
    scenario.sources = [Source(name: "timer", line: 0), Source(name: "keyboard", line: 1)]
    _ = try store.record(
      counterexample, scenario: scenario,
      image: ImageRecord(
        digest: String(repeating: "ab", count: 32), arch: "i386", size: 4096,
        origin: "builtin:core-i386"), run: run)
  }

  private static func place(_ file: String, _ line: Int) -> SourceLocation {
    SourceLocation(file: "Sources/KernelCore/\(file)", line: line)
  }

  /// A handler that spins for the lock of the system call below it.
  static let deadlock = Counterexample(
    rule: "deadlock-on-interrupt",
    title: "The keyboard interrupt waits for console_lock, which the system call that it "
      + "interrupted holds.",
    identity: .init(
      rule: "deadlock-on-interrupt", lockClasses: ["console_lock"],
      functions: ["console_write", "keyboard_interrupt"]),
    schedule: Schedule(steps: [
      .init(raise: nil, instructions: 1204), .init(raise: 1, instructions: 312),
    ]),
    injected: ["keyboard"],
    events: [
      TraceEvent(
        kind: .start, step: 0, cpu: 0, context: "task reader", text: "runs in user code",
        address: 0x40_1000, function: "reader_main", location: place("Kernel/user.swift", 12),
        disassembly: "mov eax, 0x04", interruptFlag: true),
      TraceEvent(
        kind: .systemCall, step: 811, cpu: 0, context: "system call", text: "write, by int 0x80",
        address: 0x40_1010, function: "write", disassembly: "int 0x80"),
      TraceEvent(
        kind: .acquire, step: 1204, cpu: 0, context: "system call", text: "acquires console_lock",
        address: 0x10_1234, function: "console_write+0x1c",
        location: place("Kernel/console.swift", 41),
        inlined: ["Spinlock.acquire (inlined at Sources/KernelCore/Kernel/console.swift:88)"],
        disassembly: "xchg dword ptr [ecx], eax", interruptFlag: true, held: ["console_lock"]),
      TraceEvent(
        kind: .interrupt, step: 1204, cpu: 0, context: "interrupt 33 (keyboard)",
        text: "keyboard, vector 33", address: 0x10_2000, function: "interrupt_33",
        location: place("i386/entry.S", 20), disassembly: "push 0x00", held: ["console_lock"]),
      TraceEvent(
        kind: .violation, step: 1516, cpu: 0, context: "interrupt 33 (keyboard)",
        text: "waits for ever: only the code that it interrupted could release console_lock",
        address: 0x10_1236, function: "console_write+0x1e",
        location: place("Kernel/console.swift", 41), disassembly: "pause", held: ["console_lock"]),
    ],
    stacks: [
      ContextStack(
        context: "interrupt 33 (keyboard)",
        frames: [
          StackFrame(
            address: 0x10_1236, function: "console_write+0x1e",
            location: place("Kernel/console.swift", 41),
            inlined: ["Spinlock.acquire (inlined at Sources/KernelCore/Kernel/console.swift:88)"]),
          StackFrame(
            address: 0x10_2040, function: "keyboard_interrupt+0x40",
            location: place("Kernel/keyboard.swift", 9)),
        ]),
      ContextStack(context: "system call", frames: []),
    ],
    holders: ["The system call of task reader holds console_lock."],
    waiters: ["Interrupt 33 waits for console_lock."])
}
