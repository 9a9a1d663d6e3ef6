import Hardware

/// Under a lock that leaves interrupts on, so that its holder can be preempted. No other lock is held
/// when it is taken.
@inline(never)
@c(plain_work)
func plainWork() {
  plainAcquire(&plain_lock)
  let flags = disableInterrupts()
  visit()
  restoreInterrupts(flags)
  plainRelease(&plain_lock)
}
