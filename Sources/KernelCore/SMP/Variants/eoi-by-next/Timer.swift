import Hardware

/// The running task has had its turn. Whoever goes on behind the switch sends the end of interrupt.
@inline(never)
@c(timer_interrupt)
func timerInterrupt() {
  schedule()
}

/// Another CPU has put a task into this one's queue. To have ended the HLT is all that it takes.
@inline(never)
@c(wake_interrupt)
func wakeInterrupt() {
  endInterrupt()
}
