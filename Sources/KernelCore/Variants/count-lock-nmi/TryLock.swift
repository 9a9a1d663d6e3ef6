import Hardware

/// Takes `lock` if it is free and returns 1; returns 0 if it is held.
///
/// The count and the saved IF are the CPU's, and what this interrupted may be at work on them. So it leaves
/// them alone, and `spinLeave` gives the lock back.
@inline(never)
@c(spin_try)
func spinTry(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  exchange(lock, 1) == 0 ? 1 : 0
}

@inline(never)
@c(spin_leave)
func spinLeave(_ lock: UnsafeMutablePointer<SpinLock>) {
  store_release(lock)
}
