/// One mechanism of interrupts, preemption and locks that scenarios exercise: what `covers` names.
public struct Mechanism: Sendable, Equatable {
  /// `M1` to `M35`.
  public var name: String
  public var summary: String
  public var explanation: String

  public static let all: [Mechanism] = rows.enumerated().map { index, row in
    Mechanism(name: "M\(index + 1)", summary: row.0, explanation: row.1)
  }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  public static func info(_ name: String) -> Mechanism? { byName[name] }

  private static let rows: [(String, String)] = [
    (
      "user threads have two stacks, kernel threads one",
      "Which frame an interrupt leaves depends on the ring in the CS that it saved."
    ),
    (
      "the frame depends on the privilege change",
      """
      i386 pushes SS:ESP only when the ring changes, on the stack that TSS.ESP0 names; x86-64 always \
      does. A handler that reads them from a frame of the same ring reads something else.
      """
    ),
    (
      "where registers are saved: one slot per task, or a frame on its stack",
      "A nested entry overwrites the one slot; frames on the stack nest by themselves."
    ),
    (
      "system calls enable interrupts once their registers are saved",
      "The timer then interrupts ring 0, and every level needs a save area of its own."
    ),
    ("IRET brings back EFLAGS", "IF included: interrupts come on exactly with the user's code."),
    (
      "nested frames pile up on one stack",
      "Only the stack's size or interrupt priorities bound how many."
    ),
    (
      "one interrupt stack per CPU",
      "Entered at the outermost level only: a nested interrupt must not start at its top again."
    ),
    (
      "preemption from an interrupt stack that belongs to no task",
      """
      The next task is chosen from states saved at their last interrupts; none of a task's registers \
      may stay behind on the interrupt stack.
      """
    ),
    (
      "exceptions and system calls that never preempt",
      "They switch stacks only when they come from ring 3."
    ),
    (
      "one kernel stack per thread, and a handler that calls the task switcher",
      "The switcher swaps stacks and returns into whatever called it in the next task."
    ),
    (
      "device and EOI before the switch",
      "Else the interrupt repeats, or its line stays blocked until the old task runs again."
    ),
    (
      "everything unwinds last in, first out",
      "At the return to user code the kernel stack is as empty as at the entry."
    ),
    (
      "a resumed task may have been suspended by another kind of caller",
      "One that yielded is resumed by a handler, and the other way round: both must fit."
    ),
    (
      "the SWAPGS window",
      """
      Between entry and SWAPGS, and on the way out, CS says kernel and GS is the user's; NMI, machine \
      check and page fault can come right there.
      """
    ),
    (
      "the same window for DS, ES, FS and GS selectors on i386",
      "Kernel code must not be interrupted, nor touch memory, before they are its own."
    ),
    (
      "interrupt gates, not trap gates",
      "An entry that needs a window with IF=0 must get it from the gate (or from a task gate's TSS)."
    ),
    (
      "STI with care",
      "Only once the entry is complete, and with enough stack left for what may then nest."
    ),
    ("running out of kernel stack", "Deep nesting, seen at its worst case in bytes."),
    (
      "mutual exclusion that disables interrupts while a lock is held",
      "Also as a count of held locks per CPU, where only the outermost release enables again."
    ),
    (
      "acquire returns EFLAGS, release takes them",
      "Interrupts come back with the outermost release only."
    ),
    ("first lock taken, last released", "Anything else restores flags in the wrong order."),
    (
      "the entry's stack comes from the CPU's own TSS",
      "Each CPU has its TSS and descriptor; one stack per CPU is enough only without preemption."
    ),
    (
      "no stack switch from kernel to kernel",
      "So x86-64 kernels have no red zone, or an IST for every vector that can come there."
    ),
    (
      "seven IST entries per TSS",
      "A vector that names one starts at that stack's top, always."
    ),
    (
      "two interrupts in flight on one IST entry",
      "Nested, shared between vectors, or of a task suspended there: the second overwrites the first."
    ),
    (
      "leaving the IST stack before STI",
      "By pointing the entry at a fresh stack, or by moving to the task's kernel stack."
    ),
    (
      "NMI and machine check come with IF=0",
      "They need an IST, or must load a stack that is known to be good."
    ),
    (
      "a page fault on its own stack",
      "For when the kernel stack itself overflowed; else double fault and triple fault follow."
    ),
    ("an IST for every vector", "Does away with the red-zone question."),
    ("many stacks", "For isolation, and different approaches side by side."),
    (
      "SYSCALL switches no stack",
      "It runs with interrupts off by SFMASK, changes the stack by hand, saves, then enables."
    ),
    (
      "SYSRET needs the user's stack first",
      "Interrupts off, load the stack, return; IF comes back from R11."
    ),
    ("a stack for each interruption level", "Nested levels never share one."),
    (
      "a long handler that enables interrupts and queues what comes meanwhile",
      """
      Nested interrupts only queue and leave; the long one looks again before it ends. One at a time, \
      and nothing lost between the last look and CLI.
      """
    ),
    (
      "two save areas for each vector",
      "One for the outer, one for the nested entry; a third level must be impossible or bounded."
    ),
  ]
}
