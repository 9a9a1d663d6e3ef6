import Hardware

/// Wrong: the lock is released, and interrupts are on, between the test and going to sleep.
/// An event that comes just there wakes nobody, as nobody sleeps yet; then we do, for good.
@inline(__always)
func sleepUntil<Result>(
  _ channel: WaitChannel, _ lock: UnsafeMutablePointer<SpinLock>, _ attempt: () -> Result?
) -> Result {
  while true {
    let flags = spinAcquire(lock)
    let result = attempt()
    spinRelease(lock, flags)
    if let result { return result }

    let interrupts = disableInterrupts()
    fallAsleep(on: channel)
    switchToNext()
    restoreInterrupts(interrupts)
  }
}
