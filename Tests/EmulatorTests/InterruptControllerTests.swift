import Emulator
import Testing

/// Sequences from the 8259A data sheet, through the ports of a PC.
@Suite struct InterruptControllerTests {
  let machine = Machine(ramBytes: 1 << 20)

  /// ICW1–4 for vectors 20h–2Fh, everything unmasked.
  init() { initialize(word4: 0x01) }

  func initialize(word4: UInt32, slaveWord4: UInt32 = 0x01) {
    for (port, value) in [
      (0x20, 0x11), (0xA0, 0x11), (0x21, 0x20), (0xA1, 0x28), (0x21, 4), (0xA1, 2),
    ] { out(port, UInt32(value)) }
    out(0x21, word4)
    out(0xA1, slaveWord4)
    out(0x21, 0)
    out(0xA1, 0)
  }

  func out(_ port: Int, _ value: UInt32) {
    #expect(machine.writePort(UInt16(port), size: 1, value))
  }
  func read(_ port: Int) -> UInt32? { machine.readPort(UInt16(port), size: 1) }
  func acknowledge() -> Int? { machine.acknowledgeInterrupt()?.vector }

  @Test func lower_number_goes_first() {
    machine.raise(line: 5)
    machine.raise(line: 1)
    machine.raise(line: 12)
    #expect(acknowledge() == 0x21)
    #expect(acknowledge() == nil, "IRQ 1 in service holds back the rest")
    out(0x20, 0x20)
    #expect(acknowledge() == 0x2C, "the slave hangs on IR2, above IRQ 5")
    out(0xA0, 0x20)
    #expect(acknowledge() == nil, "IR2 of the master is still in service")
    out(0x20, 0x20)
    #expect(acknowledge() == 0x25)
  }

  @Test func higher_line_nests_and_nonspecific_EOI_ends_the_highest() {
    machine.raise(line: 5)
    #expect(acknowledge() == 0x25)
    machine.raise(line: 0)
    #expect(acknowledge() == 0x20)
    #expect(machine.linesInService == 0x21)
    out(0x20, 0x20)
    #expect(machine.linesInService == 0x20)
    #expect(machine.lastEndOfInterrupt?.endedLevel == 0)
    out(0x20, 0x20)
    #expect(machine.linesInService == 0)
    out(0x20, 0x20)
    #expect(machine.lastEndOfInterrupt?.isSpecific == false)
    #expect(machine.lastEndOfInterrupt?.endedLevel == .some(nil), "a spurious EOI")
  }

  @Test func masked_line_latches_its_edge() {
    out(0x21, 0x02)
    machine.raise(line: 1)
    #expect(acknowledge() == nil)
    #expect(machine.picState(slave: false).requests == 0x02)
    out(0x21, 0x00)
    #expect(acknowledge() == 0x21)
  }

  @Test func two_edges_before_the_acknowledge_are_one_interrupt() {
    machine.raise(line: 3)
    machine.raise(line: 3)
    #expect(acknowledge() == 0x23)
    out(0x20, 0x63)
    #expect(acknowledge() == nil)
  }

  @Test func edge_during_service_is_taken_after_EOI() {
    machine.raise(line: 3)
    #expect(acknowledge() == 0x23)
    machine.raise(line: 3)
    #expect(acknowledge() == nil)
    out(0x20, 0x20)
    #expect(acknowledge() == 0x23)
  }

  @Test func specific_EOI_names_its_level() {
    machine.raise(line: 6)
    #expect(acknowledge() == 0x26)
    machine.raise(line: 4)
    #expect(acknowledge() == 0x24)
    out(0x20, 0x66)
    #expect(machine.linesInService == 0x10)
    out(0x20, 0x61)
    #expect(machine.lastEndOfInterrupt?.requestedLevel == 1)
    #expect(machine.lastEndOfInterrupt?.endedLevel == nil)
  }

  @Test func special_mask_mode_lets_lower_levels_through() {
    machine.raise(line: 3)
    #expect(acknowledge() == 0x23)
    machine.raise(line: 6)
    out(0x21, 0x08)
    #expect(acknowledge() == nil)
    out(0x20, 0x68)
    #expect(acknowledge() == 0x26)
    out(0x20, 0x20)
    #expect(machine.linesInService == 0x08, "a masked level is not ended by non-specific EOI")
    out(0x20, 0x48)
    out(0x21, 0)
    out(0x20, 0x20)
    #expect(machine.linesInService == 0)
  }

  @Test func rotation_on_EOI_makes_the_ended_level_lowest() {
    machine.raise(line: 4)
    #expect(acknowledge() == 0x24)
    out(0x20, 0xA0)
    machine.raise(line: 4)
    machine.raise(line: 6)
    machine.raise(line: 1)
    #expect(acknowledge() == 0x26, "5, 6, 7, 0, 1 … 4 is the order now")
  }

  @Test func set_priority_command() {
    out(0x20, 0xC5)
    machine.raise(line: 0)
    machine.raise(line: 6)
    #expect(acknowledge() == 0x26)
  }

  @Test func automatic_EOI_leaves_nothing_in_service() {
    initialize(word4: 0x03, slaveWord4: 0x03)
    machine.raise(line: 3)
    machine.raise(line: 9)
    #expect(acknowledge() == 0x29)
    #expect(acknowledge() == 0x23)
    #expect(machine.linesInService == 0)
  }

  @Test func rotation_in_automatic_EOI() {
    initialize(word4: 0x03)
    out(0x20, 0x80)
    machine.raise(line: 1)
    #expect(acknowledge() == 0x21)
    machine.raise(line: 1)
    machine.raise(line: 3)
    #expect(acknowledge() == 0x23)
    out(0x20, 0x00)
  }

  @Test func special_fully_nested_mode_lets_the_slave_nest() {
    initialize(word4: 0x11)
    machine.raise(line: 12)
    #expect(acknowledge() == 0x2C)
    machine.raise(line: 8)
    #expect(acknowledge() == 0x28)
    #expect(machine.linesInService == 0x1104)
  }

  @Test func without_it_the_slave_waits_for_the_master() {
    machine.raise(line: 12)
    #expect(acknowledge() == 0x2C)
    machine.raise(line: 8)
    #expect(acknowledge() == nil)
    out(0x20, 0x20)
    #expect(acknowledge() == 0x28)
  }

  @Test func level_triggered_line_asks_until_it_falls() {
    machine.writePort(0x4D1, size: 1, 0x08)
    #expect(read(0x4D1) == 0x08)
    machine.raise(line: 11)
    #expect(acknowledge() == 0x2B)
    out(0xA0, 0x20)
    out(0x20, 0x20)
    #expect(acknowledge() == 0x2B)
    machine.lower(line: 11)
    out(0xA0, 0x20)
    out(0x20, 0x20)
    #expect(acknowledge() == nil)
  }

  @Test func spurious_interrupts_have_no_in_service_bit() {
    machine.raiseSpurious(slave: false)
    #expect(acknowledge() == 0x27)
    #expect(machine.linesInService == 0)
    machine.raiseSpurious(slave: true)
    #expect(acknowledge() == 0x2F)
    #expect(machine.linesInService == 0x0004, "the master cannot know: its IR2 is in service")
  }

  @Test func masking_the_slave_behind_the_masters_back_makes_IRQ_15_spurious() {
    machine.raise(line: 14)
    out(0xA1, 0xFF)
    #expect(acknowledge() == 0x2F)
  }

  @Test func poll_command_acknowledges() {
    machine.raise(line: 5)
    out(0x20, 0x0C)
    #expect(read(0x20) == 0x85)
    #expect(machine.linesInService == 0x20)
    out(0x20, 0x0C)
    #expect(read(0x20) == 0)
  }

  @Test func status_reads() {
    machine.raise(line: 5)
    machine.raise(line: 6)
    #expect(acknowledge() == 0x25)
    out(0x20, 0x0A)
    #expect(read(0x20) == 0x40)
    out(0x20, 0x0B)
    #expect(read(0x20) == 0x20)
    out(0x21, 0x5A)
    #expect(read(0x21) == 0x5A)
  }

  @Test func initialization_forgets_requests_service_and_masks() {
    machine.raise(line: 5)
    machine.raise(line: 1)
    _ = acknowledge()
    out(0x21, 0xFF)
    initialize(word4: 1)
    #expect(machine.picState(slave: false).requests == 0)
    #expect(machine.linesInService == 0)
    #expect(acknowledge() == nil)
  }

  @Test func state_goes_back_with_the_journal() {
    machine.memory.setBase()
    let before = machine.memory.fingerprint
    machine.raise(line: 1)
    #expect(machine.memory.fingerprint != before)
    machine.memory.undo(to: 0)
    #expect(machine.picState(slave: false).requests == 0)
  }

  @Test func deliverable_asks_flag_shadow_mask_priority_and_service() {
    let c = machine.cpus[0]
    #expect(!machine.isDeliverable(line: 1, cpu: 0), "IF is clear")
    c.rflags = CPU.Flag.if
    #expect(machine.isDeliverable(line: 1, cpu: 0))
    c[CPU.Word.shadow] = 1
    #expect(!machine.isDeliverable(line: 1, cpu: 0))
    c[CPU.Word.shadow] = 0
    out(0x21, 0x02)
    #expect(!machine.isDeliverable(line: 1, cpu: 0))
    out(0x21, 0)
    machine.raise(line: 3)
    #expect(!machine.isDeliverable(line: 5, cpu: 0), "IRQ 3 goes first")
    #expect(machine.isDeliverable(line: 12, cpu: 0))
    _ = acknowledge()
    #expect(!machine.isDeliverable(line: 5, cpu: 0), "IRQ 3 is in service")
    #expect(!machine.isDeliverable(line: 3, cpu: 0))
    #expect(machine.isDeliverable(line: 0, cpu: 0))
    #expect(machine.pendingLine == nil)
  }
}
