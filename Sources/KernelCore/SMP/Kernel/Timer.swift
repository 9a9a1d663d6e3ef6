import Hardware

/// The running task has had its turn.
///
/// The APIC is satisfied before the switch: the next task may run for long, or be one that never
/// comes back to this place.
@inline(never)
@c(timer_interrupt)
func timerInterrupt() {
  endInterrupt()
  schedule()
}

/// Another CPU has put a task into this one's queue. To have ended the HLT is all that it takes.
@inline(never)
@c(wake_interrupt)
func wakeInterrupt() {
  endInterrupt()
}
