import Hardware

// A mutex may be held for long, over sleeps, switches and changes of CPU, and whoever finds it
// taken sleeps rather than spins. So only tasks may use it.

/// The owner, and who waits. Under `mutex_lock`.
var mutexOwner = MutexOwner()
var mutexWaiting = WaitingTasks()

@inline(never)
@c(lock_mutex)
func lockMutex() {
  sleepUntil(&mutexWaiting, &mutex_lock) {
    mutexOwner.tryAcquire(by: thisCPU.pointee.current) ? () : nil
  }
}

/// Frees it. Returns false, and does nothing, unless the running task is the owner.
@inline(never)
@c(unlock_mutex)
func unlockMutex() -> Bool {
  let flags = spinAcquire(&mutex_lock)
  let released = mutexOwner.release(by: thisCPU.pointee.current)
  if released { wakeAll(&mutexWaiting) }
  spinRelease(&mutex_lock, flags)
  return released
}
