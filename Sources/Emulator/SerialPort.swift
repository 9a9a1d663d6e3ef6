/// Two 16550 UARTs, at 3F8h with IRQ 4 and at 2F8h with IRQ 3, whose lines are infinitely fast. National Semiconductor PC16550D data
/// sheet.

private struct Serial {
  var raw: UInt64

  private func byte(_ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: raw >> shift) }
  private mutating func setByte(_ shift: UInt64, _ value: UInt8) {
    raw = raw & ~(0xFF << shift) | UInt64(value) << shift
  }
  var interruptEnable: UInt8 {
    get { byte(0) }
    set { setByte(0, newValue) }
  }
  var lineControl: UInt8 {
    get { byte(8) }
    set { setByte(8, newValue) }
  }
  var modemControl: UInt8 {
    get { byte(16) }
    set { setByte(16, newValue) }
  }
  var scratch: UInt8 {
    get { byte(24) }
    set { setByte(24, newValue) }
  }
  var divisorLow: UInt8 {
    get { byte(32) }
    set { setByte(32, newValue) }
  }
  var divisorHigh: UInt8 {
    get { byte(40) }
    set { setByte(40, newValue) }
  }
  /// Bytes in the receive queue: bits 48–51.
  var received: Int {
    get { Int(raw >> 48) & 15 }
    set { raw = raw & ~(15 << 48) | UInt64(newValue) << 48 }
  }
  var usesFIFO: Bool {
    get { raw & 1 << 52 != 0 }
    set { raw = newValue ? raw | 1 << 52 : raw & ~(1 << 52) }
  }
  /// The transmitter became empty, and nobody has looked at it.
  var transmitterEmptied: Bool {
    get { raw & 1 << 53 != 0 }
    set { raw = newValue ? raw | 1 << 53 : raw & ~(1 << 53) }
  }
  var overrun: Bool {
    get { raw & 1 << 54 != 0 }
    set { raw = newValue ? raw | 1 << 54 : raw & ~(1 << 54) }
  }

  var isLoopback: Bool { modemControl & 0x10 != 0 }
  var selectsDivisor: Bool { lineControl & 0x80 != 0 }

  /// The highest pending interrupt's code in IIR; 1 when there is none.
  var identification: UInt8 {
    if interruptEnable & 4 != 0 && overrun { return 6 }
    if interruptEnable & 1 != 0 && received > 0 { return 4 }
    if interruptEnable & 2 != 0 && transmitterEmptied { return 2 }
    return 1
  }
  var lineStatus: UInt8 { 0x60 | (received > 0 ? 1 : 0) | (overrun ? 2 : 0) }
  /// CTS, DSR and DCD are on; in loopback, the outputs.
  var modemStatus: UInt8 {
    if !isLoopback { return 0xB0 }
    let m = modemControl
    return (m & 2) << 3 | (m & 1) << 5 | (m & 4) << 4 | (m & 8) << 4
  }
}

extension Machine {
  private func serial(_ isSecond: Bool) -> Serial {
    Serial(raw: deviceWord(isSecond ? .secondSerial : .serial))
  }

  private func setSerial(_ isSecond: Bool, _ value: Serial) {
    setDeviceWord(isSecond ? .secondSerial : .serial, value.raw)
    // OUT2 connects the interrupt output to the line on every PC.
    setLine(isSecond ? 3 : 4, value.identification != 1 && value.modemControl & 8 != 0)
  }

  func resetSerial() {
    var port = Serial(raw: 0)
    port.divisorLow = 12
    setDeviceWord(.serial, port.raw)
    setDeviceWord(.serialQueue, 0)
    setDeviceWord(.secondSerial, port.raw)
    setDeviceWord(.secondSerialQueue, 0)
  }

  /// Why no byte that arrives can lead to an interrupt as the port is programmed; nil: one can.
  func serialObstacle(second: Bool) -> String? {
    let port = serial(second)
    if port.interruptEnable & 1 == 0 { return "its receive interrupt is off" }
    return port.modemControl & 8 == 0 ? "OUT2 keeps its line off" : nil
  }

  /// Whether the receiver of COM1 (or COM2) takes no more bytes.
  public func isSerialReceiverFull(second: Bool = false) -> Bool {
    let port = serial(second)
    return port.received >= (port.usesFIFO ? 8 : 1)
  }

  /// A byte arrives on COM1 (or COM2). False, and an overrun, when the receiver is full.
  @discardableResult public func injectSerial(byte: UInt8, second: Bool = false) -> Bool {
    var port = serial(second)
    defer { setSerial(second, port) }
    return receive(&port, byte, second)
  }

  private func receive(_ port: inout Serial, _ byte: UInt8, _ isSecond: Bool) -> Bool {
    guard port.received < (port.usesFIFO ? 8 : 1) else {
      port.overrun = true
      return false
    }
    let word: DeviceWord = isSecond ? .secondSerialQueue : .serialQueue
    setDeviceWord(word, deviceWord(word) | UInt64(byte) << UInt64(port.received * 8))
    port.received += 1
    return true
  }

  func readSerial(_ port: UInt16) -> UInt8 {
    let isSecond = port < 0x300
    let word: DeviceWord = isSecond ? .secondSerialQueue : .serialQueue
    let before = serial(isSecond)
    var serial = before
    defer { if serial.raw != before.raw { setSerial(isSecond, serial) } }
    switch port & 7 {
    case 0:
      if serial.selectsDivisor { return serial.divisorLow }
      guard serial.received > 0 else { return 0 }
      let queue = deviceWord(word)
      setDeviceWord(word, queue >> 8)
      serial.received -= 1
      return UInt8(truncatingIfNeeded: queue)
    case 1: return serial.selectsDivisor ? serial.divisorHigh : serial.interruptEnable
    case 2:
      let code = serial.identification
      if code == 2 { serial.transmitterEmptied = false }
      return code | (serial.usesFIFO ? 0xC0 : 0)
    case 3: return serial.lineControl
    case 4: return serial.modemControl
    case 5:
      let status = serial.lineStatus
      serial.overrun = false
      return status
    case 6: return serial.modemStatus
    default: return serial.scratch
    }
  }

  func writeSerial(_ port: UInt16, _ value: UInt8) {
    let isSecond = port < 0x300
    var serial = serial(isSecond)
    switch port & 7 {
    case 0:
      if serial.selectsDivisor {
        serial.divisorLow = value
      } else {
        if serial.isLoopback {
          _ = receive(&serial, value, isSecond)
        } else if keepsOutput {
          keep(value, isSecond)
        }
        // The line falls while the byte is in the transmitter, and rises again at once.
        serial.transmitterEmptied = false
        if serial.interruptEnable & 2 != 0 {
          setSerial(isSecond, serial)
          serial.transmitterEmptied = true
        }
      }
    case 1:
      if serial.selectsDivisor {
        serial.divisorHigh = value
      } else {
        if value & ~serial.interruptEnable & 2 != 0 { serial.transmitterEmptied = true }
        if value & 2 == 0 { serial.transmitterEmptied = false }
        serial.interruptEnable = value & 15
      }
    case 2:
      serial.usesFIFO = value & 1 != 0
      if value & 2 != 0 {
        serial.received = 0
        setDeviceWord(isSecond ? .secondSerialQueue : .serialQueue, 0)
      }
    case 3: serial.lineControl = value
    case 4: serial.modemControl = value & 0x1F
    case 7: serial.scratch = value
    default: break
    }
    setSerial(isSecond, serial)
  }

  private func keep(_ byte: UInt8, _ isSecond: Bool) {
    if isSecond {
      secondSerialOutput.append(byte)
    } else {
      serialOutput.append(byte)
      lookForText(in: serialOutput)
    }
  }
}
