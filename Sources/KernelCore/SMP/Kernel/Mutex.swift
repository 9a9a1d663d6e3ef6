import Hardware

// A mutex may be held for long, over sleeps, switches and changes of CPU, and whoever finds it
// taken sleeps rather than spins. So only tasks may use it.

/// The owner, and who waits. Under `mutex_lock`.
var mutexOwner = MutexOwner()
var mutexWaiting = WaitingTasks()

@inline(never)
@c(lock_mutex)
func lockMutex() {
  sleepUntil(&mutexWaiting, &mutex_lock) { () -> Void? in
    let task = thisCPU.pointee.current
    if !mutexOwner.tryAcquire(by: task) { return nil }
    tasks[task].ownsMutex = true
    return ()
  }
}

/// Frees it. Returns false, and does nothing, unless the running task is the owner.
@inline(never)
@c(unlock_mutex)
func unlockMutex() -> Bool {
  let flags = spinAcquire(&mutex_lock)
  let task = thisCPU.pointee.current
  let released = mutexOwner.release(by: task)
  if released {
    tasks[task].ownsMutex = false
    wakeAll(&mutexWaiting)
  }
  spinRelease(&mutex_lock, flags)
  return released
}

/// Of a task that ends.
@inline(never)
@c(give_up_mutex)
func giveUpMutex() {
  kernelAssert(unlockMutex())
}
