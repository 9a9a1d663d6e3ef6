import Hardware

/// Takes `lock` if it is free, and returns the flags register, which is never 0; returns 0 if it is held.
///
/// It never waits. So it may be used where the holder may be the code that was interrupted.
@inline(never)
@c(spin_try_acquire)
func spinTryAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  if exchange(lock, 1) != 0 {
    restoreInterrupts(flags)
    return 0
  }
  return flags
}
