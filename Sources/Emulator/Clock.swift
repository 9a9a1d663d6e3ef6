/// The MC146818 clock with its CMOS memory: ports 70h and 71h, IRQ 8. Motorola MC146818 data sheet.
///
/// In plain runs the time goes on from 2024-01-01 00:00:00 with the machine's clock. While memory is observed it
/// stands, and each look at it is noted. The clock's interrupts come only from outside (`raiseClock`).

/// Bits of register B that turn on, and of register C that report, the periodic interrupt, the alarm and the
/// update; together.
private let clockCauses: UInt8 = 0x70

extension Machine {
  /// Units of `clock` for a second.
  private static let clocksPerSecond: UInt64 = 1_193_182 * clocksPerPulse

  /// As firmware leaves it: 32768 Hz and 1024 Hz selected, 24 hours, BCD, no interrupts.
  func resetClock() { setDeviceWord(.cmos, 0x02 << 16 | 0x26 << 8) }

  private func statusRegister(_ name: UInt64) -> UInt8 {
    UInt8(truncatingIfNeeded: deviceWord(.cmos) >> (8 * (name - 9)))
  }

  private func setStatusRegister(_ name: UInt64, _ value: UInt8) {
    let shift = 8 * (name - 9)
    setDeviceWord(.cmos, deviceWord(.cmos) & ~(0xFF << shift) | UInt64(value) << shift)
  }

  func readCMOS() -> UInt8 {
    let index = deviceWord(.cmos) & 0xFF
    let above1M = min(max(memory.ramFrames * 4 - 1024, 0), 0xFFFF)
    let above16M = min(max(memory.ramFrames / 16 - 256, 0), 0xFFFF)
    if index <= 0x0A || index == 0x32 { noteClockRead() }
    let seconds = clock / Machine.clocksPerSecond
    switch index {
    case 0x00: return asCalendar(seconds % 60)
    case 0x02: return asCalendar(seconds / 60 % 60)
    case 0x04: return hours(seconds / 3600 % 24)
    case 0x06: return asCalendar(2)
    case 0x07, 0x08: return 0x01
    case 0x09: return asCalendar(24)
    case 0x32: return 0x20
    case 0x0A:
      // Update in progress: 244 µs before and during each update.
      let left = Machine.clocksPerSecond - clock % Machine.clocksPerSecond
      let isUpdating = !memory.observed && left < Machine.clocksPerSecond / 4096
      return statusRegister(0x0A) & 0x7F | (isUpdating ? 0x80 : 0)
    case 0x0B: return statusRegister(0x0B)
    case 0x0C:
      let value = statusRegister(0x0C)
      if value != 0 {
        setStatusRegister(0x0C, 0)
        setLine(8, false)
      }
      return value
    case 0x0D: return 0x80
    case 0x15: return 0x80
    case 0x16: return 0x02
    case 0x17, 0x30: return UInt8(truncatingIfNeeded: above1M)
    case 0x18, 0x31: return UInt8(truncatingIfNeeded: above1M >> 8)
    case 0x34: return UInt8(truncatingIfNeeded: above16M)
    case 0x35: return UInt8(truncatingIfNeeded: above16M >> 8)
    default: return 0
    }
  }

  func writeCMOS(_ value: UInt8) {
    switch deviceWord(.cmos) & 0xFF {
    case 0x0A: setStatusRegister(0x0A, value & 0x7F)
    case 0x0B: setStatusRegister(0x0B, value)
    default: break
    }
  }

  /// Binary or decimal, as register B says.
  private func asCalendar(_ value: UInt64) -> UInt8 {
    statusRegister(0x0B) & 4 != 0 ? UInt8(value) : UInt8((value / 10) << 4 | value % 10)
  }

  private func hours(_ value: UInt64) -> UInt8 {
    if statusRegister(0x0B) & 2 != 0 { return asCalendar(value) }
    let hour = asCalendar(value % 12 == 0 ? 12 : value % 12)
    return hour | (value >= 12 ? 0x80 : 0)
  }

  /// Why the clock cannot lead to IRQ 8 as it is programmed; nil: it can.
  var clockObstacle: String? {
    statusRegister(0x0B) & clockCauses == 0 ? "none of its interrupts is on" : nil
  }

  /// Whether the clock has one of its interrupts on.
  public var clockInterrupts: Bool { clockObstacle == nil }

  /// Whether the clock's last interrupt has not been acknowledged by a read of register C: there is no other
  /// before.
  public var clockRequests: Bool { statusRegister(0x0C) & 0x80 != 0 }

  /// The clock has reason for an interrupt: each that is on.
  public func raiseClock() {
    let causes = statusRegister(0x0B) & clockCauses
    guard causes != 0, !clockRequests else { return }
    setStatusRegister(0x0C, 0x80 | causes)
    setLine(8, true)
  }
}
