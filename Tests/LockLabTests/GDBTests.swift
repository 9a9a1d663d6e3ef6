import Debugger
import Foundation
import Testing

/// The gdb of the system goes through stored executions.
@Suite(.enabled(if: RealGDB.isInstalled, "gdb is not installed"))
struct GDBTests {
  let workshop: Workshop
  let gdb: RealGDB

  init() throws {
    workshop = try Workshop()
    gdb = RealGDB(workshop: workshop)
  }

  /// From the deadlock back to who took the lock that is waited for.
  @Test func reverse_continue_finds_the_write_that_took_the_lock() throws {
    let id = try gdb.explore("long-write", rule: "deadlock-on-interrupt")
    let (text, seconds) = try gdb.run(
      [
        "continue", "echo [end]\\n", "backtrace", "watch *(int*)&console_lock", "reverse-continue",
        "echo [writer]\\n", "backtrace", "x/1i $pc", "monitor where",
      ], counterexample: id)
    let end = try #require(text.split(separator: "[end]").last?.split(separator: "[writer]").first)
    // Through the interrupt's frame down to the system call.
    let frames = [
      "redraw", "mouse_interrupt", "trap_common", "file_write", "system_call", "trap_dispatch",
      "user_writer",
    ]
    var rest = end[...]
    for frame in frames {
      let found = try #require(rest.range(of: " \(frame) ("), "\(frame) in \(text)")
      rest = rest[found.upperBound...]
    }
    #expect(text.contains("deadlock-on-interrupt, after "))
    #expect(end.contains("Old value = 1\nNew value = 0"))
    let writer = try #require(text.split(separator: "[writer]").last)
    #expect(writer.contains("spin_acquire") && writer.contains("file_write"))
    #expect(!writer.contains("mouse_interrupt"))
    #expect(writer.contains("xchg"))
    #expect(writer.contains(/after \d+ of \d+ instructions/))
    #expect(seconds < 5)
  }

  /// The processor itself wrote it, as it entered a handler: the stop is where that interrupted.
  @Test func reverse_continue_finds_the_entry_that_overwrote_a_frame() throws {
    let id = try gdb.explore("interrupt-stack-restarted", rule: "stack-reuse")
    let (text, _) = try gdb.run(
      [
        "continue", "info symbol $pc", "watch -location *(int*)$esp", "reverse-continue",
        "echo [writer]\\n", "info symbol $pc", "stepi", "info symbol $pc",
      ], counterexample: id)
    let writer = try #require(text.split(separator: "[writer]").last)
    #expect(text.contains("Hardware watchpoint 1: -location"), "\(text)")
    let entered = try #require(text.firstMatch(of: /\n(vector_\d+) in section/)).1
    #expect(writer.contains(/\nuser_compute \+ \d+ in section/), "\(text)")
    #expect(writer.contains("\(entered) in section"))
  }

  /// The last write lies half a million instructions back.
  @Test func a_far_write_is_found_quickly() throws {
    let image = try TinyKernel.write(
      body: """
        .globl far
        far:
          movl $7, counter
          movl $250000, %ecx
        1: decl %ecx
          jnz 1b
          cli
        2: hlt
          jmp 2b
        """, to: "far", in: workshop)
    _ = try workshop.locklab("check", "--image", image, "--from", "far", "--progress", "none")
    let (text, seconds) = try gdb.run(
      [
        "continue", "watch *(int*)&counter", "reverse-continue", "info symbol $pc",
        "monitor where",
      ], counterexample: "1")
    #expect(text.contains("Old value = 7\nNew value = 0"), "\(text)")
    #expect(text.contains("far in section .text"))
    #expect(text.contains(/after 0 of 500\d\d\d instructions/))
    #expect(seconds < 10)
  }

  @Test func breakpoints_steps_and_threads() throws {
    let id = try gdb.explore("long-write", rule: "deadlock-on-interrupt")
    let (text, _) = try gdb.run(
      [
        "info threads", "break mouse_interrupt", "continue", "echo [here]\\n", "x/4i $pc",
        "info symbol $pc", "print $eflags", "stepi", "info symbol $pc", "reverse-stepi",
        "info symbol $pc", "reverse-continue", "echo [begin]\\n", "info symbol $pc", "finish",
      ], counterexample: id)
    #expect(text.contains("\"CPU 0\" (kernel on idle_stack, IF=0)"), "\(text)")
    #expect(text.contains("Breakpoint 1, mouse_interrupt ()"))
    let here = try #require(text.split(separator: "[here]").last)
    #expect(here.contains("=> 0x"))
    let symbols = here.matches(of: /\n(mouse_interrupt(?: \+ \d+)?) in section \.text/).map(\.1)
    #expect(symbols.count == 3 && symbols[0] == symbols[2] && symbols[0] != symbols[1], "\(text)")
    #expect(here.contains("No more reverse-execution history."))
    #expect(here.contains("exploration_start in section .text"))
  }

  @Test func nothing_can_be_changed() throws {
    let id = try gdb.explore("long-write", rule: "deadlock-on-interrupt")
    let (text, _) = try gdb.run(
      [
        "print $eax", "set var $eax = 0x77", "set var *(int*)&console_lock = 5",
        "maintenance flush register-cache", "print $eax != 0x77", "print *(int*)&console_lock",
      ], counterexample: id)
    #expect(text.contains("a recorded execution cannot be changed"), "\(text)")
    #expect(text.contains("Cannot access memory at address"))
    #expect(text.contains("$2 = 1") && text.contains("$3 = 0"))
  }

  /// With the image from its file, and the server on gdb's own pipe.
  @Test func over_a_pipe_with_symbols_from_the_file() throws {
    try workshop.writeJob([(.broken, "{violated: [interrupts-lost]}")])
    _ = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    let command = try #require(workshop.process([]).executableURL).path
    let text = try gdb.gdb(
      [
        "target remote | \(command) replay 1 --gdb -", "break broken", "info symbol $pc",
        "continue",
        "monitor rule", "reverse-continue",
      ], image: workshop.path("broken.elf"))
    #expect(text.contains("broken in section .text"), "\(text)")
    #expect(text.contains("Counterexample 1: interrupts-lost"))
    #expect(text.contains("No more reverse-execution history."))
  }

  /// gdb takes both descriptions for what they are.
  @Test func gdb_takes_both_target_descriptions() throws {
    // Of x86-64 there need not be a counterexample: the description alone is asked for.
    for (name, architecture, last) in [
      ("i386", "i386", "cpl"), ("x86-64", "i386:x86-64", "k_gs_base"),
    ] {
      let file = try workshop.write("\(name).xml", targetDescription(is64Bit: name == "x86-64"))
      let text = try gdb.gdb([
        "set architecture \(architecture)", "set tdesc filename \(file)", "maint print xml-tdesc",
        "maint print raw-registers",
      ])
      #expect(!text.lowercased().contains("warning"), "\(text)")
      #expect(text.contains(" \(last) "), "\(text)")
    }
  }
}
