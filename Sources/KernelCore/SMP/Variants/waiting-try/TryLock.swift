import Hardware

/// Wrong: waits for the lock, though it is called by those who may not.
@inline(never)
@c(spin_try_acquire)
func spinTryAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  spinAcquire(lock)
}
