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
/// Interrupts run on a stack that belongs to no task, so nothing is switched here: the way out does that, back
/// on the task's own stack, when the last interrupt that is in flight is over (entry.S). A redraw is not
/// preempted; the next tick is soon enough.
@inline(never)
@c(timer_interrupt)
func timerInterrupt() {
  wakeSleepers()
  endInterrupt(timerLine)
  if !isRedrawing { wantsSwitch = true }
}

/// The task has had its turn, and will be switched from on the way out.
var wantsSwitch = false

/// Called on the way out of the outermost interrupt, on the interrupted task's stack, interrupts off.
@inline(never)
@c(preempt)
func preempt() {
  if !wantsSwitch { return }
  wantsSwitch = false
  switchToNext()
}
