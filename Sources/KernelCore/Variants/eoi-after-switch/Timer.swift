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

/// Wrong: the end of interrupt is sent when this task runs again. Until then the controller
/// holds back every further interrupt, this task's next turn included.
@inline(never)
@c(timer_interrupt)
func timerInterrupt() {
  wakeSleepers()
  if !isRedrawing { switchToNext() }
  endInterrupt(timerLine)
}
