import Hardware

/// Returns what `attempt` yields, as soon as it yields something, and sleeps on `channel`
/// in between. `attempt` runs with `lock` held; whoever makes it succeed calls `wake` with
/// the same lock held.
///
/// The test and going to sleep are one step for everybody who honours the lock. If the
/// lock were released between them, the event could come just there: it would wake nobody,
/// and we would then sleep for good (the lost wakeup).
///
/// Interrupts are off from before the test until we are back. Each lock is released with
/// its own flags and the sleeper still gets to `switchToNext` uninterrupted.
@inline(__always)
func sleepUntil<Result>(
  _ channel: WaitChannel, _ lock: UnsafeMutablePointer<SpinLock>, _ attempt: () -> Result?
) -> Result {
  let interrupts = disableInterrupts()
  while true {
    let flags = spinAcquire(lock)
    let result = attempt()
    if result == nil { fallAsleep(on: channel) }
    spinRelease(lock, flags)
    if let result {
      restoreInterrupts(interrupts)
      return result
    }
    switchToNext()
  }
}
