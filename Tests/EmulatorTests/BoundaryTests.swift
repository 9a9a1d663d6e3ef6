import Emulator
import Testing

/// Instruction boundaries: shadows, NMI, HLT, events, and deliveries that fail. What QEMU cannot be
/// asked, or answers differently, is held against the manual here.
@Suite struct BoundaryTests {
  let machine = Machine(ramBytes: 1 << 20)
  var c: CPU { machine.cpus[0] }

  enum At {
    static let gdt: UInt64 = 0x1000
    static let idt: UInt64 = 0x2000
    static let code: UInt64 = 0x4000
    /// Handler of vector n: 0x5000 + 16 n; one IRET.
    static let handlers: UInt64 = 0x5000
    static let stack: UInt64 = 0x9000
  }

  /// Flat ring 0, an interrupt gate for every vector, controllers at 20h and 28h, all unmasked.
  init() {
    let memory = machine.memory
    memory.setValue(at: At.gdt + 8, size: 8, 0x00CF_9B00_0000_FFFF)
    memory.setValue(at: At.gdt + 16, size: 8, 0x00CF_9300_0000_FFFF)
    for vector in 0..<256 as Range<UInt64> {
      let handler = At.handlers + vector * 16
      memory.setValue(at: At.idt + vector * 8, size: 8, handler | 0x0008_0000 | 0x8E00 << 32)
      memory.setByte(at: handler, 0xCF)
    }
    for segment in 0..<6 {
      c.setSegment(
        segment, selector: segment == CPU.Segment.cs ? 8 : 16, base: 0, limit: 0xFFFF_FFFF,
        attributes: segment == CPU.Segment.cs ? 0xC09B : 0xC093)
    }
    c[CPU.Word.gdtrBase] = At.gdt
    c[CPU.Word.gdtrLimit] = 23
    c[CPU.Word.idtrBase] = At.idt
    c[CPU.Word.idtrLimit] = 2047
    c[CPU.Word.cr0] = 0x11
    c.rflags = 2
    c.rsp = At.stack
    c.rip = At.code
    for (port, value) in [
      (0x20, 0x11), (0xA0, 0x11), (0x21, 0x20), (0xA1, 0x28), (0x21, 4), (0xA1, 2), (0x21, 1),
      (0xA1, 1), (0x21, 0), (0xA1, 0),
    ] { machine.writePort(UInt16(port), size: 1, UInt32(value)) }
  }

  func code(_ bytes: [UInt8]) {
    for (index, byte) in bytes.enumerated() {
      machine.memory.setByte(at: At.code + UInt64(index), byte)
    }
  }

  @discardableResult func step(_ count: Int = 1) -> Stop { machine.run(cpu: 0, limit: count) }

  /// Runs one instruction of an observed run, whatever it is.
  @discardableResult func observe() -> Stop {
    machine.run(cpu: 0, limit: 1, passFirst: true)
  }

  func handler(_ vector: UInt64) -> UInt64 { At.handlers + vector * 16 }

  // MARK: Shadows

  @Test func sti_that_sets_IF_holds_interrupts_off_for_one_instruction() {
    code([0xFB, 0x90, 0x90])
    machine.raise(line: 1)
    step()
    #expect(c[CPU.Word.shadow] == 1)
    #expect(!machine.isDeliverable(line: 0, cpu: 0))
    step()
    #expect(c.rip == At.code + 2, "the NOP was executed, the interrupt not yet taken")
    #expect(c[CPU.Word.shadow] == 0)
    step()
    #expect(c.rip == At.code + 2, "the handler's IRET came back")
    #expect(machine.linesInService == 2)
  }

  @Test func sti_with_IF_set_casts_no_shadow() {
    code([0xFB, 0x90])
    c.rflags |= CPU.Flag.if
    step()
    #expect(c[CPU.Word.shadow] == 0)
    #expect(machine.isDeliverable(line: 1, cpu: 0))
  }

  @Test func cli_in_the_shadow_of_STI_wins() {
    code([0xFB, 0xFA, 0x90])
    machine.raise(line: 1)
    step(3)
    #expect(machine.linesInService == 0)
    #expect(machine.pendingLine == 1)
  }

  @Test func mov_SS_and_POP_SS_hold_interrupts_off_LSS_does_not() {
    c.rflags |= CPU.Flag.if
    c[CPU.Register.ax] = 0x10
    code([0x8E, 0xD0, 0x16, 0x17, 0x0F, 0xB2, 0x25, 0x00, 0x60, 0, 0])
    machine.memory.setValue(at: 0x6000, size: 6, 0x0010_0000_8800)
    step()
    #expect(c[CPU.Word.shadow] == 2)
    step()
    #expect(c[CPU.Word.shadow] == 0)
    step()
    #expect(c[CPU.Word.shadow] == 2)
    step()
    #expect(c.rsp == 0x8800)
    #expect(c[CPU.Word.shadow] == 0)
  }

  @Test func mov_SS_holds_NMI_off_too_STI_does_not() {
    code([0x8E, 0xD0, 0x90])
    c[CPU.Register.ax] = 0x10
    step()
    #expect(!machine.acceptsNMI(cpu: 0))
    step()
    #expect(machine.acceptsNMI(cpu: 0))
    c.rip = At.code
    code([0xFB, 0x90])
    step()
    #expect(machine.acceptsNMI(cpu: 0))
  }

  @Test func popf_and_IRET_cast_no_shadow() {
    code([0x68, 0x02, 0x02, 0, 0, 0x9D, 0x90])
    step(2)
    #expect(c.interruptsEnabled)
    #expect(machine.isDeliverable(line: 1, cpu: 0))
  }

  // MARK: NMI

  @Test func nmi_ignores_IF_and_blocks_itself_until_IRET() {
    code([0x90, 0x90])
    machine.memory.setByte(at: handler(2), 0x90)
    machine.memory.setByte(at: handler(2) + 1, 0xCF)
    machine.raiseNMI(cpu: 0)
    step()
    #expect(c.rip == handler(2) + 1)
    #expect(!machine.acceptsNMI(cpu: 0))
    machine.raiseNMI(cpu: 0)
    step()
    #expect(c.rip == At.code, "IRET; the latched NMI comes before the next instruction")
    step()
    #expect(c.rip == handler(2) + 1)
    step(2)
    #expect(c.rip == At.code + 1)
    #expect(machine.acceptsNMI(cpu: 0))
  }

  @Test func nmi_goes_before_an_external_interrupt() {
    code([0x90])
    c.rflags |= CPU.Flag.if
    machine.raise(line: 1)
    machine.raiseNMI(cpu: 0)
    machine.memory.setBase()
    #expect(observe() == .event)
    #expect(machine.event.kind == .nmi)
    #expect(c.rip == handler(2))
    #expect(machine.pendingLine == 1)
  }

  @Test func iret_that_faults_unblocks_NMI() {
    code([0x90])
    machine.memory.setByte(at: handler(2), 0xCF)
    machine.raiseNMI(cpu: 0)
    machine.memory.setBase()
    observe()
    #expect(!machine.acceptsNMI(cpu: 0))
    machine.memory.setValue(at: c.rsp + 4, size: 4, 0x400)
    observe()
    #expect(machine.event.kind == .exception)
    #expect(machine.event.vector == 13)
    #expect(machine.event.errorCode == 0x400)
    #expect(machine.acceptsNMI(cpu: 0))
  }

  // MARK: HLT

  @Test func hlt_sleeps_until_a_deliverable_interrupt() {
    code([0xFB, 0xF4, 0x90])
    #expect(step(10) == .halted)
    #expect(c.rip == At.code + 2)
    machine.writePort(0x21, size: 1, 0x02)
    machine.raise(line: 1)
    #expect(step(10) == .halted, "masked")
    machine.raise(line: 3)
    step(1)
    #expect(c[CPU.Word.activity] == CPU.Activity.running)
    #expect(c.rip == At.code + 2)
  }

  @Test func hlt_with_IF_clear_wakes_by_NMI_alone() {
    code([0xF4, 0x90])
    machine.raise(line: 1)
    #expect(step(10) == .halted)
    machine.raiseNMI(cpu: 0)
    step(1)
    #expect(c.rip == At.code + 1)
    #expect(c[CPU.Word.activity] == CPU.Activity.running)
  }

  @Test func timer_wakes_a_halted_plain_run() {
    // sti; hlt; inc ecx; jmp back to hlt. Handler 20h: push eax; EOI; pop eax; iret.
    code([0xFB, 0xF4, 0x41, 0xEB, 0xFC])
    for (index, byte) in [0x50, 0xB0, 0x20, 0xE6, 0x20, 0x58, 0xCF].enumerated() {
      machine.memory.setByte(at: handler(0x20) + UInt64(index), UInt8(byte))
    }
    for (port, value) in [(0x43, 0x34), (0x40, 0x9C), (0x40, 0x2E)] {
      machine.writePort(UInt16(port), size: 1, UInt32(value))
    }
    #expect(step(1 + 100 * 8) == .limit)
    #expect((99...101).contains(c[CPU.Register.cx]))
    machine.timersRun = false
    #expect(step(100) == .halted)
  }

  // MARK: Events and undo

  @Test func events_describe_entry_and_return() {
    code([0xCD, 0x80, 0xFB, 0x90, 0xFA])
    machine.memory.setBase()
    #expect(observe() == .event)
    var event = machine.event
    #expect(event.kind == .software)
    #expect(event.vector == 0x80)
    #expect(event.rip == At.code)
    #expect(event.oldSP == At.stack)
    #expect(event.newSP == At.stack - 12)
    #expect(machine.memory.value(at: At.stack - 12, size: 4) == At.code + 2)
    #expect(observe() == .event)
    event = machine.event
    #expect(event.kind == .return)
    #expect(event.rip == handler(0x80))
    #expect(event.newSP == At.stack)
    #expect(observe() == .event)
    #expect(machine.event.kind == .interruptFlag)
    #expect(machine.event.oldFlags & CPU.Flag.if == 0)
    observe()
    machine.raise(line: 5)
    #expect(observe() == .event)
    event = machine.event
    #expect(event.kind == .interrupt)
    #expect(event.vector == 0x25)
    #expect(event.value == 5)
    #expect(event.rip == At.code + 4)
  }

  @Test func undo_takes_back_an_interrupt_with_its_device_state() {
    code([0x90])
    c.rflags |= CPU.Flag.if
    machine.memory.setBase()
    let fingerprint = machine.memory.fingerprint
    let words = (0..<CPU.wordCount).map { c[$0] }
    machine.raise(line: 4)
    #expect(observe() == .event)
    #expect(machine.linesInService == 0x10)
    machine.memory.undo(to: 0)
    machine.memory.fingerprint = fingerprint
    for (index, word) in words.enumerated() { c[index] = word }
    #expect(machine.linesInService == 0)
    #expect(machine.memory.value(at: At.stack - 12, size: 8) == 0)
    machine.raise(line: 6)
    #expect(observe() == .event)
    #expect(machine.event.vector == 0x26)
  }

  @Test func ports_are_events_and_EOI_is_described() {
    code([0xB0, 0x20, 0xE6, 0x20, 0xE4, 0x61])
    machine.raise(line: 4)
    _ = machine.acknowledgeInterrupt()
    machine.memory.setBase()
    observe()
    #expect(observe() == .event)
    #expect(machine.event.kind == .output)
    #expect(machine.event.vector == 0x20)
    #expect(machine.event.value == 0x20)
    #expect(machine.lastEndOfInterrupt?.endedLevel == 4)
    #expect(observe() == .event)
    #expect(machine.event.kind == .input)
    #expect(machine.event.vector == 0x61)
  }

  @Test func time_stamp_comes_from_outside_in_observed_runs() {
    code([0x0F, 0x31, 0x0F, 0x31, 0x0F, 0x31])
    step()
    #expect(c[CPU.Register.ax] == 0, "no instruction was retired before it")
    machine.memory.setBase()
    machine.setObservedTime(0x1_0000_0007)
    observe()
    #expect(c[CPU.Register.ax] == 7)
    #expect(c[CPU.Register.dx] == 1)
    machine.timeStampCounter = { 42 }
    observe()
    #expect(c[CPU.Register.ax] == 42)
  }

  // MARK: Failures

  @Test func triple_fault_leaves_the_registers() {
    code([0x0F, 0x0B])
    c[CPU.Word.idtrLimit] = 0
    let words = (0..<24).map { c[$0] }
    #expect(step(5) == .shutdown)
    #expect(c[CPU.Word.activity] == CPU.Activity.shutdown)
    for index in 0..<24 where index != CPU.Word.activity { #expect(c[index] == words[index]) }
    machine.raiseNMI(cpu: 0)
    #expect(step(5) == .shutdown)
  }

  @Test func unknown_port_stops_the_run_before_the_instruction() {
    code([0x66, 0xBA, 0x00, 0x03, 0xEE])
    #expect(step(5) == .unmodelled)
    #expect(machine.unmodelled?.hasSuffix("to port 0x300, 1 byte") == true)
    #expect(c.rip == At.code + 4)
  }

  @Test func unmodelled_instructions_are_named() {
    code([0x0F, 0x01, 0xC8])
    #expect(step(5) == .unmodelled)
    #expect(machine.unmodelled?.lowercased().contains("monitor") == true)
  }

  @Test func beyond_RAM_nothing_is_modelled() {
    code([0xA1, 0x30, 0x00, 0xD8, 0xFE])
    #expect(step(5) == .unmodelled)
    #expect(
      machine.unmodelled
        == "read of physical address 0xfed80030: beyond RAM, no device is modelled there")
  }

  @Test func exit_port_ends_the_run() {
    code([0xB0, 0x05, 0xE6, 0xF4, 0x90])
    #expect(step(5) == .exit)
    #expect(machine.exitValue == 5)
    #expect(machine.event.value == 5)
  }

  @Test func string_input_goes_element_by_element() {
    // rep insb from port 61h
    code([0xF3, 0x6C, 0x90])
    c[CPU.Register.dx] = 0x61
    c[CPU.Register.cx] = 3
    c[CPU.Register.di] = 0x8000
    step()
    #expect(c[CPU.Register.cx] == 2)
    #expect(c.rip == At.code)
    step(2)
    #expect(c[CPU.Register.cx] == 0)
    #expect(c[CPU.Register.di] == 0x8003)
    #expect(c.rip == At.code + 2)
  }
}
