import Hardware

/// Wrong: a lock whose holder can be preempted is taken by one who has turned interrupts off and holds a
/// spinning lock. The holder cannot run on this CPU before we are through.
@inline(never)
@c(plain_work)
func plainWork() {
  let flags = spinAcquire(&first_lock)
  plainAcquire(&plain_lock)
  spinRelease(&first_lock, flags)
  visit()
  plainRelease(&plain_lock)
}
