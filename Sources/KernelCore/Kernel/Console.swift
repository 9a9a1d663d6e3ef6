import Hardware

// The first serial port, a 16550. It is polled: output is for people who watch, and a
// transmitter that interrupts would only be one more source.

private let port: UInt16 = 0x3F8
private let lineStatus = port + 5
private let transmitterEmpty: UInt8 = 1 << 5

func setUpConsole() {
  out8(port + 1, 0)  // no interrupts
  out8(port + 3, 0x80)  // the next two are the divisor
  out8(port, 1)  // 115200 baud
  out8(port + 1, 0)
  out8(port + 3, 0x03)  // 8 bits, no parity, 1 stop bit
  out8(port + 2, 0x01)  // queue on
}

/// Sends one byte. The caller holds `console_lock`.
func serialPut(_ byte: UInt8) {
  while in8(lineStatus) & transmitterEmpty == 0 { spin_hint() }
  out8(port, byte)
}

/// Prints a message of the kernel's own.
@inline(never)
func report(_ message: StaticString) {
  let flags = spinAcquire(&console_lock)
  for index in 0..<message.utf8CodeUnitCount { serialPut(message.utf8Start[index]) }
  spinRelease(&console_lock, flags)
}

@inline(never)
func report(_ text: UnsafePointer<CChar>) {
  let flags = spinAcquire(&console_lock)
  var next = text
  while next.pointee != 0 {
    serialPut(UInt8(bitPattern: next.pointee))
    next += 1
  }
  spinRelease(&console_lock, flags)
}

@inline(never)
func reportHex(_ value: UInt) {
  let flags = spinAcquire(&console_lock)
  for digit in 1...UInt(2 * MemoryLayout<UInt>.size) {
    let nibble = UInt8(truncatingIfNeeded: value >> (UInt(UInt.bitWidth) - 4 * digit)) & 15
    serialPut(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
  }
  spinRelease(&console_lock, flags)
}
