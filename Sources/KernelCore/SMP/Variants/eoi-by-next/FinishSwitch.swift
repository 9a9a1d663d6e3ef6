import Hardware

/// Wrong: the end of interrupt is sent by the task that is switched to, as the one that the timer has
/// interrupted may not come back for long. But a task that gave the CPU away of its own will owes none.
@inline(never)
@c(finish_switch)
func finishSwitch() {
  endInterrupt()
  spinRelease(run_lock_of(thisCPU.pointee.number), read_flags())
}
