import Hardware

/// What a CPU does when it has nothing to do. Entered with interrupts off.
///
/// They are off from the look at the queue to the HLT: a wakeup that comes between them is an interrupt
/// that waits, and ends the HLT at once.
func idle() -> Never {
  while true {
    if thisCPU.pointee.number == puller { pullTask() }
    schedule()
    cpu_idle()
  }
}
