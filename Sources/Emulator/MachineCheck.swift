/// Machine checks: one bank of error registers for each CPU. Intel SDM Vol. 3B §15.3; Vol. 3A §6.15,
/// "Interrupt 18".

extension Machine {
  /// MCIP: a machine check is being handled. Vol. 3B §15.3.1.2.
  private static let inProgress: UInt64 = 1 << 2

  /// A machine check that nothing masks: taken at the next instruction boundary.
  public func raiseMachineCheck(cpu: Int) {
    cpus[cpu][CPU.Word.nmi] |= 4
    let apic = apic(cpu)
    // VAL, UC, EN, PCC: an uncorrected error, and the processor's context may be damaged. §15.3.2.2.
    apic[LocalAPIC.Word.bankStatus] = 1 << 63 | 1 << 61 | 1 << 60 | 1 << 57
  }

  public func isMachineCheckPending(_ cpu: Int) -> Bool { cpus[cpu][CPU.Word.nmi] & 4 != 0 }

  /// Whether a machine check raised now would reach its handler: CR4.MCE is set and none is being
  /// handled. Otherwise it shuts the processor down.
  public func acceptsMachineCheck(cpu: Int) -> Bool {
    cpus[cpu][CPU.Word.cr4] & ControlBit.mce != 0
      && apic(cpu)[LocalAPIC.Word.checkStatus] & Machine.inProgress == 0
  }

  /// Takes the machine check that is pending. A second one before the handler has cleared MCIP, and
  /// one with CR4.MCE clear, shut the processor down.
  func takeMachineCheck(_ cpu: Int) -> Bool {
    let c = cpus[cpu]
    let apic = apic(cpu)
    c[CPU.Word.nmi] &= ~4
    guard acceptsMachineCheck(cpu: cpu) else {
      c[CPU.Word.activity] = CPU.Activity.shutdown
      event = Event()
      event.kind = .machineCheck
      event.cpu = cpu
      event.vector = Vector.machineCheck
      return true
    }
    let before = apic[LocalAPIC.Word.checkStatus]
    // RIPV: the interrupted code could go on.
    apic[LocalAPIC.Word.checkStatus] = Machine.inProgress | 1
    deliver(cpu, vector: Vector.machineCheck, kind: .machineCheck, errorCode: nil)
    if faultVector < 0 { return true }
    apic[LocalAPIC.Word.checkStatus] = before
    c[CPU.Word.nmi] |= 4
    return false
  }

  // MARK: Registers

  /// The word behind a machine-check or APIC register of the CPU; nil for any other.
  private func interruptWord(_ number: UInt64) -> Int? {
    switch number {
    case 0x1B: LocalAPIC.Word.base
    case 0x17A: LocalAPIC.Word.checkStatus
    case 0x400: LocalAPIC.Word.bankControl
    case 0x401: LocalAPIC.Word.bankStatus
    case 0x402: LocalAPIC.Word.bankAddress
    case 0x403: LocalAPIC.Word.bankMisc
    default: nil
    }
  }

  /// RDMSR of IA32_APIC_BASE and of the machine-check registers; nil for any other.
  func readInterruptRegister(_ cpu: Int, _ number: UInt64) -> UInt64? {
    // IA32_MCG_CAP: one bank, nothing else. §15.3.1.1.
    if number == 0x179 { return 1 }
    return interruptWord(number).map { apic(cpu)[$0] }
  }

  /// WRMSR of the same; nil for any other register, false after a fault.
  func writeInterruptRegister(_ cpu: Int, _ number: UInt64, _ value: UInt64) -> Bool? {
    let apic = apic(cpu)
    switch number {
    case 0x1B:
      // Reserved, x2APIC mode, which CPUID does not announce, included. §10.4.4, §10.12.1.
      if value & ~0xF_FFFF_F900 != 0 { return fault(Vector.generalProtection) }
      if value & 0xF_FFFF_F000 != LocalAPIC.address {
        return notModelled("a local APIC that is moved to 0x\(hex(value & 0xF_FFFF_F000))")
      }
      let isOn = value & LocalAPIC.baseEnabled != 0
      if isOn && !apic.isEnabled {
        return notModelled("a local APIC that is turned on again")
      }
      apic[LocalAPIC.Word.base] =
        apic[LocalAPIC.Word.base] & LocalAPIC.baseBootstrap
        | value & ~LocalAPIC.baseBootstrap
      return true
    case 0x179: return fault(Vector.generalProtection)
    case 0x401, 0x402, 0x403:
      // Only zero can be written. §15.3.2.2.
      if value != 0 { return fault(Vector.generalProtection) }
      fallthrough
    default:
      guard let word = interruptWord(number) else { return nil }
      apic[word] = value
      return true
    }
  }
}
