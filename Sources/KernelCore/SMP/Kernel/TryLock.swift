import Hardware

/// Takes `lock` if it is free, and returns the flags register as it was before; if not, returns 0 and
/// leaves everything as it is. (Flags are never 0: bit 1 is always set.)
///
/// For those who may not wait: an NMI's handler, which can have interrupted the holder, and code that
/// holds a lock which comes later in the order.
@inline(never)
@c(spin_try_acquire)
func spinTryAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  if exchange(lock, 1) != 0 {
    write_flags(flags)
    return 0
  }
  return flags
}
