import Foundation
import Model
import Testing

@Suite struct ShowTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  /// What `show` prints, with the time of the run taken out.
  private func page(width: Int) throws -> String {
    let outcome = try workshop.locklab("show", "1", environment: ["COLUMNS": "\(width)"])
    #expect(outcome.status == 0 && outcome.errors == "")
    return outcome.output.replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/, with: "TIME")
  }

  @Test func a_page_in_lanes() throws {
    try StoredSample.write(to: workshop)
    #expect(
      try page(width: 100) == """
        Counterexample 1  deadlock-on-interrupt  new, unreviewed
        The keyboard interrupt waits for console_lock, which the system call that it interrupted holds.

        scenario      reader: the console's lock leaves interrupts on
        image         core (i386, abababababab, builtin:core-i386)
        injected      keyboard
        instructions  1,516
        locks         console_lock
        functions     console_write → keyboard_interrupt
        fingerprint   60242a6c8a274a260a29f5cebc4f9492

        What happened
         step  IF  held          task reader    system call    interrupt 33 (keyboard)
            0  1   -             ● runs in user code
                                 │ user.swift:12 in reader_main
                                 │ 0x401000: mov eax, 0x04
          811  0   -             ├──────────────● write, by int 0x80
                                 │              │ write
                                 │              │ 0x401010: int 0x80
        1,204  1   console_lock  │              ● acquires console_lock
                                 │              │ console.swift:41 in Spinlock.acquire (inlined at
                                 │              │ console.swift:88) in console_write+0x1c
                                 │              │ 0x101234: xchg dword ptr [ecx], eax
        1,204  0   console_lock  │              ├──────────────● keyboard, vector 33
                                 │              │              │ entry.S:20 in interrupt_33
                                 │              │              │ 0x102000: push 0x00
        1,516  0   console_lock  │              │              ✗ waits for ever: only the code that it
                                 │              │              │ interrupted could release console_lock
                                 │              │              │ console.swift:41 in console_write+0x1e
                                 │              │              │ 0x101236: pause

        Who holds
          The system call of task reader holds console_lock.

        Who waits
          Interrupt 33 waits for console_lock.

        Stacks at the end
          interrupt 33 (keyboard)
            #0  console_write+0x1e       Sources/KernelCore/Kernel/console.swift:41
                  Spinlock.acquire (inlined at Sources/KernelCore/Kernel/console.swift:88)
            #1  keyboard_interrupt+0x40  Sources/KernelCore/Kernel/keyboard.swift:9
          system call
            (no frames)

        Schedule
          run 1,204 instructions; raise keyboard; run 312 instructions; then the rule is broken.

        Seen once
          run 1  TIME  reader  abababababab

        Replay it: locklab replay 1

        """)
  }

  @Test func a_narrow_page_keeps_its_lanes() throws {
    try StoredSample.write(to: workshop)
    #expect(
      try page(width: 60) == """
        Counterexample 1  deadlock-on-interrupt  new, unreviewed
        The keyboard interrupt waits for console_lock, which the
        system call that it interrupted holds.

        scenario      reader: the console's lock leaves interrupts
                      on
        image         core (i386, abababababab, builtin:core-i386)
        injected      keyboard
        instructions  1,516
        locks         console_lock
        functions     console_write → keyboard_interrupt
        fingerprint   60242a6c8a274a260a29f5cebc4f9492

        What happened
                                 task reader
                                 │  system call
         step  IF  held          │  │  interrupt 33 (keyboard)
            0  1   -             ● runs in user code
                                 │ user.swift:12 in reader_main
                                 │ 0x401000: mov eax, 0x04
          811  0   -             ├──● write, by int 0x80
                                 │  │ write
                                 │  │ 0x401010: int 0x80
        1,204  1   console_lock  │  ● acquires console_lock
                                 │  │ console.swift:41 in
                                 │  │ Spinlock.acquire (inlined at
                                 │  │ console.swift:88) in
                                 │  │ console_write+0x1c
                                 │  │ 0x101234: xchg dword ptr
                                 │  │ [ecx], eax
        1,204  0   console_lock  │  ├──● keyboard, vector 33
                                 │  │  │ entry.S:20 in interrupt_33
                                 │  │  │ 0x102000: push 0x00
        1,516  0   console_lock  │  │  ✗ waits for ever: only the
                                 │  │  │ code that it interrupted
                                 │  │  │ could release console_lock
                                 │  │  │ console.swift:41 in
                                 │  │  │ console_write+0x1e
                                 │  │  │ 0x101236: pause

        Who holds
          The system call of task reader holds console_lock.

        Who waits
          Interrupt 33 waits for console_lock.

        Stacks at the end
          interrupt 33 (keyboard)
            #0  console_write+0x1e       Sources/KernelCore/Kernel/console.swift:41
                  Spinlock.acquire (inlined at
                  Sources/KernelCore/Kernel/console.swift:88)
            #1  keyboard_interrupt+0x40  Sources/KernelCore/Kernel/keyboard.swift:9
          system call
            (no frames)

        Schedule
          run 1,204 instructions; raise keyboard; run 312
          instructions; then the rule is broken.

        Seen once
          run 1  TIME  reader  abababababab

        Replay it: locklab replay 1

        """)
    for line in try page(width: 60).split(separator: "\n") where line.contains("│") {
      #expect(line.count <= 60)
    }
  }

  @Test func each_cpu_is_named_where_there_are_several() throws {
    var counterexample = StoredSample.deadlock
    counterexample.events = [
      TraceEvent(
        kind: .acquire, step: 1, cpu: 0, context: "task a", text: "acquires left", address: 1,
        held: ["left"]),
      TraceEvent(
        kind: .acquire, step: 2, cpu: 1, context: "task b", text: "acquires right", address: 2,
        held: ["right"]),
      TraceEvent(
        kind: .violation, step: 3, cpu: 0, context: "task a", text: "waits for right", address: 3,
        held: ["left"]),
    ]
    counterexample.schedule = Schedule(steps: [
      .init(cpu: 0, raise: nil, instructions: 1), .init(cpu: 1, raise: nil, instructions: 1),
      .init(cpu: 0, raise: nil, instructions: 1),
    ])
    try StoredSample.write(to: workshop, counterexample, cpus: 2)
    let page = try page(width: 80)
    #expect(
      page.contains(
        """
        What happened
        step  CPU  IF  held   task a        task b
           1  0    0   left   ● acquires left
           2  1    0   right  │             ● acquires right
           3  0    0   left   ✗ waits for right

        """), "\(page)")
    #expect(
      page.contains(
        "  CPU 0 runs 1 instruction; CPU 1 runs 1 instruction; CPU 0 runs 1 instruction;\n"
          + "  then the rule is broken.\n"), "\(page)")
  }

  @Test func a_lane_ends_where_its_context_returns_and_comes_back_with_it() throws {
    var counterexample = StoredSample.deadlock
    func event(_ kind: TraceEvent.Kind, _ step: Int, _ context: String) -> TraceEvent {
      TraceEvent(
        kind: kind, step: step, cpu: 0, context: context, text: "\(kind.rawValue)", address: 0)
    }
    counterexample.events = [
      event(.start, 0, "task"), event(.interrupt, 5, "timer"), event(.return, 9, "timer"),
      event(.access, 10, "task"), event(.interrupt, 11, "timer"), event(.violation, 12, "timer"),
    ]
    try StoredSample.write(to: workshop, counterexample)
    let page = try page(width: 80)
    #expect(
      page.contains(
        """
        step  IF  held  task                timer
           0  0   -     ● start
           5  0   -     ├───────────────────● interrupt
           9  0   -     │                   ○ return
          10  0   -     ● access
          11  0   -     ├───────────────────● interrupt
          12  0   -     │                   ✗ violation

        """), "\(page)")
  }

  @Test func names_from_an_image_cannot_steer_the_terminal() throws {
    var counterexample = StoredSample.deadlock
    let evil = "evil\u{1B}[2J\u{7}\u{202E}\n"
    counterexample.title = evil
    counterexample.events[0].context = evil
    counterexample.events[0].function = evil
    counterexample.events[0].held = [evil]
    counterexample.events[0].location = SourceLocation(file: evil, line: 1)
    counterexample.stacks[0].frames[0].function = evil
    counterexample.holders = [evil]
    try StoredSample.write(to: workshop, counterexample)
    let page = try page(width: 120)
    #expect(page.contains("evil\\x1b[2J\\x07\\u{202e}\\x0a"))
    let list = try workshop.locklab("query").output
    for text in [page, list] {
      #expect(
        !text.unicodeScalars.contains {
          $0 != "\n" && ($0.properties.generalCategory == .control || $0 == "\u{202E}")
        })
    }
  }

  @Test func json_holds_the_whole_counterexample() throws {
    try StoredSample.write(to: workshop)
    let outcome = try workshop.locklab("show", "1", "--format", "json")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(object["rule"] as? String == "deadlock-on-interrupt")
    #expect((object["events"] as? [Any])?.count == 5)
    #expect((object["stacks"] as? [Any])?.count == 2)
    #expect(object["steps"] as? Int == 1516)
    #expect((object["status"] as? [String: String])?["machine"] == "new")
  }

  @Test func the_start_of_the_fingerprint_names_a_counterexample_too() throws {
    try StoredSample.write(to: workshop)
    let prefix = String(StoredSample.deadlock.identity.fingerprint.prefix(6))
    let outcome = try workshop.locklab("show", prefix)
    #expect(outcome.output.hasPrefix("Counterexample 1  deadlock-on-interrupt"))
  }

  @Test func a_terminal_without_colour_gets_none() throws {
    try StoredSample.write(to: workshop)
    #expect(!(try page(width: 100)).contains("\u{1B}"))
  }
}
