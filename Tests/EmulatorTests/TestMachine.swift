import Emulator

/// A machine with flat 32-bit segments, no paging, and an IDT whose handlers are recognised by
/// their address.
final class TestMachine {
  let machine: Machine
  var cpu: CPU { machine.cpus[0] }

  static let handlerBase: UInt64 = 0xC000
  private static let idt: UInt64 = 0xB000
  private static let gdt: UInt64 = 0xA000
  static let code: UInt64 = 0x10_0000

  init(cpuCount: Int = 1, ramBytes: Int = 16 << 20) {
    machine = Machine(cpuCount: cpuCount, ramBytes: ramBytes)
    let memory = machine.memory
    // Null, code, data: base 0, limit 4 GiB. Intel SDM Vol. 3A §3.4.5.
    memory.setWord(at: TestMachine.gdt + 8, 0x00CF_9B00_0000_FFFF)
    memory.setWord(at: TestMachine.gdt + 16, 0x00CF_9300_0000_FFFF)
    for vector in 0..<32 as Range<UInt64> {
      let handler = TestMachine.handlerBase + vector * 16
      memory.setWord(
        at: TestMachine.idt + vector * 8,
        handler & 0xFFFF | 0x08 << 16 | 0x8E00 << 32 | (handler >> 16) << 48)
    }
    cpu[CPU.Word.gdtrBase] = TestMachine.gdt
    cpu[CPU.Word.gdtrLimit] = 23
    cpu[CPU.Word.idtrBase] = TestMachine.idt
    cpu[CPU.Word.idtrLimit] = 32 * 8 - 1
    cpu[CPU.Word.cr0] = 0x11
    for segment in 0..<6 {
      let isCode = segment == CPU.Segment.cs
      cpu.setSegment(
        segment, selector: isCode ? 8 : 16, base: 0, limit: 0xFFFF_FFFF,
        attributes: isCode ? 0xC09B : 0xC093)
    }
    cpu.rip = TestMachine.code
    cpu.rsp = 0x7000
    cpu.rflags = CPU.Flag.fixed
  }

  func write(_ bytes: [UInt8], at address: UInt64 = TestMachine.code) {
    for (i, byte) in bytes.enumerated() {
      machine.memory.setByte(at: address + UInt64(i), byte)
    }
  }

  /// The exception that the last instruction raised, if it did.
  var exception: Int? {
    if cpu[CPU.Word.activity] == CPU.Activity.shutdown { return machine.event.vector }
    let offset = Int64(cpu.rip) - Int64(TestMachine.handlerBase)
    return offset >= 0 && offset < 512 && offset % 16 == 0 ? Int(offset / 16) : nil
  }
}
