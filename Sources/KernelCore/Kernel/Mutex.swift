import Hardware

// A mutex may be held for long, over sleeps and over switches of tasks, and whoever finds
// it taken sleeps rather than spins. So only tasks may use it, never an interrupt handler.

/// The owners of the two mutexes, under `mutex_lock`.
var mutexOwners: InlineArray<2, MutexOwner> = [MutexOwner(), MutexOwner()]

/// Makes the running task the owner of `mutex`; sleeps until it is free.
@inline(never)
@c(lock_mutex)
func lockMutex(_ mutex: Int) {
  sleepUntil(channel(of: mutex), &mutex_lock) {
    mutexOwners[mutex].tryAcquire(by: current_task) ? () : nil
  }
}

/// Frees `mutex`. Returns false, and does nothing, unless the running task is the owner.
@inline(never)
@c(unlock_mutex)
func unlockMutex(_ mutex: Int) -> Bool {
  let flags = spinAcquire(&mutex_lock)
  let released = mutexOwners[mutex].release(by: current_task)
  if released { wake(channel(of: mutex)) }
  spinRelease(&mutex_lock, flags)
  return released
}

func channel(of mutex: Int) -> WaitChannel {
  mutex == 0 ? .mutex0 : .mutex1
}
