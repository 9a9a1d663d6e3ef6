import Hardware

/// Returns what `attempt` yields, as soon as it yields something, and gives the CPU away in between rather
/// than sleep. `attempt` runs with `lock` held.
///
/// A task that waits is always ready; whether it gets any further is up to the others.
@inline(__always)
func sleepUntil<Result>(
  _ channel: WaitChannel, _ lock: UnsafeMutablePointer<SpinLock>, _ attempt: () -> Result?
) -> Result {
  while true {
    let flags = spinAcquire(lock)
    let result = attempt()
    spinRelease(lock, flags)
    if let result { return result }
    yieldCPU()
  }
}
