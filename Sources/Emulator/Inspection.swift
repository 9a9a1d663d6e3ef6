/// What a checker asks of a machine between steps, without changing it.
extension Machine {
  public func isNMILatched(_ cpu: Int) -> Bool { cpus[cpu][CPU.Word.nmi] & 2 != 0 }

  /// Whether a request of this line is latched already wherever it goes, so that another edge would be
  /// lost in it.
  public func isRequested(line: Int) -> Bool {
    let state = picState(slave: line >= 8)
    if state.requests >> UInt8(line & 7) & 1 == 0 { return false }
    guard let route = route(ofLine: line) else { return true }
    if route.isNMI { return route.cpus.allSatisfy { isNMILatched($0) } }
    return route.cpus.allSatisfy { isRequested(vector: route.vector, cpu: $0) }
  }

  /// Whether the CPU's local APIC has latched this vector.
  public func isRequested(vector: Int, cpu: Int) -> Bool {
    apic(cpu).bit(LocalAPIC.Word.requests, vector)
  }

  public func isInService(line: Int) -> Bool { linesInService >> UInt16(line) & 1 != 0 }

  /// Whether the interrupt that entered a handler by this vector on this CPU is still in service, in
  /// its local APIC or in the 8259 pair.
  public func isInService(vector: Int, cpu: Int) -> Bool {
    if apic(cpu).bit(LocalAPIC.Word.inService, vector) { return true }
    guard apic(cpu).takesExternalController, let line = line(ofVector: vector) else { return false }
    return isInService(line: line)
  }

  /// The vector that a line's interrupts have: by the controllers' bases, or by the I/O APIC's entry
  /// where that is open.
  public func vector(ofLine line: Int) -> Int {
    if let route = route(ofLine: line) { return route.vector }
    return Int(picState(slave: line >= 8).base) + (line & 7)
  }

  /// The CPUs that a line's interrupt could go to.
  public func targets(ofLine line: Int) -> [Int] {
    var result = cpus.indices.filter { apic($0).takesExternalController }
    if let route = route(ofLine: line) { result += route.cpus.filter { !result.contains($0) } }
    return result
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
    let c = cpus[cpu]
    if c[CPU.Word.activity] > CPU.Activity.halted { return false }
    if c[CPU.Word.nmi] & 6 != 0
      && (isMachineCheckPending(cpu) || (isNMILatched(cpu) && acceptsNMI(cpu: cpu)))
    {
      return true
    }
    guard c.interruptsEnabled, c[CPU.Word.shadow] == 0 else { return false }
    let apic = apic(cpu)
    return apic.deliverable >= 0 || (apic.takesExternalController && controllers.isRequesting)
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
