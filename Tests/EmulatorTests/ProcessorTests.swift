import Emulator
import Testing

/// Several CPUs, local APICs and machine checks where QEMU cannot be asked: observed runs, undo, and
/// what it does otherwise than the manual says.
@Suite struct ProcessorTests {
  /// Two CPUs with the tables of `TestMachine`, both in flat protected mode, the second at
  /// `second`. Both run `code` with EBX pointing to the local APIC.
  static let second: UInt64 = 0x11_0000
  static let apic: UInt64 = 0xFEE0_0000

  static func pair(_ first: [UInt8], _ other: [UInt8] = [0x90]) -> TestMachine {
    let test = TestMachine(cpuCount: 2)
    test.write(first)
    test.write(other, at: second)
    let c = test.machine.cpus[1]
    for word in 0..<CPU.wordCount { c[word] = test.cpu[word] }
    c.rip = second
    c.rsp = 0x6000
    for cpu in test.machine.cpus { cpu[CPU.Register.bx] = apic }
    return test
  }

  static func store(_ offset: UInt32, _ value: UInt32) -> [UInt8] {
    // mov dword [ebx + offset], value
    [0xC7, 0x83] + bytes(offset) + bytes(value)
  }

  static func bytes(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
  }

  @Test func an_interprocessor_interrupt_is_seen_and_can_be_undone() throws {
    let test = Self.pair(
      Self.store(0x310, 1 << 24) + Self.store(0x300, 0x4010) + [0x90],
      Self.store(0xF0, 0x1FF) + [0xFB, 0x90, 0x90, 0x90])
    let machine = test.machine
    machine.memory.setBase()
    machine.observation.stopBefore = InstructionClass.io
    // The second CPU turns its APIC on: a store to a device is seen before and after.
    #expect(machine.run(cpu: 1, limit: 10) == .visible)
    #expect(machine.run(cpu: 1, limit: 10, passFirst: true) == .event)
    #expect(machine.event.kind == .device)
    #expect(machine.event.value == Self.apic + 0xF0)
    #expect(machine.event.vector == 1)
    #expect(machine.event.rip == Self.second)
    #expect(machine.run(cpu: 1, limit: 1) == .event)  // STI
    let before = (machine.memory.journalCount, machine.memory.fingerprint)
    #expect(machine.run(cpu: 0, limit: 10) == .visible)
    #expect(machine.run(cpu: 0, limit: 10, passFirst: true) == .event)
    #expect(machine.run(cpu: 0, limit: 10) == .visible)
    #expect(!machine.isAboutToDeliver(1))
    #expect(machine.run(cpu: 0, limit: 10, passFirst: true) == .event)
    #expect(machine.isRequested(vector: 0x10, cpu: 1))
    // The shadow of STI lasts for one instruction.
    #expect(!machine.isAboutToDeliver(1))
    #expect(machine.run(cpu: 1, limit: 1) == .limit)
    #expect(machine.isAboutToDeliver(1))
    #expect(machine.run(cpu: 1, limit: 1) == .event)
    #expect(machine.event.kind == .interrupt && machine.event.vector == 0x10)
    #expect(machine.isInService(vector: 0x10, cpu: 1))
    #expect(!machine.isInService(vector: 0x10, cpu: 0))
    machine.memory.undo(to: before.0)
    machine.memory.fingerprint = before.1
    #expect(!machine.isRequested(vector: 0x10, cpu: 1))
    #expect(!machine.isInService(vector: 0x10, cpu: 1))
    machine.memory.setBase()
    #expect(machine.memory.fingerprint == before.1, "computed afresh from the contents")
  }

  @Test func a_spurious_end_of_interrupt_is_noted() {
    let test = Self.pair(Self.store(0xB0, 0))
    let machine = test.machine
    machine.memory.setBase()
    #expect(machine.run(cpu: 0, limit: 1) == .event)
    #expect(machine.lastEndOfInterrupt?.isSpurious == true)
    #expect(machine.lastEndOfInterrupt?.cpu == 0)
  }

  @Test func a_software_disabled_APIC_masks_its_vectors() {
    // Intel SDM Vol. 3A §10.4.7.2.
    let test = Self.pair(
      Self.store(0xF0, 0xFF) + Self.store(0x350, 0x700)
        + [0x8B, 0x83] + Self.bytes(0x350))  // mov eax, [ebx + 350h]
    #expect(test.machine.run(cpu: 0, limit: 3) == .limit)
    #expect(test.cpu[CPU.Register.ax] == 0x1_0700)
  }

  @Test func x2APIC_mode_is_refused() {
    // mov ecx, 1Bh; rdmsr; or eax, 400h; wrmsr
    let test = Self.pair([
      0xB9, 0x1B, 0, 0, 0, 0x0F, 0x32, 0x0D, 0, 4, 0, 0, 0x0F, 0x30,
    ])
    #expect(test.machine.run(cpu: 0, limit: 4) == .limit)
    #expect(test.exception == 13)
  }

  @Test func accesses_of_other_sizes_to_the_APIC_stop_with_its_name() {
    let test = Self.pair([0x8A, 0x43, 0x20])  // mov al, [ebx + 20h]
    #expect(test.machine.run(cpu: 0, limit: 1) == .unmodelled)
    #expect(
      test.machine.unmodelled == "an access of 1 bytes to the device at 0xfee00020")
  }

  @Test func a_machine_check_is_taken_with_IF_0_and_a_second_one_shuts_down() {
    let test = Self.pair([0x90])
    let machine = test.machine
    test.cpu[CPU.Word.cr4] = 1 << 6
    test.write([0x90, 0x90], at: TestMachine.handlerBase + 18 * 16)
    #expect(machine.acceptsMachineCheck(cpu: 0))
    machine.raiseMachineCheck(cpu: 0)
    machine.memory.setBase()
    #expect(machine.run(cpu: 0, limit: 1) == .event)
    #expect(machine.event.kind == .machineCheck)
    #expect(test.exception == 18)
    #expect(!machine.acceptsMachineCheck(cpu: 0))
    machine.raiseMachineCheck(cpu: 0)
    #expect(machine.run(cpu: 0, limit: 1) == .shutdown)
    // With CR4.MCE clear the first one does.
    machine.raiseMachineCheck(cpu: 1)
    #expect(machine.run(cpu: 1, limit: 1) == .shutdown)
  }

  @Test func a_timer_expires_when_it_is_told_while_memory_is_observed() {
    let test = Self.pair(
      Self.store(0x320, 0x15) + Self.store(0x380, 100) + [0xFB, 0x90, 0x90, 0x90])
    let machine = test.machine
    machine.memory.setBase()
    #expect(!machine.isTimerRunning(cpu: 0))
    for _ in 0..<2 { #expect(machine.run(cpu: 0, limit: 1) == .event) }
    #expect(machine.run(cpu: 0, limit: 1) == .event)  // STI
    #expect(machine.run(cpu: 0, limit: 1) == .limit)
    #expect(machine.isTimerRunning(cpu: 0) && !machine.isTimerMasked(cpu: 0))
    #expect(machine.isDeliverable(vector: machine.timerVector(cpu: 0), cpu: 0))
    machine.expireTimer(cpu: 0)
    #expect(!machine.isTimerRunning(cpu: 0))
    #expect(machine.run(cpu: 0, limit: 1) == .event)
    #expect(machine.event.vector == 0x15)
  }

  @Test func each_CPU_waits_for_its_start_up_message() {
    let machine = Machine(cpuCount: 8)
    for cpu in 1..<8 {
      #expect(machine.isWaitingForStartUp(cpu: cpu) && !machine.canRun(cpu: cpu))
      #expect(machine.run(cpu: cpu, limit: 1) == .halted)
    }
  }
}
