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

/// IRQ 0. The running task has had its turn.
///
/// The controller is satisfied before the switch: the next task may run for long, or be
/// one that never comes back to this place, and until the end of interrupt is sent no
/// further tick can come.
///
/// A redraw is not preempted. It runs on the stack of whatever task it interrupted, and
/// would have to wait for that task's next turn; the next tick is soon enough.
@inline(never)
@c(timer_interrupt)
func timerInterrupt() {
  wakeSleepers()
  doPendingWork()
  endInterrupt(timerLine)
  if !isRedrawing { switchToNext() }
}
