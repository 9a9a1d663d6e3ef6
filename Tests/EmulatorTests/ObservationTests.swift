import Emulator
import Testing

/// What an observed run stops at and keeps account of.
@Suite struct ObservationTests {
  private let test = TestMachine()
  private var cpu: CPU { test.cpu }
  private var machine: Machine { test.machine }

  private func start(_ code: [UInt8]) {
    test.write(code)
    machine.memory.setBase()
    cpu.rip = TestMachine.code
  }

  private func again(_ owner: UInt32, limit: Int = 1, passFirst: Bool = false) -> Stop {
    machine.observation.owner = owner
    cpu.rip = TestMachine.code
    return machine.run(cpu: 0, limit: limit, passFirst: passFirst)
  }

  // MARK: Sharing

  @Test func readers_alone_stay_quiet() {
    start([0xA1, 0, 0x20, 0, 0])  // mov eax, [2000]
    for owner in 1...3 as ClosedRange<UInt32> { #expect(again(owner) == .limit) }
    #expect(machine.observation.newlyShared == 0)
  }

  @Test func a_write_by_another_shares_and_the_next_access_stops() {
    start([0x89, 0x03])  // mov [ebx], eax
    cpu[3] = 0x2000
    #expect(again(1) == .limit)
    #expect(machine.observation.newlyShared == 0)
    cpu[0] = 5
    #expect(again(2) == .limit)
    #expect(machine.observation.newlyShared == 1)
    cpu[0] = 6
    #expect(again(1) == .visible)
    #expect(cpu.rip == TestMachine.code)
    #expect(machine.memory.value(at: 0x2000, size: 4) == 5)
    #expect(again(1, passFirst: true) == .limit)
    #expect(machine.memory.value(at: 0x2000, size: 4) == 6)
    #expect(machine.observation.newlyShared == 1)
    machine.observation.stopAtShared = false
    #expect(again(1) == .limit)
  }

  @Test func passFirst_is_for_the_first_instruction_only() {
    start([0xFF, 0x03, 0xFF, 0x03])  // inc [ebx] twice
    cpu[3] = 0x2000
    #expect(again(1, limit: 2) == .limit)
    #expect(again(2, limit: 2) == .visible)  // shared by its own first access
    #expect(again(1, limit: 2, passFirst: true) == .visible)
    #expect(cpu.rip == TestMachine.code + 2)
  }

  @Test func neighbours_of_four_bytes_are_apart() {
    start([0x89, 0x03])
    for (owner, at) in [(1, 0x2000), (2, 0x2004), (3, 0x1FFC)] as [(UInt32, UInt64)] {
      cpu[3] = at
      #expect(again(owner) == .limit)
    }
    #expect(machine.observation.newlyShared == 0)
    cpu[3] = 0x2002
    #expect(again(1) == .limit)
    #expect(machine.observation.newlyShared == 1)  // of 2000 and 2004, the second
  }

  /// Instructions that store in more than one place, or load and store, stop whole.
  @Test(arguments: [
    [0x60] as [UInt8],  // pusha
    [0xFF, 0x33],  // push [ebx]
    [0xA5],  // movsd
    [0xFF, 0x13],  // call [ebx]
    [0xC8, 8, 0, 0],  // enter 8, 0
    [0x0F, 0xC1, 0x03],  // xadd [ebx], eax
    [0x87, 0x03],  // xchg [ebx], eax
    [0x8F, 0x03],  // pop [ebx]
    [0x61],  // popa
  ])
  func a_visible_stop_leaves_no_trace(_ code: [UInt8]) {
    start(code)
    // Everything the instruction could touch is shared.
    machine.observation.owner = 1
    for owner in 1...2 as ClosedRange<UInt32> {
      for at in stride(from: 0x6F00 as UInt64, to: 0x7100, by: 4) {
        share(at, owner)
      }
      share(0x2000, owner)
      share(0x3000, owner)
    }
    let words = (cpu[3], cpu[6], cpu[7], cpu[0])
    (cpu[3], cpu[6], cpu[7], cpu[0]) = (0x2000, 0x2000, 0x3000, 0x1234)
    _ = words
    let count = machine.memory.journalCount
    let before = (0..<24).map { cpu[$0] }
    #expect(again(1) == .visible)
    #expect((0..<24).map { cpu[$0] } == before)
    #expect(machine.memory.journalCount == count)
    #expect(again(1, passFirst: true) == .limit)
  }

  /// Makes the four bytes at an address touched and written by an owner.
  private func share(_ at: UInt64, _ owner: UInt32) {
    let saved = (0..<24).map { cpu[$0] }
    test.write([0x89, 0x03], at: TestMachine.code + 0x1000)
    machine.observation.owner = owner
    machine.observation.stopAtShared = false
    cpu[3] = at
    cpu.rip = TestMachine.code + 0x1000
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    machine.observation.stopAtShared = true
    for (i, word) in saved.enumerated() { cpu[i] = word }
  }

  // MARK: Accounts

  @Test func loads_below_the_stack_pointer_are_counted_but_pops_are_not() {
    cpu.rsp = 0x7000
    start([
      0x8B, 0x44, 0x24, 0xFC,  // mov eax, [esp - 4]
      0x58,  // pop eax
      0x8B, 0x44, 0x24, 0x04,  // mov eax, [esp + 4]
      0x8B, 0x84, 0x24, 0x00, 0xFD, 0xFF, 0xFF,  // mov eax, [esp - 768]
      0x01, 0x44, 0x24, 0xF8,  // add [esp - 8], eax
    ])
    machine.observation.stopAtShared = false
    #expect(machine.run(cpu: 0, limit: 5) == .limit)
    #expect(machine.observation.readsBelowStack == 2)
  }

  @Test func updates_below_the_stack_pointer_are_visible_in_ring_0() {
    cpu.rsp = 0x7000
    start([0x90, 0x01, 0x44, 0x24, 0xFC])  // nop; add [esp - 4], eax
    #expect(machine.run(cpu: 0, limit: 5) == .visible)
    #expect(cpu.rip == TestMachine.code + 1)
    #expect(machine.run(cpu: 0, limit: 1, passFirst: true) == .limit)
    #expect(machine.observation.readsBelowStack > 0)
  }

  @Test func loads_below_the_stack_pointer_are_visible_in_ring_0() {
    cpu.rsp = 0x7000
    start([0x90, 0x8B, 0x44, 0x24, 0xFC])  // nop; mov eax, [esp - 4]
    #expect(machine.run(cpu: 0, limit: 5) == .visible)
    #expect(cpu.rip == TestMachine.code + 1)
    #expect(machine.run(cpu: 0, limit: 1, passFirst: true) == .limit)
  }

  @Test func the_lowest_stack_pointer_is_kept() {
    cpu.rsp = 0x7000
    start([
      0x50,  // push eax
      0x83, 0xEC, 0x40,  // sub esp, 64
      0x83, 0xC4, 0x40,  // add esp, 64
      0x8D, 0x64, 0x24, 0x80,  // lea esp, [esp - 128]
      0x83, 0xE4, 0xF0,  // and esp, -16
      0x89, 0xEC,  // mov esp, ebp
    ])
    cpu[5] = 0x6FFC
    for lowest in [0x6FFC, 0x6FBC, 0x6FBC, 0x6F7C, 0x6F70, 0x6F70] as [UInt64] {
      #expect(machine.run(cpu: 0, limit: 1) == .limit)
      #expect(machine.observation.lowestSP == lowest)
    }
    #expect(cpu.rsp == 0x6FFC)
  }

  @Test func accesses_are_logged() {
    start([0xF0, 0x01, 0x03, 0xA1, 8, 0x20, 0, 0])  // lock add [ebx], eax; mov eax, [2008]
    cpu[3] = 0x2000
    machine.observation.logAccesses = true
    #expect(machine.run(cpu: 0, limit: 2) == .limit)
    let log = machine.observation.accesses
    #expect(log.map(\.linear) == [0x2000, 0x2000, 0x2008])
    #expect(log.map(\.isWrite) == [false, true, false])
    #expect(log.map(\.isLocked) == [true, true, false])
    #expect(log.map(\.rip) == [0, 0, 3].map { TestMachine.code + $0 })
  }

  // MARK: Classes

  @Test(arguments: [
    ([0xFA] as [UInt8], InstructionClass.interruptFlag), ([0xFB], InstructionClass.interruptFlag),
    ([0x9D], InstructionClass.interruptFlag), ([0xCF], InstructionClass.interruptFlag),
    ([0xF0, 0xFF, 0x03], InstructionClass.locked), ([0x87, 0x03], InstructionClass.locked),
    ([0xE4, 0x20], InstructionClass.io), ([0xEE], InstructionClass.io),
    ([0xF4], InstructionClass.halt), ([0x0F, 0x22, 0xD8], InstructionClass.privileged),
    ([0x0F, 0x01, 0x13], InstructionClass.privileged), ([0x0F, 0x06], InstructionClass.privileged),
    ([0x89, 0xC4], InstructionClass.stackLoad), ([0x5C], InstructionClass.stackLoad),
    ([0x94], InstructionClass.stackLoad), ([0x8E, 0xD0], InstructionClass.stackLoad),
    ([0x0F, 0xB2, 0x23], InstructionClass.stackLoad), ([0xCD, 0x80], InstructionClass.gate),
    ([0xCC], InstructionClass.gate), ([0xCE], InstructionClass.gate),
    ([0x0F, 0x31], InstructionClass.time), ([0x8E, 0xD8], InstructionClass.segment),
    ([0x07], InstructionClass.segment), ([0xEA, 0, 0, 0, 0, 8, 0], InstructionClass.segment),
    ([0xF3, 0x90], InstructionClass.pause),
  ])
  func classes_stop_a_run(_ code: [UInt8], _ klass: UInt16) {
    start([0x40] + code)
    machine.observation.stopBefore = klass
    #expect(machine.run(cpu: 0, limit: 2) == .visible)
    #expect(cpu.rip == TestMachine.code + 1)
    machine.observation.stopBefore = ~klass & ~InstructionClass.stackLoad
    cpu.rip = TestMachine.code
    let stop = machine.run(cpu: 0, limit: 1)
    #expect(stop == .limit)
  }

  @Test(arguments: [
    [0x83, 0xEC, 8] as [UInt8], [0x89, 0xEC], [0xC9], [0x8D, 0x64, 0x24, 8], [0x50], [0x58],
    [0xC3], [0x83, 0xE4, 0xF0], [0x87, 0xC9], [0x8B, 0x03],
  ])
  func ordinary_instructions_are_of_no_class(_ code: [UInt8]) {
    start(code)
    cpu[5] = 0x7000
    machine.observation.stopBefore = ~0
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
  }

  @Test func another_stack_is_an_event() {
    start([0x90, 0x89, 0xC4])  // nop; mov esp, eax
    cpu[0] = 0x5000
    #expect(machine.run(cpu: 0, limit: 5) == .event)
    #expect(machine.event.kind == .stack)
    #expect(machine.event.rip == TestMachine.code + 1)
    #expect(machine.event.oldSP == 0x7000)
    #expect(machine.event.newSP == 0x5000)
    #expect(cpu.rip == TestMachine.code + 3)
  }

  @Test func a_hook_stops_at_its_linear_address() {
    start([0x40, 0x40, 0x40])
    machine.observation.stopBefore = InstructionClass.hook
    #expect(again(1, limit: 3) == .limit)
    machine.setHook(linear: TestMachine.code + 2)
    machine.setHook(linear: TestMachine.code + 0x10_0000)  // same offset, another page
    #expect(again(1, limit: 3) == .visible)
    #expect(cpu.rip == TestMachine.code + 2)
    #expect(machine.run(cpu: 0, limit: 1, passFirst: true) == .limit)
    machine.clearHooks()
    #expect(again(1, limit: 3) == .limit)
  }

  @Test func the_fingerprint_follows_every_store() {
    start([0x60, 0x88, 0x23, 0xA3, 0xFE, 0x2F, 0, 0])  // pusha; mov [ebx], ah; mov [2FFE], eax
    for n in 0..<8 where n != 4 { cpu[n] = 0x1111_1111 * UInt64(n + 1) }
    cpu[3] = 0x2003
    #expect(machine.run(cpu: 0, limit: 3) == .limit)
    let kept = machine.memory.fingerprint
    machine.memory.setBase()
    #expect(machine.memory.fingerprint == kept)
  }
}
