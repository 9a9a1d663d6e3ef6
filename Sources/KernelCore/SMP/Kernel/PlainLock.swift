import Hardware

// A lock that leaves interrupts alone. Whoever holds it can be interrupted and preempted, so no
// handler may take it, and nobody who holds a spinning lock: the holder might be waiting for this CPU.

@inline(never)
@c(plain_acquire)
func plainAcquire(_ lock: UnsafeMutablePointer<SpinLock>) {
  while exchange(lock, 1) != 0 { spin_hint() }
}

@inline(never)
@c(plain_release)
func plainRelease(_ lock: UnsafeMutablePointer<SpinLock>) {
  store_release(lock)
}
