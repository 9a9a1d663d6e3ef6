import Hardware

// The I/O APIC, which takes the place of the two 8259 (82093AA data sheet). Its registers are reached
// through two: one names, one shows.

private let select: UInt = 0xFEC0_0000
private let shown: UInt = select + 0x10
private let redirection: UInt32 = 0x10
private let keyboardPin: UInt32 = 1

/// The keyboard interrupts the first CPU; everything else is masked, as it is at reset.
func setUpInterruptController() {
  out8(0x21, 0xFF)  // the 8259 pair: all masked
  out8(0xA1, 0xFF)
  write(redirection + 2 * keyboardPin + 1, apicIDs[0] << 24)
  write(redirection + 2 * keyboardPin, keyboardVector)
}

private func write(_ register: UInt32, _ value: UInt32) {
  write_register(select, register)
  write_register(shown, value)
}
