/// From a line that goes high to a handler: requests, acknowledge, and what rules ask.
/// Intel SDM Vol. 3A §6.3.1, §6.6–6.8.

extension Machine {
  var controllers: InterruptControllerPair {
    get {
      InterruptControllerPair(
        master: InterruptController(raw: deviceWord(.masterController)),
        slave: InterruptController(raw: deviceWord(.slaveController)))
    }
    set {
      setDeviceWord(.masterController, newValue.master.raw)
      setDeviceWord(.slaveController, newValue.slave.raw)
    }
  }

  /// Delivers an NMI or an external interrupt when one is pending and may be taken at this
  /// boundary; a halted CPU wakes.
  ///
  /// A machine check goes first, then NMI, which waits while an NMI handler runs, and behind MOV SS
  /// (Vol. 3A §6.7.1, §6.8.3, §6.9); external interrupts wait for IF and behind both shadows. Those of
  /// the local APIC go before those of the 8259 pair, which every CPU can take whose LINT0 lets them
  /// through.
  /// - Returns: whether something was delivered. When the delivery is not modelled, false with
  ///   `faultVector` set and nothing changed.
  @discardableResult public func pollInterrupts(_ cpu: Int) -> Bool {
    agree(cpu)
    return takePending(cpu)
  }

  /// The same, within a run.
  func takePending(_ cpu: Int) -> Bool {
    let c = cpus[cpu]
    faultVector = -1
    if c[CPU.Word.activity] > CPU.Activity.halted { return false }
    if c[CPU.Word.nmi] & 4 != 0 { return takeMachineCheck(cpu) }
    if c[CPU.Word.nmi] & 3 == 2 && c[CPU.Word.shadow] != 2 {
      c[CPU.Word.nmi] &= ~2
      deliver(cpu, vector: Vector.nmi, kind: .nmi, errorCode: nil)
      if faultVector < 0 { return true }
      c[CPU.Word.nmi] |= 2
      return false
    }
    guard c.interruptsEnabled, c[CPU.Word.shadow] == 0 else { return false }
    let apic = apic(cpu)
    let vector = apic.deliverable
    if vector >= 0 { return takeLocal(cpu, apic, vector) }
    guard apic.takesExternalController else { return false }
    let before = controllers
    guard before.isRequesting else { return false }
    var after = before
    let (external, line) = after.acknowledge()
    controllers = after
    deliver(cpu, vector: external, kind: .external, errorCode: nil)
    if faultVector < 0 {
      event.value = UInt64(line)
      return true
    }
    controllers = before
    return false
  }

  /// Takes a vector from the local APIC.
  private func takeLocal(_ cpu: Int, _ apic: LocalAPIC, _ vector: Int) -> Bool {
    apic.acknowledge(vector)
    deliver(cpu, vector: vector, kind: .external, errorCode: nil)
    if faultVector < 0 {
      event.value = .max
      return true
    }
    apic.setBit(LocalAPIC.Word.inService, vector, false)
    apic.setBit(LocalAPIC.Word.requests, vector, true)
    return false
  }

  // MARK: Lines

  /// A device raises an ISA interrupt line, 0–15: a rising edge, which its controller latches even
  /// while the line is masked. On a level-triggered line the level stays until `lower`.
  public func raise(line: Int) {
    var pair = controllers
    pair.raise(line)
    controllers = pair
    raisePin(Machine.pin(ofLine: line))
  }

  /// The device's line goes low. A latched edge stays latched.
  public func lower(line: Int) { setLine(line, false) }

  /// Drives a line whose device knows its level.
  func setLine(_ line: Int, _ high: Bool) {
    var pair = controllers
    pair.setLine(line, high)
    controllers = pair
    setPin(Machine.pin(ofLine: line), high)
  }

  /// Noise: a controller asks for an interrupt whose request is gone when it is acknowledged, so
  /// that IRQ 7 (of the slave: IRQ 15) is delivered without an in-service bit.
  public func raiseSpurious(slave: Bool) {
    var pair = controllers
    if slave {
      pair.slave.glitch = true
      pair.propagate()
    } else {
      pair.master.glitch = true
    }
    controllers = pair
  }

  /// Latches a non-maskable interrupt; one more is latched while one is being handled.
  public func raiseNMI(cpu: Int) { cpus[cpu][CPU.Word.nmi] |= 2 }

  // MARK: Questions

  /// Whether the CPU would take this line's interrupt at this boundary if it were raised now: IF,
  /// shadow, masks, priorities and levels in service allow it, and no other request goes first.
  public func isDeliverable(line: Int, cpu: Int) -> Bool {
    guard acceptsInterrupts(cpu: cpu) else { return false }
    let apic = apic(cpu)
    if let route = route(ofLine: line) {
      if route.isNMI { return route.cpus.contains(cpu) && acceptsNMI(cpu: cpu) }
      if route.cpus.contains(cpu) { return isDeliverable(vector: route.vector, cpu: cpu) }
    }
    guard apic.takesExternalController, apic.deliverable < 0 else { return false }
    var pair = controllers
    pair.raise(line)
    return pair.isRequesting && !pair.master.glitch && pair.acknowledge().line == line
  }

  /// Whether the CPU would take this vector at this boundary if its local APIC were given it now.
  public func isDeliverable(vector: Int, cpu: Int) -> Bool {
    guard acceptsInterrupts(cpu: cpu) else { return false }
    let apic = apic(cpu)
    return apic.isEnabled && apic.isSoftwareEnabled
      && vector > apic.highest(LocalAPIC.Word.requests)
      && UInt64(vector) & 0xF0 > apic.processorPriority & 0xF0
  }

  /// Whether the CPU takes external interrupts at this boundary: IF set, no shadow, not shut down.
  public func acceptsInterrupts(cpu: Int) -> Bool {
    let c = cpus[cpu]
    return c.interruptsEnabled && c[CPU.Word.shadow] == 0
      && c[CPU.Word.activity] <= CPU.Activity.halted
  }

  /// Whether an NMI raised now would be taken at this boundary.
  public func acceptsNMI(cpu: Int) -> Bool {
    let c = cpus[cpu]
    return c[CPU.Word.nmi] & 1 == 0 && c[CPU.Word.shadow] != 2
      && c[CPU.Word.activity] <= CPU.Activity.halted
  }

  /// The line (0–15) that would be acknowledged next, nil when the controllers ask for nothing.
  /// Says nothing about the CPU.
  public var pendingLine: Int? {
    var pair = controllers
    return pair.isRequesting ? pair.acknowledge().line : nil
  }

  /// The acknowledge sequence alone, as the processor's bus cycles run it; nil when the controllers
  /// ask for nothing.
  public func acknowledgeInterrupt() -> (vector: Int, line: Int)? {
    var pair = controllers
    guard pair.isRequesting else { return nil }
    defer { controllers = pair }
    return pair.acknowledge()
  }

  /// Registers of one interrupt controller.
  public struct PICState: Equatable, Sendable {
    /// Latched requests, a bit per level.
    public var requests: UInt8
    public var inService: UInt8
    /// Bits of masked levels.
    public var mask: UInt8
    /// Vector of level 0.
    public var base: UInt8
    public var automaticEOI: Bool
    public var specialMask: Bool
    public var lowestPriority: Int
    /// Whether initialization words are still expected.
    public var isInitializing: Bool
  }

  public func picState(slave: Bool) -> PICState {
    let chip = slave ? controllers.slave : controllers.master
    return PICState(
      requests: chip.requests, inService: chip.inService, mask: chip.mask, base: chip.base,
      automaticEOI: chip.automaticEOI, specialMask: chip.specialMask,
      lowestPriority: chip.lowestPriority, isInitializing: chip.expectedWord != 0)
  }

  /// In-service bits of lines 0–15.
  public var linesInService: UInt16 {
    let pair = controllers
    return UInt16(pair.master.inService) | UInt16(pair.slave.inService) << 8
  }

  /// The line (0–15) behind a vector, by the controllers' bases.
  public func line(ofVector vector: Int) -> Int? {
    let pair = controllers
    if vector >> 3 == Int(pair.master.base) >> 3 { return vector & 7 }
    if vector >> 3 == Int(pair.slave.base) >> 3 { return 8 + (vector & 7) }
    return nil
  }
}
