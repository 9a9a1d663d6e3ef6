import Hardware

/// The other half of a switch, in the task that was switched to: gives back the run lock which was taken
/// for it. That of the CPU that we are on *now*; the one that we once left may have been another.
@inline(never)
@c(finish_switch)
func finishSwitch() {
  spinRelease(run_lock_of(thisCPU.pointee.number), read_flags())
}
