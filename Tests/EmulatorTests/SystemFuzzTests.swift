import Emulator
import Testing

/// System instructions in random states: whatever descriptors, gates, task states, page tables and
/// registers hold, the machine must come back with a stop, and undo must bring everything back.
@Suite struct SystemFuzzTests {
  /// SplitMix64: small, and the same everywhere.
  struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }

  /// Beginnings of system instructions; random bytes follow.
  static let opcodes: [[UInt8]] = [
    [0xCD], [0xCC], [0xCE], [0xCF], [0x66, 0xCF], [0xCB], [0xCA], [0xEA], [0x9A], [0xFF],
    [0x8E], [0x8C], [0x07], [0x17], [0x1F], [0x0F, 0xA1], [0x0F, 0xA9], [0xC4], [0xC5],
    [0x0F, 0xB2], [0x0F, 0xB4], [0x0F, 0xB5], [0x0F, 0x00], [0x0F, 0x01], [0x0F, 0x02],
    [0x0F, 0x03], [0x63], [0x62], [0x0F, 0x20], [0x0F, 0x22], [0x0F, 0x21], [0x0F, 0x23],
    [0x0F, 0x06], [0x0F, 0x09], [0x0F, 0x30], [0x0F, 0x31], [0x0F, 0x32], [0x0F, 0xA2],
    [0xE4], [0xE5], [0xE6], [0xE7], [0xEC], [0xED], [0xEE], [0xEF], [0x6C], [0x6D], [0x6E],
    [0xF3, 0x6C], [0xF3, 0x6F], [0xF4], [0xFA], [0xFB], [0x9C], [0x9D], [0x66, 0x9D],
  ]

  static let ports: [UInt64] = [
    0x20, 0x21, 0xA0, 0xA1, 0x40, 0x42, 0x43, 0x60, 0x64, 0x61, 0x70, 0x71, 0x92, 0x3F8, 0x3F9,
    0x3FA, 0x3FB, 0x3FC, 0x3D4, 0x3D5, 0x4D0, 0x4D1, 0xCF8, 0xCFC, 0xE9,
  ]

  @Test(arguments: [1, 2, 3, 4]) func no_state_traps(seed: UInt64) {
    var random = Random(state: seed)
    let machine = Machine(ramBytes: 1 << 20)
    let c = machine.cpus[0]
    let memory = machine.memory
    memory.setBase()
    for _ in 0..<600 {
      let before = memory.fingerprint
      // GDT at 0, LDT, IDT, two TSSs, page tables and code: descriptors that are often plausible.
      for address in stride(from: 0 as UInt64, to: 0x1000, by: 8) {
        var raw = random.next()
        if random.next() % 4 != 0 {
          raw &= 0x00C0_FF00_0000_FFF8
          raw |= 0x0000_8000_0000_FFFF & (random.next() % 2 == 0 ? ~0 : ~0x7FFF)
        }
        memory.setWord(at: address, raw)
      }
      for address in stride(from: 0x2000 as UInt64, to: 0x3000, by: 4) {
        memory.setValue(at: address, size: 4, (random.next() & 0xFF000) | (random.next() & 0x67))
      }
      for _ in 0..<24 {
        let at = 0x4000 + random.next() % 64
        let opcode = Self.opcodes.randomElement(using: &random)!
        for (index, byte) in opcode.enumerated() { memory.setByte(at: at + UInt64(index), byte) }
        memory.setValue(at: at + UInt64(opcode.count), size: 4, random.next())
      }
      for word in 0..<8 {
        c[word] =
          random.next() % 3 == 0 ? random.next() & 0xFFFF_FFFF : random.next() % 0x1000 & ~7
      }
      c[CPU.Register.dx] = Self.ports.randomElement(using: &random)!
      c.rsp = 0x8000 &- random.next() % 16
      c.rip = 0x4000 + random.next() % 64
      c.rflags = random.next() & 0x0024_7ED5 | 2
      c[CPU.Word.activity] = 0
      c[CPU.Word.shadow] = 0
      let cpl = random.next() % 4
      c[CPU.Word.cpl] = cpl
      for segment in 0..<6 {
        let isCode = segment == CPU.Segment.cs
        let access: UInt64 = (isCode ? 0xC09B : 0xC093) | cpl << 5
        c.setSegment(
          segment, selector: UInt16(8 + cpl), base: 0, limit: 0xFFFF_FFFF, attributes: access)
      }
      c.setSegment(
        CPU.Segment.tr, selector: 0x28, base: 0x800, limit: random.next() % 256,
        attributes: random.next() % 2 == 0 ? 0x8B : 0x83)
      c.setSegment(
        CPU.Segment.ldtr, selector: 0x30, base: 0x400, limit: random.next() % 1024,
        attributes: random.next() % 2 == 0 ? 0x82 : 0)
      c[CPU.Word.gdtrBase] = 0
      c[CPU.Word.gdtrLimit] = random.next() % 0x1000
      c[CPU.Word.idtrBase] = random.next() % 2 == 0 ? 0 : random.next() & 0xFFFF_FFFF
      c[CPU.Word.idtrLimit] = random.next() % 0x1000
      c[CPU.Word.cr0] = random.next() % 4 == 0 ? 0x8001_0011 : 0x11
      c[CPU.Word.cr3] = 0x2000
      c[CPU.Word.cr4] = random.next() & 0x10
      machine.raise(line: Int(random.next() % 16))
      if random.next() % 4 == 0 { machine.raiseNMI(cpu: 0) }

      var stop = Stop.limit
      var steps = 0
      while steps < 12 && (stop == .limit || stop == .event || stop == .visible) {
        stop = machine.run(cpu: 0, limit: 1, passFirst: true)
        steps += 1
      }
      if stop == .unmodelled { #expect(machine.unmodelled != nil) }
      memory.undo(to: 0)
      memory.fingerprint = before
    }
    let kept = memory.fingerprint
    memory.setBase()
    #expect(memory.fingerprint == kept)
  }
}
