import Hardware

/// Wrong: interrupts go off when the lock is taken already. One that comes between the two and wants the
/// lock waits for the code that it interrupted.
@inline(never)
@c(spin_acquire)
func spinAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  let flags = read_flags()
  while exchange(lock, 1) != 0 {
    spin_hint()
  }
  disable_interrupts()
  return flags
}

/// Gives `lock` back, then restores the flags that `spinAcquire` returned for it.
@inline(never)
@c(spin_release)
func spinRelease(_ lock: UnsafeMutablePointer<SpinLock>, _ flags: UInt) {
  store_release(lock)
  write_flags(flags)
}

/// Turns interrupts off and returns the flags register as it was, for `restoreInterrupts`.
///
/// For what must not be interrupted on this CPU but takes no lock: a switch of tasks.
@inline(__always)
func disableInterrupts() -> UInt {
  let flags = read_flags()
  disable_interrupts()
  return flags
}

@inline(__always)
func restoreInterrupts(_ flags: UInt) {
  write_flags(flags)
}

let interruptFlag: UInt = 1 << 9
