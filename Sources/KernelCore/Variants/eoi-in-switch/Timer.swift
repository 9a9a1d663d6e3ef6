import Hardware

// The 8253/8254 timer, channel 0, which drives IRQ 0.

private let channel0: UInt16 = 0x40
private let command: UInt16 = 0x43
private let ticksPerSecond: UInt32 = 100
private let inputFrequency: UInt32 = 1_193_182

func setUpTimer() {
  let divisor = inputFrequency / ticksPerSecond
  out8(command, 0x34)  // channel 0, low byte then high byte, mode 2: rate generator
  out8(channel0, UInt8(truncatingIfNeeded: divisor))
  out8(channel0, UInt8(truncatingIfNeeded: divisor >> 8))
}

/// IRQ 0. The running task has had its turn. Wrong: the end of interrupt is left to the switch.
@inline(never)
@c(timer_interrupt)
func timerInterrupt() {
  wakeSleepers()
  if isRedrawing {
    endInterrupt(timerLine)
  } else {
    switchToNext()
  }
}
