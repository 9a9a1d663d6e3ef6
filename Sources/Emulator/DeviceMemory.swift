/// Devices whose registers lie in physical memory. Both APICs want aligned accesses of 32 bits
/// (Intel SDM Vol. 3A §10.4.1), the HPET takes 64 as well; others are not modelled.

extension Machine {
  /// Whether a page of physical memory is a device's.
  func isDevicePage(_ physical: UInt64) -> Bool {
    physical >> 12 == LocalAPIC.address >> 12 || physical >> 12 == Machine.ioAPICAddress >> 12
      || isEventTimer(physical)
  }

  /// Whether the access in flight may touch a device now. An instruction that does is executed alone,
  /// between two boundaries, so that what the device does then is taken up at once.
  private func mayTouchDevice(_ cpu: Int, _ kind: UInt8) -> Bool {
    if kind & AccessKind.implicit != 0 {
      return notModelled(
        "an access of the processor's own to the device at 0x\(hex(devicePhysical))")
    }
    if cores[cpu].onDevice { return true }
    let stops =
      memory.observed && observation.stopBefore & InstructionClass.io != 0 && !cores[cpu].passing
    faultVector = stops ? Machine.visibleFault : Machine.deviceFault
    if stops { noteStop(devicePhysical, 4, kind, write: false, isDevice: true) }
    return false
  }

  private func isRegisterAccess(_ size: Int) -> Bool {
    if size == 4 && devicePhysical & 3 == 0 { return true }
    if size == 8 && devicePhysical & 7 == 0 && isEventTimer(devicePhysical) { return true }
    return notModelled("an access of \(size) bytes to the device at 0x\(hex(devicePhysical))")
  }

  private func localAPICAnswers(_ cpu: Int) -> Bool {
    if apic(cpu).isEnabled { return true }
    return notModelled("an access to the local APIC, which IA32_APIC_BASE turned off")
  }

  /// The load that `fill` found to go to a device. nil with the fault set.
  func loadDevice(_ cpu: Int, _ size: Int, _ kind: UInt8) -> UInt64? {
    guard mayTouchDevice(cpu, kind), isRegisterAccess(size) else { return nil }
    let offset = devicePhysical & 0xFFF
    if devicePhysical >> 12 == Machine.ioAPICAddress >> 12 {
      guard let value = readIOAPIC(offset) else { return nil }
      faultVector = -1
      return value
    }
    if isEventTimer(devicePhysical) {
      faultVector = -1
      return readEventTimer(offset, size: size)
    }
    guard localAPICAnswers(cpu) else { return nil }
    // Registers are 128 bits apart; the other 96 read as zero here.
    guard offset & 15 == 0 else {
      faultVector = -1
      return 0
    }
    guard let value = readLocalAPIC(cpu, offset) else { return nil }
    faultVector = -1
    return value
  }

  /// Whether a store to a device would be carried out; sets the fault if not.
  func probeDevice(_ cpu: Int, _ size: Int, _ kind: UInt8) -> Bool {
    guard mayTouchDevice(cpu, kind), isRegisterAccess(size) else { return false }
    faultVector = -1
    return true
  }

  /// The store that `fill` found to go to a device. False with the fault set.
  func storeDevice(_ cpu: Int, _ size: Int, _ value: UInt64, _ kind: UInt8) -> Bool {
    guard mayTouchDevice(cpu, kind), isRegisterAccess(size) else { return false }
    let offset = devicePhysical & 0xFFF
    if isEventTimer(devicePhysical) {
      guard writeEventTimer(offset, size: size, value) else { return false }
      cores[cpu].deviceWrite = devicePhysical
      faultVector = -1
      return true
    }
    let value = value & 0xFFFF_FFFF
    if devicePhysical >> 12 == Machine.ioAPICAddress >> 12 {
      guard writeIOAPIC(offset, value) else { return false }
    } else {
      guard localAPICAnswers(cpu) else { return false }
      if offset & 15 == 0 {
        guard writeLocalAPIC(cpu, offset, value) else { return false }
      }
    }
    cores[cpu].deviceWrite = devicePhysical
    faultVector = -1
    return true
  }
}
