import Emulator
import Testing

/// The translation buffers: permissions, accessed and dirty bits, what a fault leaves behind.
/// Intel SDM Vol. 3A §4.3, §4.7, §4.8, §4.10.
@Suite struct PagingAccessTests {
  private let test = TestMachine()
  private var cpu: CPU { test.cpu }
  private var machine: Machine { test.machine }
  private static let directory: UInt64 = 0x20_0000
  private static let table: UInt64 = 0x20_1000

  init() {
    // The first 4 MiB one to one, supervisor and writable.
    machine.memory.setValue(at: PagingAccessTests.directory, size: 4, PagingAccessTests.table | 7)
    for page in 0..<1024 as Range<UInt64> { map(page << 12, page << 12, 3) }
    cpu[CPU.Word.cr3] = PagingAccessTests.directory
    cpu[CPU.Word.cr0] = 0x8001_0011  // PG, WP, ET, PE
  }

  private func map(_ linear: UInt64, _ physical: UInt64, _ flags: UInt64) {
    machine.memory.setValue(at: entry(linear), size: 4, physical | flags)
  }

  private func entry(_ linear: UInt64) -> UInt64 { PagingAccessTests.table + (linear >> 12) * 4 }

  private func flags(_ linear: UInt64) -> UInt64 {
    machine.memory.value(at: entry(linear), size: 4) & 0xFFF
  }

  @Test func the_first_store_sets_D_even_after_a_load() {
    test.write([0xA1, 0, 0x40, 0, 0, 0xA3, 4, 0x40, 0, 0])  // mov eax, [4000]; mov [4004], eax
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(flags(0x4000) == 0x23)
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(flags(0x4000) == 0x63)
  }

  @Test func a_page_fault_leaves_the_instruction_undone() {
    map(0x5000, 0x5000, 0)
    test.write([0x8F, 0x05, 0, 0x50, 0, 0])  // pop [5000]
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 14)
    #expect(cpu[CPU.Word.cr2] == 0x5000)
    #expect(cpu.rsp == 0x7000 - 16)  // the exception's frame alone
    #expect(machine.memory.value(at: cpu.rsp, size: 4) == 2)  // W
    #expect(machine.memory.value(at: cpu.rsp + 4, size: 4) == TestMachine.code)
  }

  @Test func a_store_to_a_read_only_page_faults_after_a_load_went_through() {
    map(0x4000, 0x4000, 1)
    test.write([0xA1, 0, 0x40, 0, 0, 0xFF, 0x05, 8, 0x40, 0, 0])  // mov eax, [4000]; inc [4008]
    #expect(machine.run(cpu: 0, limit: 2) == .limit)
    #expect(test.exception == 14)
    #expect(cpu[CPU.Word.cr2] == 0x4008)
    #expect(machine.memory.value(at: cpu.rsp, size: 4) == 3)  // P, W
    #expect(machine.memory.value(at: 0x4008, size: 4) == 0)
  }

  @Test func a_store_across_pages_writes_nothing_when_the_second_is_missing() {
    map(0x5000, 0x5000, 0)
    cpu[0] = 0xFFFF_FFFF
    test.write([0xA3, 0xFE, 0x4F, 0, 0])  // mov [4FFE], eax
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 14)
    #expect(cpu[CPU.Word.cr2] == 0x5000)
    #expect(machine.memory.value(at: 0x4FFE, size: 2) == 0)
  }

  @Test func a_code_page_that_is_missing_faults_at_the_instruction() {
    map(0x3000, 0x3000, 0)
    test.write([0xB8, 1, 2, 3, 4], at: 0x2FFE)
    cpu.rip = 0x2FFE
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(test.exception == 14)
    #expect(cpu[CPU.Word.cr2] == 0x3000)
    #expect(machine.memory.value(at: cpu.rsp + 4, size: 4) == 0x2FFE)
  }

  @Test func a_state_put_in_place_from_outside_brings_its_own_translations() {
    // Two address spaces that differ in page 4000h.
    let other: UInt64 = 0x20_2000
    machine.memory.setValue(at: other, size: 4, 0x20_3000 | 7)
    for page in 0..<1024 as Range<UInt64> {
      let physical = page == 4 ? 0x5000 : page << 12
      machine.memory.setValue(at: 0x20_3000 + page * 4, size: 4, physical | 3)
    }
    machine.memory.setValue(at: 0x4000, size: 4, 1)
    machine.memory.setValue(at: 0x5000, size: 4, 2)
    test.write([0xA1, 0, 0x40, 0, 0])  // mov eax, [4000]
    machine.memory.setBase()
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 1)
    cpu[CPU.Word.cr3] = other
    cpu.rip = TestMachine.code
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 2)
  }

  @Test(arguments: [false, true])
  func a_store_to_a_page_table_takes_effect_at_once(_ observed: Bool) {
    machine.memory.setValue(at: 0x4000, size: 4, 1)
    machine.memory.setValue(at: 0x5000, size: 4, 2)
    test.write([
      0x8B, 0x03,  // mov eax, [ebx]
      0x89, 0x31,  // mov [ecx], esi
      0x8B, 0x13,  // mov edx, [ebx]
      0x89, 0x39,  // mov [ecx], edi
      0x8B, 0x2B,  // mov ebp, [ebx]
    ])
    cpu[3] = 0x4000
    cpu[1] = entry(0x4000)
    cpu[6] = 0x5003
    cpu[7] = 0x4003
    if observed { machine.memory.setBase() }
    // The page table is the processor's, too: stores to it would be visible.
    machine.observation.stopAtShared = false
    #expect(machine.run(cpu: 0, limit: 5) == .limit)
    #expect((cpu[0], cpu[2], cpu[5]) == (1, 2, 1))
    #expect(flags(0x4000) == 0x23)
  }

  @Test func the_second_half_of_an_instruction_follows_its_page() {
    test.write([0xE9, 0xF9, 0, 0, 0], at: 0x2F00)  // jmp 2FFE
    test.write([0x89, 0x31, 0xEB, 0xEC], at: 0x2F10)  // mov [ecx], esi; jmp 2F00
    test.write([0xB8, 0x11], at: 0x2FFE)  // mov eax, imm32
    for (page, byte) in [(0x3000, 1), (0x5000, 2)] as [(UInt64, UInt8)] {
      test.write([byte, byte, byte, 0xE9, 0x08, 0xFF, 0xFF, 0xFF], at: page)  // jmp 2F10
    }
    cpu[1] = entry(0x3000)
    cpu[6] = 0x5003
    cpu.rip = 0x2F00
    #expect(machine.run(cpu: 0, limit: 2) == .limit)
    #expect(cpu[0] == 0x0101_0111)
    #expect(machine.run(cpu: 0, limit: 4) == .limit)
    #expect(cpu.rip == 0x2FFE)
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(cpu[0] == 0x0202_0211)
    cpu[0] = 0
    cpu[6] = 0x3003
    #expect(machine.run(cpu: 0, limit: 5) == .limit)
    #expect(cpu[0] == 0x0101_0111)
  }

  @Test func disassembling_leaves_no_trace() {
    map(0x8000, 0x4000, 3)
    test.write([0x40], at: 0x4000)
    #expect(machine.disassemble(cpu: 0, at: 0x8000).text == "inc eax")
    #expect(flags(0x8000) == 3)
    #expect(machine.physicalAddress(cpu: 0, linear: 0x8123) == 0x4123)
    map(0x9000, 0, 0)
    #expect(machine.physicalAddress(cpu: 0, linear: 0x9000) == nil)
    #expect(machine.disassemble(cpu: 0, at: 0x9000).text == "(bad)")
  }

  @Test func going_back_takes_accessed_and_dirty_bits_back() {
    test.write([0xA3, 4, 0x40, 0, 0])  // mov [4004], eax
    machine.memory.setBase()
    let before = machine.memory.fingerprint
    for _ in 0..<2 {
      cpu.rip = TestMachine.code
      #expect(machine.run(cpu: 0, limit: 1) == .limit)
      #expect(flags(0x4000) == 0x63)
      machine.memory.undo(to: 0)
      machine.memory.fingerprint = before
      #expect(flags(0x4000) == 0x03)
    }
  }
}
