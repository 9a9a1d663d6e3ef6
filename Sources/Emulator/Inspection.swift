/// What a checker asks of a machine between steps, without changing it.
extension Machine {
  public func isNMILatched(_ cpu: Int) -> Bool { cpus[cpu][CPU.Word.nmi] & 2 != 0 }

  /// Whether a request of this line is latched already, so that another edge would be lost in it.
  public func isRequested(line: Int) -> Bool {
    let state = picState(slave: line >= 8)
    return state.requests >> UInt8(line & 7) & 1 != 0
  }

  public func isInService(line: Int) -> Bool { linesInService >> UInt16(line) & 1 != 0 }

  /// The vector that a line's interrupts have, by the controllers' bases.
  public func vector(ofLine line: Int) -> Int {
    Int(picState(slave: line >= 8).base) + (line & 7)
  }

  /// The stack pointer that the next entry from ring 3 loads. Intel SDM Vol. 3A §8.2.1 (32-bit
  /// TSS: ESP0 at offset 4), §8.7 (64-bit: RSP0 at offset 4).
  public func readTSSStack(_ cpu: Int) -> UInt64 {
    let base = cpus[cpu].base(CPU.Segment.tr)
    if cpus[cpu].selector(CPU.Segment.tr) & ~3 == 0 { return 0 }
    return peek(cpu, linear: base + 4, size: cpus[cpu].isLongMode ? 8 : 4) ?? 0
  }

  /// Bytes (1...8) at a linear address, without any effect; nil where nothing is mapped.
  public func peek(_ cpu: Int, linear: UInt64, size: Int) -> UInt64? {
    var value: UInt64 = 0
    for i in 0..<UInt64(size) {
      guard let physical = physicalAddress(cpu: cpu, linear: linear + i) else { return nil }
      value |= UInt64(memory.byte(at: physical)) << (8 * i)
    }
    return value
  }

  /// Whether code was decoded from memory that differs from state to state.
  public var codeVaries: Bool { !decodeCache.volatileWords.isEmpty }

  /// Whether the CPU, going on from this boundary, takes an interrupt before the next instruction.
  public func isAboutToDeliver(_ cpu: Int) -> Bool {
    (isNMILatched(cpu) && acceptsNMI(cpu: cpu))
      || (acceptsInterrupts(cpu: cpu) && pendingLine != nil)
  }

  /// The instruction at a physical address as text, whatever the CPUs' modes.
  public func decodeText(
    physical: UInt64, address: UInt64, is64Bit: Bool
  ) -> Disassembly? {
    guard physical + 15 < memory.hiddenBase else { return nil }
    let bytes = (0..<15).map { memory.byte(at: physical + UInt64($0)) }
    return Machine.disassemble(
      bytes, mode: is64Bit ? DecodeMode.long64 : DecodeMode.flat32, at: address)
  }

  /// Whether the instruction at a linear address is SWAPGS. Intel SDM Vol. 2B, "SWAPGS": 0F 01 F8.
  public func isSwapGS(_ cpu: Int, at address: UInt64) -> Bool {
    peek(cpu, linear: address, size: 3) == 0xF8_010F
  }

  /// The port that the next instruction reads, if it is an IN.
  /// Intel SDM Vol. 2A, IN: E4/E5 ib, EC/ED; 66 changes the size only.
  public func inputPort(_ cpu: Int) -> Int? {
    let c = cpus[cpu]
    var at = c.linearIP
    var byte = peek(cpu, linear: at, size: 1)
    if byte == 0x66 {
      at += 1
      byte = peek(cpu, linear: at, size: 1)
    }
    switch byte {
    case 0xE4, 0xE5: return peek(cpu, linear: at + 1, size: 1).map { Int($0) }
    case 0xEC, 0xED: return Int(c[CPU.Register.dx] & 0xFFFF)
    default: return nil
    }
  }
}
