import Hardware

/// Takes `lock` and returns the flags register as it was before.
///
/// Interrupts go off before the lock is taken and stay off while it is held: an interrupt
/// handler that wants the lock would otherwise wait for the very code that it interrupted,
/// and for ever. The caller keeps the flags and hands them to `spinRelease`, so locks nest:
/// an inner release puts back "off", and only the outermost one puts back what the caller
/// had, be it on or off. That is also why the flags are a value and not a variable of the
/// lock or of the CPU: each level has its own.
@inline(never)
@c(spin_acquire)
func spinAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  while exchange(lock, 1) != 0 {
    spin_hint()
  }
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
