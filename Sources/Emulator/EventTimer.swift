/// The High Precision Event Timer at FED00000h, as far as kernels read its counter: IA-PC HPET Specification 1.0a §2.3.
/// No table names it, so that kernels that look for it in ACPI's tables take other timers. Its comparators hold what
/// is written; one that is told to interrupt is not modelled.

extension Machine {
  static let eventTimerAddress: UInt64 = 0xFED0_0000
  private static let comparators = 3
  /// Femtoseconds of a count: a unit of the machine's clock.
  private static let period: UInt64 = 1_000_000_000_000_000 / (1_193_182 * clocksPerPulse)

  private enum Word {
    static let configuration = 0
    static let counter = 1
    static let start = 2
    static let comparators = 3
  }

  private func eventTimerCount() -> UInt64 {
    let counter = deviceWord(.eventTimer, Word.counter)
    guard deviceWord(.eventTimer, Word.configuration) & 1 != 0 else { return counter }
    let (now, start) = (clock, deviceWord(.eventTimer, Word.start))
    return counter &+ (now > start ? now - start : 0)
  }

  func isEventTimer(_ physical: UInt64) -> Bool {
    physical >> 12 == Machine.eventTimerAddress >> 12
  }

  func readEventTimer(_ offset: UInt64, size: Int) -> UInt64 {
    var value: UInt64 = 0
    let register = offset & 0x3F8
    switch register {
    case 0x000:
      // Revision 1, three comparators, 64 bits, no legacy replacement.
      value =
        Machine.period << 32 | 0x8086 << 16 | 1 << 13 | UInt64(Machine.comparators - 1) << 8 | 1
    case 0x010: value = deviceWord(.eventTimer, Word.configuration)
    case 0x0F0:
      noteClockRead()
      value = eventTimerCount()
    case 0x100..<(0x100 + 0x20 * UInt64(Machine.comparators)):
      let (number, part) = comparator(register)
      if part < 2 { value = deviceWord(.eventTimer, Word.comparators + 2 * number + part) }
      // 64 bits, periodic, any pin of the I/O APIC.
      if part == 0 { value |= 0x00FF_FFFF_0000_0030 }
    default: break
    }
    if offset & 4 != 0 { value >>= 32 }
    return size == 4 ? value & 0xFFFF_FFFF : value
  }

  func writeEventTimer(_ offset: UInt64, size: Int, _ written: UInt64) -> Bool {
    let register = offset & 0x3F8
    func merged(_ old: UInt64) -> UInt64 {
      if size == 8 { return written }
      return offset & 4 != 0
        ? old & 0xFFFF_FFFF | written << 32 : old & ~0xFFFF_FFFF | written & 0xFFFF_FFFF
    }
    switch register {
    case 0x010:
      let old = deviceWord(.eventTimer, Word.configuration)
      let new = merged(old) & 3
      if new & 2 != 0 { return notModelled("the HPET's legacy replacement of the timer and clock") }
      if (new ^ old) & 1 != 0 {
        if new & 1 == 0 { setDeviceWord(.eventTimer, Word.counter, eventTimerCount()) }
        setDeviceWord(.eventTimer, Word.start, clock)
      }
      setDeviceWord(.eventTimer, Word.configuration, new)
    case 0x0F0:
      setDeviceWord(.eventTimer, Word.counter, merged(eventTimerCount()))
      setDeviceWord(.eventTimer, Word.start, clock)
    case 0x100..<(0x100 + 0x20 * UInt64(Machine.comparators)):
      let (number, part) = comparator(register)
      guard part < 2 else { return true }
      let word = Word.comparators + 2 * number + part
      let new = merged(deviceWord(.eventTimer, word))
      if part == 0 && new & 4 != 0 { return notModelled("an interrupt of the HPET") }
      setDeviceWord(.eventTimer, word, part == 0 ? new & 0x3E4A : new)
    default: break
    }
    return true
  }

  /// Which comparator a register belongs to; 0 its configuration, 1 its value, more: others.
  private func comparator(_ register: UInt64) -> (number: Int, part: Int) {
    (Int(register - 0x100) / 0x20, Int(register & 0x1F) / 8)
  }
}
