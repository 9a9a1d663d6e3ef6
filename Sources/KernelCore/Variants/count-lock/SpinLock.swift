import Hardware

// How many locks the CPU holds, and whether interrupts were on when it took the first one of them. Only
// read and written with interrupts off.
var locksHeld: UInt8 = 0
var interruptsBefore: UInt8 = 0

/// Takes `lock`, with interrupts off.
///
/// The flags are kept neither in a caller's variable nor in the lock, but once for the CPU: what the
/// outermost acquire finds is what the outermost release restores, and those between leave interrupts off.
/// So locks may be released in any order. The flags are read before interrupts go off, and kept only
/// after that: an interrupt between the two takes and releases locks of its own, and comes back to
/// a count of zero.
@inline(never)
@c(spin_acquire)
func spinAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  if locksHeld == 0 { interruptsBefore = flags & interruptFlag == 0 ? 0 : 1 }
  locksHeld &+= 1
  while exchange(lock, 1) != 0 {
    spin_hint()
  }
  return 1
}

/// Gives `lock` back, and takes from the count the share that acquire returned. Interrupts come on again with
/// the last lock, if they were on before the first.
///
/// The saved bit goes back to zero before that, so that nothing stale is left.
@inline(never)
@c(spin_release)
func spinRelease(_ lock: UnsafeMutablePointer<SpinLock>, _ share: UInt) {
  store_release(lock)
  locksHeld &-= UInt8(truncatingIfNeeded: share)
  if locksHeld == 0 && interruptsBefore != 0 {
    interruptsBefore = 0
    enable_interrupts()
  }
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
