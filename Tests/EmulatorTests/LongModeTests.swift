import Emulator
import Testing

/// What 64-bit mode does by the manual where QEMU does something else (see `ImageTests`), and what an image
/// cannot show.
@Suite struct LongModeTests {
  private let test = LongTestMachine()
  private var cpu: CPU { test.cpu }
  private var machine: Machine { test.machine }
  private let outside: UInt64 = 0x0000_8000_0000_0000

  /// Ring 0, from where `code` is executed.
  private func supervisor(_ code: [UInt8]) {
    test.write(code)
    cpu[CPU.Word.cpl] = 0
    cpu.setSegment(
      CPU.Segment.cs, selector: 8, base: 0, limit: 0xFFFF_FFFF, attributes: 0xA09B)
    cpu.setSegment(CPU.Segment.ss, selector: 0, base: 0, limit: 0, attributes: 0)
    cpu.rip = LongArena.codeBase
  }

  // MARK: Addresses that are not canonical. Intel SDM Vol. 1 §3.3.7.1.

  @Test(arguments: [
    ([0x48, 0x8B, 0x03] as [UInt8], 13),  // mov rax, [rbx]
    ([0x48, 0x8B, 0x45, 0], 12),  // mov rax, [rbp]
    ([0x48, 0x89, 0x04, 0x24], 12),  // mov [rsp], rax
    ([0x50], 12),  // push rax
    ([0x58], 12),  // pop rax
    ([0xC9], 12),  // leave
    ([0xFF, 0xE3], 13),  // jmp rbx
    ([0xFF, 0xD3], 13),  // call rbx
    ([0xF3, 0xA4], 13),  // rep movsb
  ])
  func an_address_that_is_not_canonical_faults(_ code: [UInt8], _ vector: Int) {
    test.write(code)
    for register in [1, 3, 5, 6, 7] { cpu[register] = outside }
    cpu.rsp = vector == 12 ? outside + 8 : LongArena.base + 0x7000
    let sp = cpu.rsp
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == vector)
    #expect(test.faultingIP == LongArena.codeBase)
    #expect(test.errorCode == 0)
    #expect(machine.memory.word(at: LongTestMachine.exceptionStack - 16) == sp)
  }

  /// The trap of CVE-2012-0217: the fault comes in ring 0 with the user's stack pointer.
  @Test func sysret_to_an_address_that_is_not_canonical_faults_in_ring_0() {
    supervisor([0x48, 0x0F, 0x07])
    cpu[CPU.Word.efer] |= 1
    cpu[CPU.Register.cx] = outside
    cpu.rsp = 0x1234
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 13)
    #expect(machine.event.oldCPL == 0)
    #expect(machine.memory.word(at: LongTestMachine.exceptionStack - 16) == 0x1234)
    #expect(machine.memory.word(at: LongTestMachine.exceptionStack - 32) == 8)
  }

  @Test(arguments: [0xC000_0082, 0xC000_0100, 0xC000_0101, 0xC000_0102, 0x175, 0x176] as [UInt64])
  func wrmsr_refuses_an_address_that_is_not_canonical(_ number: UInt64) {
    supervisor([0x0F, 0x30])
    cpu[CPU.Register.cx] = number
    cpu[CPU.Register.dx] = outside >> 32
    cpu[CPU.Register.ax] = 0
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 13)
  }

  @Test func lidt_refuses_a_base_that_is_not_canonical() {
    supervisor([0x0F, 0x01, 0x1B])  // lidt [rbx]
    cpu[3] = LongArena.data.lowerBound
    machine.memory.setValue(at: 0x2F02, size: 8, outside)
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 13)
  }

  // MARK: Error codes

  @Test func a_gate_is_named_by_its_vector_times_eight() {
    test.write([0xCD, 0x05])  // int 5, whose gate has DPL 0
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 13)
    #expect(test.errorCode == 5 * 8 + 2)
  }

  @Test func a_reserved_bit_is_a_protection_violation() {
    // Bit 45 of the entry for the second place of the data: beyond MAXPHYADDR.
    let linear = LongArena.base + LongArena.secondDistance
    var table = cpu[CPU.Word.cr3]
    for shift in [39, 30, 21] as [UInt64] {
      table = machine.memory.word(at: table + (linear >> shift & 511) * 8) & ~0xFFF
    }
    machine.memory.setWord(at: table + 3 * 8, 0x3067 | 1 << 45)
    test.write([0x48, 0x89, 0x03])  // mov [rbx], rax
    cpu[3] = linear + 0x3000
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 14)
    #expect(test.errorCode == 0b1111)
    #expect(cpu[CPU.Word.cr2] == linear + 0x3000)
  }

  // MARK: Modes

  @Test func paging_features_stay_while_ia32e_mode_is_active() {
    supervisor([0x0F, 0x22, 0xE0])  // mov cr4, rax
    cpu[0] = 0x200
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 13)
    supervisor([0x0F, 0x30])
    cpu[CPU.Register.cx] = 0xC000_0080
    cpu[CPU.Register.ax] = 0x800
    cpu[CPU.Register.dx] = 0
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 13)
    supervisor([0x0F, 0x22, 0xC0])  // mov cr0, rax: paging off in 64-bit code
    cpu[0] = 0x31
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 13)
  }

  @Test func a_null_stack_segment_needs_the_privilege_level_as_its_own() {
    supervisor([0x8E, 0xD0])  // mov ss, eax
    cpu[0] = 3
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 13)
    supervisor([0x8E, 0xD0])
    cpu[0] = 0
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == nil)
  }

  @Test(arguments: [
    [0x06] as [UInt8], [0x27], [0x60], [0x82, 0xC0, 0], [0x9A, 0, 0, 0, 0, 0, 0], [0xCE],
    [0xD4, 10],
    [0xEA, 0, 0, 0, 0, 0, 0], [0x0F, 0x01, 0xCB],  // stac in ring 3
    [0xF3, 0x48, 0x0F, 0xAE, 0xC0],  // rdfsbase rax without CR4.FSGSBASE
  ])
  func there_are_no_such_instructions(_ code: [UInt8]) {
    test.write(code)
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 6)
  }

  // MARK: What checkers ask

  @Test func a_frame_is_read_in_either_layout() throws {
    test.write([0x0F, 0x0B])  // ud2
    cpu.rflags = 0x202
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    let at = try #require(machine.frameAddress(of: machine.event))
    let frame = try #require(machine.interruptFrame(0, at: at))
    #expect(frame.instructionPointer == LongArena.codeBase)
    #expect(frame.ring == 3)
    #expect(frame.flags & 0x200 != 0)
    #expect(frame.stackPointer == LongArena.base + 0x7000)
    #expect(frame.ss == 0x23)
    #expect(frame.end == LongArena.base + LongTestMachine.exceptionStack)

    let narrow = TestMachine()
    narrow.write([0x0F, 0x0B])
    #expect(narrow.machine.run(cpu: 0, limit: 1) == .limit)
    let lower = try #require(narrow.machine.frameAddress(of: narrow.machine.event))
    let short = try #require(narrow.machine.interruptFrame(0, at: lower))
    #expect(short.instructionPointer == TestMachine.code)
    #expect(short.stackPointer == nil)
    #expect(short.interruptedSP == 0x7000)
  }

  @Test func system_calls_are_events_without_a_frame() {
    test.write([0x0F, 0x05])
    cpu[CPU.Word.efer] |= 1
    cpu[CPU.Word.lstar] = LongArena.codeBase + 0x100
    machine.memory.setBase()
    #expect(machine.run(cpu: 0, limit: 1) == .event)
    #expect(machine.event.kind == .software)
    #expect(machine.event.vector == Event.systemCall)
    #expect(machine.event.oldCPL == 3 && machine.event.newCPL == 0)
    #expect(machine.event.oldSP == machine.event.newSP)
    #expect(machine.frameAddress(of: machine.event) == nil)
  }

  /// Vector registers are part of the state: the fingerprint tells them apart, undo brings them back.
  @Test func vector_registers_are_in_the_fingerprint() {
    test.write([0x0F, 0x57, 0xC9])  // xorps xmm1, xmm1
    machine.setVectorRegister(0, 1, low: 5, high: 6)
    machine.memory.setBase()
    let before = machine.memory.fingerprint
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(machine.vectorRegister(0, 1) == (0, 0))
    #expect(machine.memory.fingerprint != before)
    machine.memory.undo(to: 0)
    #expect(machine.vectorRegister(0, 1) == (5, 6))
  }

  /// A handler that saves a register before it uses it, and one that does not.
  @Test func the_scan_of_handlers_knows_64_bit_code() {
    supervisor([0x41, 0x50, 0x50, 0x49, 0x89, 0xC0, 0x58, 0x41, 0x58, 0x48, 0xCF])
    let use = machine.victimUse(0, entry: LongArena.codeBase)
    // push r8; push rax; mov r8, rax (a use); …
    #expect(use.savedSlots == 0b11)
    #expect(use.usesRegisters)
    supervisor([0x41, 0x50, 0x50, 0x31, 0xC0, 0x58, 0x41, 0x58, 0x48, 0xCF])
    #expect(!machine.victimUse(0, entry: LongArena.codeBase).usesRegisters)
  }
}
