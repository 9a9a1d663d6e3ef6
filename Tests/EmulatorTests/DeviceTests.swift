import Emulator
import Testing

@Suite struct DeviceTests {
  let machine = Machine(ramBytes: 1 << 20)

  func out(_ port: UInt16, _ value: UInt32) { #expect(machine.writePort(port, size: 1, value)) }
  func read(_ port: UInt16) -> UInt32? { machine.readPort(port, size: 1) }
  var requests: UInt16 {
    UInt16(machine.picState(slave: false).requests)
      | UInt16(machine.picState(slave: true).requests) << 8
  }

  // MARK: Keyboard controller

  @Test func keyboard_byte_raises_IRQ_1_and_waits_in_port_60h() {
    machine.injectKeyboard(byte: 0x1E)
    machine.injectKeyboard(byte: 0x9E)
    #expect(read(0x64).map { $0 & 0x21 } == 0x01)
    #expect(requests & 2 != 0)
    #expect(read(0x60) == 0x1E)
    #expect(read(0x60) == 0x9E)
    #expect(read(0x64).map { $0 & 1 } == 0)
  }

  @Test func each_byte_of_the_queue_makes_an_edge_of_its_own() {
    for (port, value) in [(0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 3), (0x21, 0)] {
      out(UInt16(port), UInt32(value))  // automatic EOI
    }
    machine.injectKeyboard(byte: 1)
    machine.injectKeyboard(byte: 2)
    #expect(machine.acknowledgeInterrupt()?.line == 1)
    #expect(machine.acknowledgeInterrupt() == nil)
    _ = read(0x60)
    #expect(machine.acknowledgeInterrupt()?.line == 1)
  }

  @Test func enabling_the_mouse_as_kernels_do() {
    out(0x64, 0xA8)
    out(0x64, 0x20)
    let command = read(0x60)
    #expect(command == 0x45)
    out(0x64, 0x60)
    out(0x60, 0x47)
    out(0x64, 0xD4)
    out(0x60, 0xF6)
    #expect(read(0x64).map { $0 & 0x21 } == 0x21)
    #expect(requests & 1 << 12 != 0)
    #expect(read(0x60) == 0xFA)
    #expect(!machine.mouseReports)
    out(0x64, 0xD4)
    out(0x60, 0xF4)
    #expect(read(0x60) == 0xFA)
    #expect(machine.mouseReports)
    for byte: UInt8 in [0x08, 5, 0xFB] { machine.injectMouse(byte: byte) }
    #expect([read(0x60), read(0x60), read(0x60)] == [0x08, 5, 0xFB])
  }

  @Test func self_tests_and_identification() {
    out(0x64, 0xAA)
    #expect(read(0x60) == 0x55)
    out(0x64, 0xAB)
    #expect(read(0x60) == 0x00)
    out(0x60, 0xFF)
    #expect([read(0x60), read(0x60)] == [0xFA, 0xAA])
    out(0x64, 0xA8)
    out(0x64, 0xD4)
    out(0x60, 0xFF)
    #expect([read(0x60), read(0x60), read(0x60)] == [0xFA, 0xAA, 0x00])
    out(0x60, 0xED)
    out(0x60, 0x02)
    #expect([read(0x60), read(0x60)] == [0xFA, 0xFA])
  }

  @Test func full_queue_refuses() {
    // One byte moves on into the output buffer.
    for n: UInt8 in 0..<9 { #expect(machine.injectKeyboard(byte: n)) }
    #expect(!machine.injectKeyboard(byte: 9))
  }

  // MARK: Serial port

  @Test func serial_output_is_logged() {
    for byte in "hi".utf8 { out(0x3F8, UInt32(byte)) }
    #expect(machine.serialOutput == Array("hi".utf8))
    #expect(read(0x3FD) == 0x60)
  }

  @Test func serial_loopback() {
    out(0x3FC, 0x1E)
    out(0x3F8, 0xAE)
    #expect(read(0x3FD) == 0x61)
    #expect(read(0x3F8) == 0xAE)
    #expect(read(0x3FD) == 0x60)
    #expect(machine.serialOutput.isEmpty)
  }

  @Test func divisor_latch_hides_data_and_interrupt_registers() {
    out(0x3FB, 0x80)
    out(0x3F8, 0x01)
    out(0x3F9, 0x00)
    out(0x3FB, 0x03)
    #expect(machine.serialOutput.isEmpty)
    #expect(read(0x3F9) == 0)
    out(0x3FB, 0x83)
    #expect(read(0x3F8) == 0x01)
  }

  @Test func transmitter_empty_interrupt() {
    out(0x3FC, 0x08)
    #expect(read(0x3FA) == 0x01)
    out(0x3F9, 0x02)
    #expect(requests & 0x10 != 0)
    #expect(read(0x3FA) == 0x02)
    #expect(read(0x3FA) == 0x01, "reading IIR clears it")
    out(0x3F8, 0x41)
    #expect(read(0x3FA) == 0x02)
  }

  @Test func received_byte_interrupts_and_goes_first() {
    out(0x3FC, 0x08)
    out(0x3F9, 0x03)
    machine.injectSerial(byte: 0x42)
    #expect(read(0x3FA) == 0x04)
    #expect(read(0x3F8) == 0x42)
    #expect(read(0x3FA) == 0x02)
    machine.injectSerial(byte: 1)
    #expect(!machine.injectSerial(byte: 2), "without FIFOs there is room for one")
    #expect(read(0x3FD) == 0x63)
    #expect(read(0x3FD) == 0x61)
  }

  // MARK: Timer

  @Test func timer_counts_with_the_observed_clock() {
    machine.memory.setBase()
    out(0x43, 0x34)
    out(0x40, 0x9C)
    out(0x40, 0x2E)
    machine.setObservedTime(0)
    out(0x43, 0x00)
    #expect([read(0x40), read(0x40)] == [0x9C, 0x2E])
    machine.setObservedTime(32 * 0x9C)
    out(0x43, 0x00)
    machine.setObservedTime(32 * 0x9D)
    #expect([read(0x40), read(0x40)] == [0x00, 0x2E], "the latch stands")
    #expect([read(0x40), read(0x40)] == [0xFF, 0x2D])
  }

  @Test func timer_status_by_read_back() {
    out(0x43, 0x36)
    out(0x43, 0xE2)
    #expect(read(0x40) == 0xF6, "output high, no count yet, both bytes, mode 3")
    out(0x40, 0)
    out(0x40, 0)
    out(0x43, 0xE2)
    #expect(read(0x40) == 0xB6)
  }

  @Test func rate_generator_is_high_but_for_the_last_pulse() {
    machine.memory.setBase()
    out(0x43, 0x34)
    out(0x40, 10)
    out(0x40, 0)
    for (pulse, status) in [(0, 0xB4), (8, 0xB4), (9, 0x34), (10, 0xB4), (19, 0x34)] {
      machine.setObservedTime(UInt64(32 * pulse))
      out(0x43, 0xE2)
      #expect(read(0x40) == UInt32(status), "after \(pulse) pulses")
    }
  }

  @Test func one_shot_output_rises_at_the_end() {
    machine.memory.setBase()
    out(0x61, 1)
    out(0x43, 0xB0)
    out(0x42, 10)
    out(0x42, 0)
    #expect(read(0x61) == 0x01)
    machine.setObservedTime(32 * 10)
    #expect(read(0x61) == 0x21)
  }

  // MARK: The rest

  @Test func nothing_on_the_PCI_bus() {
    machine.writePort(0xCF8, size: 4, 0x8000_0000)
    #expect(machine.readPort(0xCF8, size: 4) == 0x8000_0000)
    #expect(machine.readPort(0xCFC, size: 4) == 0xFFFF_FFFF)
  }

  @Test func unknown_port_is_named() {
    #expect(read(0x278) == nil)
    #expect(machine.unmodelled == "IN from port 0x278, 1 byte")
    #expect(!machine.writePort(0x300, size: 2, 0x1234))
    #expect(machine.unmodelled == "OUT of 0x1234 to port 0x300, 2 bytes")
  }

  @Test func a_disk_that_is_not_there_is_asked_for() {
    #expect(read(0x1F7) == nil)
    #expect(machine.unmodelled?.contains("no disk; name its file as a disk") == true)
    #expect(!machine.writePort(0x1F6, size: 1, 0xE0))
  }

  @Test func exit_port() {
    machine.writePort(0xF4, size: 4, 0x2A)
    #expect(machine.exitValue == 0x2A)
  }
}
