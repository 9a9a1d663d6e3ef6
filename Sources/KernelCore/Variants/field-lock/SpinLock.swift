import Hardware

/// Takes `lock`, with interrupts off, and keeps in it what the flags were.
///
/// They go into the lock only once it is owned: until then they may be another owner's. Locks
/// must be released in the order opposite to that in which they were taken, as each release restores
/// what its own acquire found.
@inline(never)
@c(spin_acquire)
func spinAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  while exchange(lock, 1) != 0 {
    spin_hint()
  }
  lock.pointee.held = 1 | UInt32(truncatingIfNeeded: flags & interruptFlag)
  return flags & interruptFlag
}

/// Gives `lock` back, then restores the flags that were in it, read while it is still owned. What acquire
/// returned only says what they must be.
@inline(never)
@c(spin_release)
func spinRelease(_ lock: UnsafeMutablePointer<SpinLock>, _ expected: UInt) {
  let interruptsBefore = lock.pointee.held & UInt32(truncatingIfNeeded: interruptFlag)
  kernelAssert(UInt(interruptsBefore) == expected)
  store_release(lock)
  if interruptsBefore != 0 { enable_interrupts() }
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
