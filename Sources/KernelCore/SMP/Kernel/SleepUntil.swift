import Hardware

/// Returns what `attempt` yields, as soon as it yields something, and sleeps among `waiting` in between.
/// `attempt` runs with `lock` held; whoever makes it succeed calls `wakeAll` with the same lock held.
///
/// The test, the note that we wait and falling asleep are one step for everybody who honours the
/// lock. If the lock were released between them, the event could come just there, on another CPU: it
/// would wake nobody, and we would then sleep for good (the lost wakeup).
///
/// Interrupts are off from before the test until we are back, so that we are not preempted, and
/// stay on this CPU, while we are half asleep.
@inline(__always)
func sleepUntil<Result>(
  _ waiting: UnsafeMutablePointer<WaitingTasks>, _ lock: UnsafeMutablePointer<SpinLock>,
  _ attempt: () -> Result?
) -> Result {
  let interrupts = disableInterrupts()
  while true {
    let flags = spinAcquire(lock)
    let result = attempt()
    if result == nil {
      waiting.pointee.insert(thisCPU.pointee.current)
      fallAsleep()
    }
    spinRelease(lock, flags)
    if let result {
      restoreInterrupts(interrupts)
      return result
    }
    schedule()
  }
}

/// Wakes all who wait. The caller holds the lock under which they fell asleep.
@inline(__always)
func wakeAll(_ waiting: UnsafeMutablePointer<WaitingTasks>) {
  while let task = waiting.pointee.removeFirst() { wake(task) }
}
