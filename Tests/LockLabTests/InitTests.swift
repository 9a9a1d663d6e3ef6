import Foundation
import Testing

/// `locklab init`: a first job for an image.
@Suite struct InitTests {
  @Test func the_job_that_it_writes_runs() throws {
    let workshop = try Workshop()
    _ = try TinyKernel.idle.build(in: workshop)
    let first = try workshop.locklab("init", "idle.elf")
    #expect(first.status == 0 && first.errors == "", "\(first)")
    #expect(
      first.output == """
        locklab.yml: a first job for idle.elf (i386)
          begins at idle
          0 locks by name and shape
          1 interrupt lines open, 1 stacks
        Next: locklab check locklab.yml

        """)
    let job = try String(contentsOfFile: workshop.path("locklab.yml"), encoding: .utf8)
    #expect(job.hasPrefix("# yaml-language-server: $schema=locklab.schema.json\n"))
    #expect(job.contains("  start: {symbol: idle}\n"))
    #expect(job.contains("    - {name: timer, line: 0}  # vector 32, timer\n"), "\(job)")
    let check = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    #expect(check.status == 0, "\(check)")
    let again = try workshop.locklab("init", "idle.elf")
    #expect(
      again
        == Outcome(
          status: 3, output: "",
          errors: "locklab: locklab.yml: is there already; name another with --output\n"))
  }

  @Test func locks_are_found_by_name_and_shape() throws {
    let workshop = try Workshop()
    let body = """
        jmp idle
      .globl spin_lock_irqsave, spin_unlock_irqrestore, mutex_acquire, mutex_release, panic, swtch
      .type spin_lock_irqsave, @function
      spin_lock_irqsave:
        pushf
        popl %eax
        cli
        movl 4(%esp), %edx
        movl $1, %ecx
      1: xchgl %ecx, (%edx)
        testl %ecx, %ecx
        jnz 1b
        ret
      .size spin_lock_irqsave, .-spin_lock_irqsave
      .type spin_unlock_irqrestore, @function
      spin_unlock_irqrestore:
        movl 4(%esp), %edx
        movl $0, (%edx)
        pushl 8(%esp)
        popf
        ret
      .size spin_unlock_irqrestore, .-spin_unlock_irqrestore
      .type panic, @function
      panic: cli
        hlt
      .size panic, .-panic
      .globl idle
      idle: sti
      1: hlt
        jmp 1b
      """
    try TinyKernel.write(body: body, to: "kernel", in: workshop)
    let outcome = try workshop.locklab("init", "kernel.elf", "--output", "jobs.yml")
    #expect(outcome.status == 0, "\(outcome)")
    let job = try String(contentsOfFile: workshop.path("jobs.yml"), encoding: .utf8)
    #expect(
      job.contains(
        "    - {acquire: spin_lock_irqsave, release: spin_unlock_irqrestore, kind: value}  # saves "
          + "EFLAGS, CLI; its partner gives IF back\n"), "\(job)")
    #expect(job.contains("  panics: [panic]\n"))
    let check = try workshop.locklab("check", "jobs.yml", "--progress", "none")
    #expect(check.status == 0, "\(check)")
  }

  @Test func what_cannot_be_looked_at_is_said() throws {
    let workshop = try Workshop()
    _ = try TinyKernel.idle.build(in: workshop)
    try workshop.expectFailure("init", "none.elf", says: "none.elf: no such file")
    try workshop.expectFailure(
      "init", "idle.elf", "--from", "idel",
      says: "idle.elf has no symbol 'idel'; did you mean 'idle' or 'idt'?")
    try workshop.write("text.elf", "no image")
    try workshop.expectFailure("init", "text.elf", says: "text.elf: not an ELF file")
  }
}
