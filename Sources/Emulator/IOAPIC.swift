/// The I/O APIC. Intel 82093AA data sheet (290566); where the lines are is that of a PC: ISA lines go
/// to the pin of their number, IRQ 0 to pin 2, and all of them to the 8259 pair as well.

extension Machine {
  /// Where its registers are in physical memory.
  static let ioAPICAddress: UInt64 = 0xFEC0_0000
  static let ioAPICPins = 24

  /// Bits of a redirection entry. Data sheet §3.2.4.
  private enum Entry {
    static let logical: UInt64 = 1 << 11
    static let remoteRequest: UInt64 = 1 << 14
    static let level: UInt64 = 1 << 15
    static let masked: UInt64 = 1 << 16
    static let readOnly: UInt64 = 1 << 12 | 1 << 14
    static let known: UInt64 = 0xFF00_0000_0001_FFFF
  }

  func resetIOAPIC() {
    setDeviceWord(.ioAPIC, 0)
    setDeviceWord(.ioAPICLines, 0)
    for pin in 0..<Machine.ioAPICPins { setDeviceWord(.ioAPICEntries, pin, Entry.masked) }
  }

  private func entry(_ pin: Int) -> UInt64 { deviceWord(.ioAPICEntries, pin) }

  static func pin(ofLine line: Int) -> Int { line == 0 ? 2 : line }

  // MARK: Registers

  func readIOAPIC(_ offset: UInt64) -> UInt64? {
    let word = deviceWord(.ioAPIC)
    let index = Int(word & 0xFF)
    switch offset {
    case 0: return UInt64(index)
    case 0x10:
      switch index {
      case 0, 2: return word >> 32 & 0x0F00_0000
      // Version 20h: there is an EOI register. 24 entries.
      case 1: return 0x20 | UInt64(Machine.ioAPICPins - 1) << 16
      case 0x10..<(0x10 + 2 * Machine.ioAPICPins):
        let value = entry((index - 0x10) >> 1)
        return index & 1 == 0 ? value & 0xFFFF_FFFF : value >> 32
      default: return 0
      }
    case 0x40: return 0
    default:
      _ = notModelled("I/O APIC register at offset 0x\(hex(offset))")
      return nil
    }
  }

  func writeIOAPIC(_ offset: UInt64, _ value: UInt64) -> Bool {
    let word = deviceWord(.ioAPIC)
    let index = Int(word & 0xFF)
    switch offset {
    case 0: setDeviceWord(.ioAPIC, word & ~0xFF | value & 0xFF)
    case 0x10:
      switch index {
      case 0: setDeviceWord(.ioAPIC, word & 0xFF | (value & 0x0F00_0000) << 32)
      case 0x10..<(0x10 + 2 * Machine.ioAPICPins):
        return writeEntry((index - 0x10) >> 1, high: index & 1 != 0, value)
      default: break
      }
    case 0x40: endInputOutputInterrupt(Int(value & 0xFF))
    default: return notModelled("I/O APIC register at offset 0x\(hex(offset))")
    }
    return true
  }

  private func writeEntry(_ pin: Int, high: Bool, _ value: UInt64) -> Bool {
    let old = entry(pin)
    var new = high ? old & 0xFFFF_FFFF | value << 32 : old & ~0xFFFF_FFFF | value
    new = new & Entry.known & ~Entry.readOnly | old & Entry.readOnly
    if new & Entry.level == 0 { new &= ~Entry.remoteRequest }
    let mode = new >> 8 & 7
    if new & Entry.masked == 0 && mode != 0 && mode != 1 && mode != 4 {
      return notModelled("delivery mode \(mode) of an I/O APIC entry")
    }
    setDeviceWord(.ioAPICEntries, pin, new)
    service(pin)
    return true
  }

  // MARK: Pins

  /// Drives a pin. An edge on a masked pin is lost; a level waits. Data sheet §3.2.4, "Interrupt Mask".
  func setPin(_ pin: Int, _ high: Bool) {
    let bit: UInt64 = 1 << UInt64(pin)
    var lines = deviceWord(.ioAPICLines)
    let rises = high && lines & bit == 0
    lines = high ? lines | bit : lines & ~bit
    setDeviceWord(.ioAPICLines, lines)
    if entry(pin) & Entry.level == 0 {
      if rises && entry(pin) & Entry.masked == 0 { send(pin) }
    } else {
      service(pin)
    }
  }

  /// A rising edge, whatever the pin was.
  func raisePin(_ pin: Int) {
    if entry(pin) & Entry.level != 0 {
      setPin(pin, true)
    } else if entry(pin) & Entry.masked == 0 {
      send(pin)
    }
  }

  /// Sends what a level on the pin asks for.
  private func service(_ pin: Int) {
    let value = entry(pin)
    guard value & Entry.masked == 0, value & Entry.level != 0, value & Entry.remoteRequest == 0,
      deviceWord(.ioAPICLines) >> UInt64(pin) & 1 != 0
    else { return }
    if send(pin) { setDeviceWord(.ioAPICEntries, pin, value | Entry.remoteRequest) }
  }

  /// - Returns: whether a CPU accepted it.
  @discardableResult private func send(_ pin: Int) -> Bool {
    let value = entry(pin)
    if value >> 8 & 7 == 4 {
      for cpu in targets(value) { raiseNMI(cpu: cpu) }
      return false
    }
    var accepted = false
    for cpu in targets(value) {
      if apic(cpu).accept(Int(value & 0xFF), level: value & Entry.level != 0) { accepted = true }
    }
    return accepted
  }

  /// The CPUs that an entry's interrupt goes to now.
  private func targets(_ entry: UInt64) -> [Int] {
    let all = destinations(Int(entry >> 56), logical: entry & Entry.logical != 0)
    return entry >> 8 & 7 == 1 ? lowestPriority(all) : all
  }

  /// The end of a level-triggered interrupt: a pin that is still high sends again.
  func endInputOutputInterrupt(_ vector: Int) {
    for pin in 0..<Machine.ioAPICPins {
      let value = entry(pin)
      guard Int(value & 0xFF) == vector, value & Entry.level != 0, value & Entry.remoteRequest != 0
      else { continue }
      setDeviceWord(.ioAPICEntries, pin, value & ~Entry.remoteRequest)
      service(pin)
    }
  }

  // MARK: Questions

  /// Where an ISA line's interrupt goes through the I/O APIC: CPUs and vector; nil while its entry is
  /// masked.
  func route(ofLine line: Int) -> (cpus: [Int], vector: Int, isNMI: Bool)? {
    let value = entry(Machine.pin(ofLine: line))
    if value & Entry.masked != 0 { return nil }
    return (targets(value), Int(value & 0xFF), value >> 8 & 7 == 4)
  }
}
