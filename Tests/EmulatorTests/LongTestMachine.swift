import Emulator

/// A machine in 64-bit user mode, set up as `LongArena` has it, and an IDT whose handlers are recognised by
/// their address.
final class LongTestMachine {
  let machine: Machine
  var cpu: CPU { machine.cpus[0] }

  static let handlerBase = LongArena.base + 0xC000
  private static let gdt: UInt64 = 0xA000
  private static let idt: UInt64 = 0xB000
  private static let tss: UInt64 = 0xD000
  /// Where exceptions push; physical.
  static let exceptionStack: UInt64 = 0xF000
  private static let tables: UInt64 = 0x2_0000

  init(ramBytes: Int = LongArena.ramBytes) {
    machine = Machine(ramBytes: ramBytes)
    let memory = machine.memory
    let base = LongArena.base
    mapArena()
    // Null, 64-bit code of ring 0. Intel SDM Vol. 3A §3.4.5.
    memory.setWord(at: LongTestMachine.gdt + 8, 0x00AF_9B00_0000_FFFF)
    for vector in 0..<32 as Range<UInt64> {
      let handler = LongTestMachine.handlerBase + vector * 16
      let at = LongTestMachine.idt + vector * 16
      // Interrupt gates of DPL 0 with the first entry of the interrupt stack table. Vol. 3A §6.14.1.
      memory.setWord(
        at: at, handler & 0xFFFF | 0x08 << 16 | 0x8E01 << 32 | (handler >> 16 & 0xFFFF) << 48)
      memory.setWord(at: at + 8, handler >> 32)
    }
    memory.setValue(
      at: LongTestMachine.tss + 36, size: 8, base + LongTestMachine.exceptionStack)
    cpu[CPU.Word.gdtrBase] = base + LongTestMachine.gdt
    cpu[CPU.Word.gdtrLimit] = 15
    cpu[CPU.Word.idtrBase] = base + LongTestMachine.idt
    cpu[CPU.Word.idtrLimit] = 32 * 16 - 1
    cpu.setSegment(
      CPU.Segment.tr, selector: 0x30, base: base + LongTestMachine.tss, limit: 103,
      attributes: 0x8B)
    cpu[CPU.Word.cr0] = 0x8001_0031
    cpu[CPU.Word.cr3] = LongTestMachine.tables
    cpu[CPU.Word.cr4] = 0x220  // PAE, OSFXSR
    cpu[CPU.Word.efer] = 0xD00  // LME, LMA, NXE
    cpu[CPU.Word.cpl] = 3
    for segment in 0..<6 {
      let isCode = segment == CPU.Segment.cs
      cpu.setSegment(
        segment, selector: isCode ? 0x2B : 0x23, base: 0, limit: 0xFFFF_FFFF,
        attributes: isCode ? 0xA0FB : 0xC0F3)
    }
    cpu[CPU.Word.segments + CPU.Segment.gs * 4 + 1] = LongArena.gsBase
    cpu.rip = LongArena.codeBase
    cpu.rsp = base + 0x7000
    cpu.rflags = CPU.Flag.fixed
  }

  /// All of memory from `LongArena.base` on in 2 MiB pages; data and stack again in 4 KiB pages.
  private func mapArena() {
    let memory = machine.memory
    var free = LongTestMachine.tables + 0x1000
    func table(_ at: UInt64) -> UInt64 {
      let entry = memory.word(at: at)
      if entry != 0 { return entry & ~0xFFF }
      defer { free += 0x1000 }
      memory.setWord(at: at, free | 0x27)
      return free
    }
    func map(_ linear: UInt64, _ physical: UInt64, large: Bool) {
      var at = LongTestMachine.tables
      for shift in [39, 30] as [UInt64] { at = table(at + (linear >> shift & 511) * 8) }
      if large {
        memory.setWord(at: at + (linear >> 21 & 511) * 8, physical | 0xE7)
      } else {
        at = table(at + (linear >> 21 & 511) * 8)
        memory.setWord(at: at + (linear >> 12 & 511) * 8, physical | 0x67)
      }
    }
    for offset in stride(from: 0, to: memory.hiddenBase, by: 1 << 21) {
      map(LongArena.base + offset, offset, large: true)
    }
    for offset in stride(from: 0, to: LongArena.dataSize, by: 0x1000) {
      map(LongArena.base + LongArena.secondDistance + offset, offset, large: false)
    }
  }

  /// - Parameter address: linear, in the arena.
  func write(_ bytes: [UInt8], at address: UInt64 = LongArena.codeBase) {
    for (i, byte) in bytes.enumerated() {
      machine.memory.setByte(at: address - LongArena.base + UInt64(i), byte)
    }
  }

  /// The exception that the last instruction raised, if it did.
  var exception: Int? {
    if cpu[CPU.Word.activity] == CPU.Activity.shutdown { return machine.event.vector }
    let offset = cpu.rip &- LongTestMachine.handlerBase
    return offset < 512 && offset % 16 == 0 ? Int(offset / 16) : nil
  }

  /// The instruction pointer that the last exception pushed.
  var faultingIP: UInt64 {
    machine.memory.word(at: LongTestMachine.exceptionStack - 40)
  }

  /// The error code that it pushed, if it has one.
  var errorCode: UInt64 { machine.memory.word(at: LongTestMachine.exceptionStack - 48) }
}
