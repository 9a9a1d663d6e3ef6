/// One rule, in words: what must hold, and what it means when it does not.
public struct RuleInfo: Sendable, Equatable {
  /// As reports, the database and job files spell it.
  public var name: String
  public var group: Group
  /// What is wrong when the rule is broken, in one line.
  public var summary: String
  /// How it comes about, what it leads to, how kernels avoid it.
  public var explanation: String
  /// Whether this version judges the rule; the others are described, and found by nobody yet.
  public var isChecked: Bool { RuleCatalogue.checked.contains(name) }
  /// The rule says nothing unless the job names the functions that acquire and release locks.
  public var needsLocks: Bool
  /// How bad it is in itself, whatever kernel it is found in.
  public var severity: Severity
  /// What the severity goes by, in a clause.
  public var severityReason: String

  /// Ordered from what weighs least.
  public enum Severity: String, Sendable, CaseIterable, Codable, Comparable {
    /// Not wrong, but worth knowing.
    case note
    /// A discipline is broken; whether harm comes of it hangs on what this execution did not show.
    case warning
    /// This execution hangs, crashes, or goes on with what is corrupted.
    case error

    public static func < (left: Severity, right: Severity) -> Bool { left.weight < right.weight }

    private var weight: Int {
      switch self {
      case .note: 0
      case .warning: 1
      case .error: 2
      }
    }
  }

  public enum Group: String, Sendable, CaseIterable {
    case locks = "Locks that save and restore the interrupt flag"
    case deadlocks = "Deadlocks and lost progress"
    case stacks = "Stacks and saved contexts"
    case entry = "Kernel entry and exit"
    case data = "Data"
  }

  init(
    _ name: String, _ group: Group, _ summary: String, locks: Bool = false, _ severity: Severity,
    because reason: String, _ explanation: String
  ) {
    self.name = name
    self.group = group
    self.summary = summary
    self.explanation = explanation
    needsLocks = locks
    self.severity = severity
    severityReason = reason
  }
}

/// Every rule that LockLab knows, in the order in which they are explained.
public enum RuleCatalogue {
  public static let all: [RuleInfo] = locks + deadlocks + stacks + entry + data

  /// Names of the rules that this version judges.
  public static let checked: Set<String> = RuleBook.names.union(Progress.rules)

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  public static func info(_ name: String) -> RuleInfo? { byName[name] }

  private static let locks = [
    RuleInfo(
      "lock-held-with-interrupts-on", .locks, "IF is 1 while a spinlock is held", locks: true,
      .warning, because: "it hangs only where a handler wants the same lock",
      """
      A handler that wants the lock may now interrupt the code that holds it, on the same CPU, and \
      then spins for ever. Usual causes: acquire does not disable interrupts, or disables them \
      after the lock bit is taken, or something inside the critical section executes STI or \
      restores flags too early. Disable interrupts first, then take the lock; keep them off until \
      the outermost release.
      """),
    RuleInfo(
      "lock-flags-not-restored", .locks, "a release leaves IF other than it was before the acquire",
      locks: true,
      .error, because: "the caller runs on with the wrong interrupt flag",
      """
      After a pair of acquire and release the interrupt flag must be what it was before. If it \
      stays 0, the caller runs on without interrupts; if it becomes 1 at an inner release, the \
      outer critical section has lost its protection. Return the flags from acquire, hand them to \
      the matching release, and restore them instead of executing STI.
      """),
    RuleInfo(
      "lock-flags-mismatched", .locks, "a release restores flags that another acquire saved",
      locks: true,
      .error, because: "the wrong interrupt flag is restored",
      """
      Saved flags belong to one acquire, on one CPU, by one task. A single global slot, a field of \
      the lock that is written before the lock is owned, flags read after CLI, or a contended \
      acquire that samples IF a second time all restore the wrong value sooner or later. Keep the \
      flags in the caller's frame; or, in the lock itself, write them only once it is owned.
      """),
    RuleInfo(
      "lock-release-order", .locks, "locks are released in another order than last in, first out",
      locks: true,
      .warning, because: "it does harm where the outer release turns interrupts on",
      """
      When each lock carries its own saved flags, releasing the outer lock first restores the outer \
      flags, interrupts come on, and the inner lock is still held. The first lock taken must be the \
      last one released.
      """),
    RuleInfo(
      "lock-release-unheld", .locks, "a lock is released that nobody holds", locks: true,
      .error, because: "a lock that somebody else holds by now is opened",
      """
      A second release on an error path, or a release without acquire. The lock may meanwhile have \
      been taken by somebody else, who then loses it without notice.
      """),
    RuleInfo(
      "lock-recursive-acquire", .locks, "a context acquires a lock that it holds already",
      locks: true,
      .error, because: "the context waits for itself for ever",
      """
      A spinlock that is not made for recursion then waits for itself. Often a function that takes \
      the lock is called by one that holds it: split off a variant that expects it to be held.
      """),
    RuleInfo(
      "lock-wrong-owner", .locks, "a lock is released by somebody else than its holder",
      locks: true,
      .error, because: "the holder's critical section is open",
      """
      The critical section of the holder is open while it still believes that it is protected. \
      Where a lock is meant to pass from one task to the next, as a scheduler's lock does across a \
      switch, say so in the job (`handed-over`).
      """),
    RuleInfo(
      "lock-held-at-user-return", .locks, "the kernel returns to user code with a spinlock held",
      locks: true,
      .error, because: "a program runs inside a critical section of the kernel",
      """
      User code then runs inside a critical section: whoever wants the lock waits for a program \
      that knows nothing of it. Usually an early return that leaves out the release.
      """),
    RuleInfo(
      "lock-held-at-switch", .locks, "the CPU switches to another task with a spinlock held",
      locks: true,
      .error, because: "the next task can wait for it for ever",
      """
      The next task may want the same lock, and on one CPU nobody will ever give it back. Only a \
      lock that is handed over to the next task, usually the scheduler's own, may be held here.
      """),
    RuleInfo(
      "lock-held-at-sleep", .locks, "a CPU halts with a spinlock held", locks: true,
      .warning, because: "it hangs only where a handler or another CPU wants the lock",
      """
      HLT ends with an interrupt, and its handler may want the lock; other CPUs wait as long as \
      this one sleeps. Release before going idle.
      """),
  ]

  private static let deadlocks = [
    RuleInfo(
      "deadlock-on-interrupt", .deadlocks,
      "a handler waits for what the code that it interrupted holds",
      .error, because: "the CPU hangs",
      """
      The interrupted code cannot go on before the handler returns, and the handler does not \
      return before the interrupted code goes on. Found by behaviour: the handler spins on memory \
      that only code below it on the same CPU would change. Keep interrupts off wherever something \
      is held that a handler waits for.
      """),
    RuleInfo(
      "deadlock-on-nmi", .deadlocks,
      "an NMI or machine-check handler waits for what the interrupted code holds",
      .error, because: "the CPU hangs",
      """
      IF does not hold these back, so switching interrupts off is no protection. Such handlers may \
      only try a lock and must cope with not getting it.
      """),
    RuleInfo(
      "deadlock-on-preemption", .deadlocks,
      "a task spins for what a preempted task of the same CPU holds",
      .error, because: "the CPU hangs",
      """
      The holder was put aside in the middle of its critical section and the next task spins with \
      interrupts off, or with no one left to schedule the holder. A lock that others spin for \
      must not be held by a task that can be preempted.
      """),
    RuleInfo(
      "irq-unsafe-lock", .deadlocks,
      "a lock is taken in a handler, and elsewhere with interrupts on", locks: true,
      .warning, because: "the two uses were seen, the deadlock that they allow was not",
      """
      The deadlock needs an interrupt at the wrong moment, which this exploration need not have \
      met; the two ways of use together are enough to know that it can happen. Also reported \
      for a lock that is safe itself but held while an unsafe one is taken. Take the lock with \
      interrupts off wherever a handler takes it too.
      """),
    RuleInfo(
      "lock-order-inversion", .deadlocks, "locks are acquired in a circle of orders", locks: true,
      .warning, because: "the two orders were seen, the deadlock that they allow was not",
      """
      One path takes A then B, another B then A; with two CPUs, or with an interrupt between, each \
      holds what the other waits for. Handlers count as paths of their own. Fix one order and \
      keep to it.
      """),
    RuleInfo(
      "deadlock", .deadlocks, "nothing can run any more although work is left",
      .error, because: "the machine hangs",
      """
      Every context waits for another one or is halted, and no interrupt that is still to come \
      changes that. The report says who holds and who waits.
      """),
    RuleInfo(
      "lost-wakeup", .deadlocks, "a task sleeps for ever although what it waited for has happened",
      .error, because: "a task never runs again",
      """
      The test of the condition, the note that one is waiting and the going to sleep were not one \
      step: the wakeup came between them and found nobody. Make them atomic with respect to \
      whoever wakes, interrupts included; `sti; hlt` as a pair does it for an idle CPU.
      """),
    RuleInfo(
      "livelock", .deadlocks, "something runs for ever, and no continuation finishes the work",
      .error, because: "work is never finished",
      """
      From here no state can be reached in which the work is done, though instructions are executed \
      all the time. Typical: contexts that keep undoing each other's steps, or a handler that is \
      entered again at once because its device was never satisfied.
      """),
  ]

  private static let stacks = [
    RuleInfo(
      "stack-overflow", .stacks, "a stack is used beyond its end",
      .error, because: "memory below the stack is overwritten",
      """
      Counted in bytes at the deepest nesting that can be reached: every handler that may still \
      interrupt adds its frame. Bound the nesting, give handlers a stack of their own, or make the \
      stack larger; the report says by how much.
      """),
    RuleInfo(
      "stack-reuse", .stacks, "a frame or save area that is still needed is overwritten",
      .error, because: "a context is lost",
      """
      An entry starts again at a fixed top of stack, or saves registers to a fixed place, while an \
      earlier entry there has not finished. So it goes with an IST entry that is taken twice, an \
      interrupt stack that a nested interrupt restarts, one kernel stack named by the TSS for two \
      tasks, and one static save area for all levels.
      """),
    RuleInfo(
      "stack-unbalanced", .stacks,
      "the kernel stack at the return to user code is not where the entry found it",
      .error, because: "the stack runs out or a return goes astray",
      """
      Something was pushed and not popped, or the other way round: every system call then eats \
      some more of the stack. Look at the exits of nested entries and at error paths.
      """),
    RuleInfo(
      "red-zone-clobbered", .stacks, "live data below the stack pointer is overwritten by an entry",
      .error, because: "live data is overwritten",
      """
      The x86-64 ABI lets leaf functions use 128 bytes below the stack pointer. An interrupt in \
      kernel mode pushes its frame right there. Compile kernels with `-mno-red-zone`, or take every \
      interrupt on an IST stack.
      """),
    RuleInfo(
      "context-corrupted", .stacks, "interrupted code goes on with other registers than it had",
      .error, because: "interrupted code computes with wrong values",
      """
      Whatever is interrupted must resume with every register, flag and stack slot as it was. A \
      register that the entry does not save, two pops in the wrong order, or a save area shared by \
      two nesting levels break this, often far from where the damage shows.
      """),
    RuleInfo(
      "task-on-two-cpus", .stacks,
      "a task runs, or may be picked, before the CPU that suspends it has left its stack",
      .error, because: "two CPUs run on one stack",
      """
      A task must become visible as ready only when its registers are saved and nobody stands on \
      its stack any more. Hold the scheduler's lock across the switch, or keep an on-CPU mark that \
      the next CPU waits for.
      """),
  ]

  private static let entry = [
    RuleInfo(
      "kernel-with-user-gs", .entry, "kernel code can run with the user's GS base",
      .error, because: "a program chooses what the kernel reads and writes",
      """
      The entry decides by the saved CS whether to execute SWAPGS. Between the entry and SWAPGS, \
      and again on the way out, CS says kernel while GS is the user's: an NMI, machine check or \
      fault there must look at GS itself.
      """),
    RuleInfo(
      "kernel-with-user-segments", .entry,
      "kernel code can be interrupted, or uses memory, with the user's data segments",
      .error, because: "a program chooses what the kernel reads and writes",
      """
      On i386 the entry has to load DS, ES and the per-CPU selector before anything depends on \
      them, and the exit must not restore the user's while an interrupt can still come. Use \
      interrupt gates so that the window runs with IF=0.
      """),
    RuleInfo(
      "kernel-on-user-stack", .entry, "ring 0 code can be interrupted on a user's stack",
      .error, because: "a program chooses where the kernel pushes",
      """
      SYSCALL does not switch stacks. Until the kernel has loaded its own stack pointer, and from \
      the moment it loads the user's again, nothing may push: interrupts off by SFMASK, and an IST \
      for what IF does not stop.
      """),
    RuleInfo(
      "interrupts-on-too-early", .entry,
      "IF is 1 in ring 0 before the entry is complete, or after the exit has begun",
      .error, because: "a second entry comes upon a half-made frame",
      """
      A trap gate where an interrupt gate belongs, or an STI before registers and segments are \
      saved, lets a second entry come upon a half-made frame. The same on the way out, once the \
      kernel has begun to restore.
      """),
    RuleInfo(
      "missing-eoi", .entry, "an interrupt is never acknowledged at its controller",
      .error, because: "the line, and every one below it, is dead",
      """
      The in-service bit stays set and blocks that line and every one below it: the timer stops, \
      and preemption with it. Every way out of the handler has to send EOI, the one that switches \
      tasks included.
      """),
    RuleInfo(
      "eoi-after-switch", .entry,
      "a task switch comes before the EOI of the interrupt that caused it",
      .warning, because: "the line is blocked until the old task runs again",
      """
      The next task need not come from an interrupt and so need not send one: until the old task is \
      picked again, the line is blocked. Satisfy the device and send EOI before switching.
      """),
    RuleInfo(
      "spurious-eoi", .entry, "an EOI is sent though no interrupt is in service",
      .warning, because: "it does harm only while another interrupt is in service",
      """
      Sent twice, or for a spurious interrupt, it ends whatever else is in service: a handler of \
      higher priority loses its protection from being nested.
      """),
    RuleInfo(
      "interrupts-lost", .entry, "a CPU idles or runs user code with IF=0 for ever",
      .error, because: "the CPU hangs",
      """
      No interrupt reaches it any more: no preemption, no input, a machine that hangs without any \
      error. Usually flags that were saved too late or restored from the wrong place.
      """),
    RuleInfo(
      "unexpected-exception", .entry, "the kernel raises an exception that it does not expect",
      .error, because: "the kernel faults",
      """
      A fault in ring 0 that is not part of the kernel's normal work, or a vector without a \
      handler. List exceptions that are meant to happen under `expected-exceptions`.
      """),
    RuleInfo(
      "triple-fault", .entry, "an exception cannot be delivered, nor the double fault that follows",
      .error, because: "the machine resets",
      """
      The CPU shuts down, real machines reset. Mostly a stack that overflowed or a task's state \
      that was destroyed: the events before it say which. A double-fault handler on a stack of its \
      own would have seen it.
      """),
  ]

  private static let data = [
    RuleInfo(
      "data-race", .data, "two contexts touch the same bytes, one writes, nothing orders them",
      .warning, because: "what is read or written can be right by chance",
      """
      Neither a lock that both hold nor the interrupt flag keeps them apart. An access of the \
      hardware's width may be harmless in itself; what is computed from it seldom is.
      """),
    RuleInfo(
      "assertion", .data, "an assertion, an invariant or a final condition fails",
      .error, because: "the kernel itself says that its state is wrong",
      """
      The kernel called one of the functions that the job names under `assertions`, or an expression \
      under `invariants` was false in a reachable state.
      """),
  ]
}
