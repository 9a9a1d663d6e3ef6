import Hardware

/// Wrong: the lock is given back between the test and falling asleep. What comes just there, from
/// another CPU, wakes nobody, as nobody is noted as waiting yet; then we sleep for good.
@inline(__always)
func sleepUntil<Result>(
  _ waiting: UnsafeMutablePointer<WaitingTasks>, _ lock: UnsafeMutablePointer<SpinLock>,
  _ attempt: () -> Result?
) -> Result {
  let interrupts = disableInterrupts()
  while true {
    let flags = spinAcquire(lock)
    let result = attempt()
    spinRelease(lock, flags)
    if let result {
      restoreInterrupts(interrupts)
      return result
    }
    let again = spinAcquire(lock)
    waiting.pointee.insert(thisCPU.pointee.current)
    fallAsleep()
    spinRelease(lock, again)
    schedule()
  }
}

/// Wakes all who wait. The caller holds the lock under which they fell asleep.
@inline(__always)
func wakeAll(_ waiting: UnsafeMutablePointer<WaitingTasks>) {
  while let task = waiting.pointee.removeFirst() { wake(task) }
}
