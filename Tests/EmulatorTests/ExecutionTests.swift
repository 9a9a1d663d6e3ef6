import Emulator
import Testing

/// How runs go on and end: limits, repeated instructions, code that changes, segments, what is not
/// modelled.
@Suite struct ExecutionTests {
  private let test = TestMachine()
  private var cpu: CPU { test.cpu }
  private var machine: Machine { test.machine }

  @Test func a_limit_is_exact() {
    test.write([UInt8](repeating: 0x40, count: 100))  // inc eax
    #expect(machine.run(cpu: 0, limit: 37) == .limit)
    #expect(cpu[0] == 37)
    #expect(cpu.rip == TestMachine.code + 37)
    #expect(machine.instructions == 37)
    #expect(machine.run(cpu: 0, limit: 0) == .limit)
    #expect(cpu[0] == 37)
  }

  @Test func a_loop_is_counted() {
    // mov ecx, 10; L: dec ecx; jnz L
    test.write([0xB9, 10, 0, 0, 0, 0x49, 0x75, 0xFD])
    #expect(machine.run(cpu: 0, limit: 21) == .limit)
    #expect(cpu[1] == 0)
    #expect(cpu.rip == TestMachine.code + 8)
  }

  @Test func an_iteration_of_a_repeated_string_is_an_instruction() {
    test.write([0xF3, 0xAB])  // rep stosd
    (cpu[0], cpu[1], cpu[7]) = (0x1122_3344, 5, 0x2000)
    #expect(machine.run(cpu: 0, limit: 3) == .limit)
    #expect(cpu[1] == 2)
    #expect(cpu[7] == 0x200C)
    #expect(cpu.rip == TestMachine.code)
    #expect(machine.memory.value(at: 0x2008, size: 8) == 0x1122_3344)
    #expect(machine.run(cpu: 0, limit: 2) == .limit)
    #expect(cpu.rip == TestMachine.code + 2)
    #expect(machine.instructions == 5)
  }

  @Test func overlapping_moves_copy_what_they_wrote() {
    test.write([0xF3, 0xA4])  // rep movsb
    for i in 0..<4 as Range<UInt64> { machine.memory.setByte(at: 0x2000 + i, UInt8(i + 1)) }
    (cpu[1], cpu[6], cpu[7]) = (8, 0x2000, 0x2002)
    #expect(machine.run(cpu: 0, limit: 8) == .limit)
    #expect(machine.memory.value(at: 0x2000, size: 8) == 0x0201_0201_0201_0201)
  }

  // MARK: Code that changes

  @Test func a_repeated_instruction_may_overwrite_itself() {
    // std; rep movsb, downwards over the instruction itself: F3 A4 becomes F3 40 (inc eax).
    test.write([0xFD, 0xF3, 0xA4])
    for i in 0..<8 as Range<UInt64> { machine.memory.setByte(at: 0x2000 + i, 0x40) }
    (cpu[1], cpu[6], cpu[7]) = (100, 0x2007, TestMachine.code + 4)
    #expect(machine.run(cpu: 0, limit: 5) == .limit)  // std, 3 iterations, then what they wrote
    #expect(cpu[1] == 97)
    #expect(cpu[0] == 1)
    #expect(cpu.rip == TestMachine.code + 3)
  }

  @Test func an_instruction_may_change_the_next_one() {
    // mov byte [next + 1], 7; mov al, 1: both in one decoded block.
    test.write([0xC6, 0x05, 8, 0, 0x10, 0, 7, 0xB0, 1])
    #expect(machine.run(cpu: 0, limit: 2) == .limit)
    #expect(cpu[0] == 7)
  }

  @Test func an_instruction_that_was_executed_may_change() {
    // L: inc eax (40 -> 48: dec eax); mov byte [L], 0x48; jmp L
    test.write([0x40, 0xC6, 0x05, 0, 0, 0x10, 0, 0x48, 0xEB, 0xF6])
    #expect(machine.run(cpu: 0, limit: 4) == .limit)
    #expect(cpu[0] == 0)
  }

  @Test func a_store_from_outside_changes_code() {
    test.write([0x40, 0x40])
    #expect(machine.run(cpu: 0, limit: 2) == .limit)
    cpu.rip = TestMachine.code
    machine.memory.setByte(at: TestMachine.code + 1, 0x48)
    #expect(machine.run(cpu: 0, limit: 2) == .limit)
    #expect(cpu[0] == 2)
  }

  /// Why bytes are no instruction may be told by the last of them.
  @Test func what_was_too_long_becomes_an_instruction_when_its_last_byte_changes() {
    test.write([UInt8](repeating: 0xF3, count: 15))
    _ = machine.run(cpu: 0, limit: 1)
    #expect(test.exception == 13)
    machine.memory.setByte(at: TestMachine.code + 14, 0x40)  // with its prefixes: inc eax
    cpu.rip = TestMachine.code
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 1)
    #expect(cpu.rip == TestMachine.code + 15)
  }

  @Test func going_back_changes_code_back() {
    test.write([0x40, 0x90, 0x90, 0x90])
    machine.memory.setBase()
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    machine.memory.setByte(at: TestMachine.code, 0x48)
    cpu.rip = TestMachine.code
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 0)
    machine.memory.undo(to: 0)
    cpu.rip = TestMachine.code
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 1)
  }

  @Test func an_instruction_across_pages_follows_both() {
    let at: UInt64 = 0x2FFE
    test.write([0xB8, 1, 2, 3, 4], at: at)  // mov eax, imm32
    cpu.rip = at
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 0x0403_0201)
    machine.memory.setByte(at: 0x3001, 0x77)
    cpu.rip = at
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 0x0477_0201)
    #expect(cpu.rip == at + 5)
  }

  // MARK: Branches and stack

  @Test func call_pushes_the_next_instruction_and_ret_comes_back() {
    // call +1; hlt; ret
    test.write([0xE8, 1, 0, 0, 0, 0xF4, 0xC3])
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu.rip == TestMachine.code + 6)
    #expect(machine.memory.value(at: cpu.rsp, size: 4) == TestMachine.code + 5)
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu.rip == TestMachine.code + 5)
    #expect(cpu.rsp == 0x7000)
  }

  @Test func push_esp_pushes_the_old_value_and_pop_esp_takes_the_popped_one() {
    test.write([0x54, 0x5C])
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(machine.memory.value(at: 0x6FFC, size: 4) == 0x7000)
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu.rsp == 0x7000)
  }

  @Test func a_16_bit_branch_cuts_the_instruction_pointer() {
    test.write([0x66, 0xEB, 0x10])
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu.rip == 0x13)
  }

  @Test func a_16_bit_stack_keeps_the_upper_half_of_esp() {
    cpu.setSegment(
      CPU.Segment.ss, selector: 16, base: 0, limit: 0xFFFF, attributes: 0x0093)
    cpu.rsp = 0xABCD_0000
    test.write([0x50])  // push eax
    cpu[0] = 0x1122_3344
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu.rsp == 0xABCD_FFFC)
    #expect(machine.memory.value(at: 0xFFFC, size: 4) == 0x1122_3344)
  }

  // MARK: Segments

  @Test(arguments: [
    // attributes, limit, offset in EBX, exception
    (0xC093 as UInt64, 0xFFF as UInt64, 0xFFC as UInt64, nil as Int?),
    (0xC093, 0xFFF, 0xFFD, 13),
    (0xC091, 0xFFFF_FFFF, 0x10, 13),  // read-only
    (0xC097, 0x1000, 0x1001, nil),  // expand-down: above the limit
    (0xC097, 0x1000, 0x1000, 13),
    (0x0000, 0, 0, 13),  // null
    (0xC013, 0xFFFF_FFFF, 0x10, 13),  // not present
  ])
  func stores_are_checked_against_the_segment(
    _ attributes: UInt64, _ limit: UInt64, _ offset: UInt64, _ exception: Int?
  ) {
    cpu.setSegment(
      CPU.Segment.ds, selector: attributes == 0 ? 0 : 16, base: 0x2000, limit: limit,
      attributes: attributes)
    cpu[3] = offset
    cpu[0] = 0x5555_5555
    test.write([0x89, 0x03])  // mov [ebx], eax
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == exception)
    #expect(
      machine.memory.value(at: 0x2000 + offset, size: 4) == (exception == nil ? 0x5555_5555 : 0))
  }

  @Test func a_base_of_fs_is_added() {
    cpu.setSegment(
      CPU.Segment.fs, selector: 16, base: 0x2100, limit: 0xFFFF_FFFF, attributes: 0xC093)
    machine.memory.setValue(at: 0x2108, size: 4, 0xCAFE)
    test.write([0x64, 0xA1, 8, 0, 0, 0])  // mov eax, fs:[8]
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 0xCAFE)
  }

  // MARK: What cannot be executed

  @Test(arguments: [
    ([0x0F, 0x58, 0xC1] as [UInt8], "addps xmm0, xmm1"), ([0xD8, 0xC1], "fadd st0, st1"),
    ([0x0F, 0xC7, 0xF0], "rdrand eax"),
  ])
  func what_is_not_modelled_is_named(_ code: [UInt8], _ text: String) {
    test.write([0x40] + code)
    cpu[CPU.Word.cr4] = 1 << 9  // OSFXSR
    #expect(machine.run(cpu: 0, limit: 5) == .unmodelled)
    #expect(machine.unmodelled == "\(text) at 0x100001")
    #expect(cpu.rip == TestMachine.code + 1)
    #expect(cpu[0] == 1)
  }

  @Test(arguments: [
    ([0x0F, 0xFF, 0xC0] as [UInt8], 6),  // ud0
    ([0xF0, 0x01, 0xC8], 6),  // lock with a register
    ([0xF0, 0x8B, 0x03], 6),  // lock mov
    ([UInt8](repeating: 0x66, count: 15) + [0x90], 13),  // 16 bytes
    ([0xF7, 0xF1], 0),  // div by 0
    ([0xD4, 0], 0),  // aam by 0
  ])
  func exceptions(_ code: [UInt8], _ vector: Int) {
    test.write(code)
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == vector)
    // The pushed instruction pointer is that of the instruction.
    let at = cpu.rsp + (vector == 13 ? 4 : 0)
    #expect(machine.memory.value(at: at, size: 4) == TestMachine.code)
  }

  @Test func x87_traps_as_CR0_says() {
    cpu[CPU.Word.cr0] |= 8  // TS
    test.write([0xD8, 0xC1])
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 7)
  }

  @Test func disassembly() {
    test.write([0x8B, 0x44, 0x8B, 0x10])
    let text = machine.disassemble(cpu: 0, at: TestMachine.code)
    #expect(text.text == "mov eax, [ebx+ecx*4+0x10]")
    #expect(text.length == 4)
    #expect(text.mnemonic == "mov")
    test.write([0xEB, 0xFE])
    #expect(machine.disassemble(cpu: 0, at: TestMachine.code).text == "jmp 0x00100000")
  }
}
