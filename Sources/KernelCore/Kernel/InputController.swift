import Hardware

// The 8042, which has the keyboard and the mouse on it.

let inputData: UInt16 = 0x60
private let commandAndStatus: UInt16 = 0x64
private let outputFull: UInt8 = 1 << 0
private let inputFull: UInt8 = 1 << 1

/// Lets both devices interrupt, and makes the mouse report.
func setUpInputController() {
  send(0xA8, to: commandAndStatus)  // mouse port on
  send(0x60, to: commandAndStatus)  // the next byte is the configuration:
  send(0x47, to: inputData)  // both interrupts, both devices, translated scan codes
  send(0xD4, to: commandAndStatus)  // the next byte goes to the mouse:
  send(0xF4, to: inputData)  // report movements
  for _ in 0..<1000 where in8(commandAndStatus) & outputFull != 0 {
    _ = in8(inputData)  // the mouse acknowledges
  }
}

private func send(_ byte: UInt8, to port: UInt16) {
  var tries = 1000
  while in8(commandAndStatus) & inputFull != 0 && tries > 0 { tries -= 1 }
  out8(port, byte)
}
