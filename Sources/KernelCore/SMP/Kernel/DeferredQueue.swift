import Hardware

let deferredNumber: UInt32 = 7

/// What is queued. It is not copied, so it must stay where it is until it has been done. Under
/// `second_lock`.
private var queued: UnsafeMutablePointer<DeferredWork>?

@inline(never)
func queue(_ work: UnsafeMutablePointer<DeferredWork>) {
  let flags = spinAcquire(&second_lock)
  queued = work
  spinRelease(&second_lock, flags)
}

/// Waits for a work that another CPU queues, and does it.
@inline(never)
@c(run_deferred)
func runDeferred() {
  while true {
    let flags = spinAcquire(&second_lock)
    let work = queued
    queued = nil
    spinRelease(&second_lock, flags)
    if let work {
      kernelAssert(work.pointee.number == deferredNumber)
      return
    }
    spin_hint()
  }
}
