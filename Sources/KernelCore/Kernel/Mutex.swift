import Hardware

// A mutex may be held for long, over sleeps and over switches of tasks, and whoever finds
// it taken sleeps rather than spins. So only tasks may use it, never an interrupt handler.

/// The owners of the two mutexes, under `mutex_lock`.
var mutexOwners: (MutexOwner, MutexOwner) = (MutexOwner(), MutexOwner())

func lockMutex(_ mutex: UInt32) {
  let channel: WaitChannel = mutex == 0 ? .mutex0 : .mutex1
  sleepUntil(channel, &mutex_lock) {
    let acquired =
      mutex == 0
      ? mutexOwners.0.tryAcquire(by: current_task) : mutexOwners.1.tryAcquire(by: current_task)
    return acquired ? () : nil
  }
}

/// Returns false unless the running task is the owner.
func unlockMutex(_ mutex: UInt32) -> Bool {
  let flags = spin_acquire(&mutex_lock)
  let released =
    mutex == 0
    ? mutexOwners.0.release(by: current_task) : mutexOwners.1.release(by: current_task)
  if released { wake(mutex == 0 ? .mutex0 : .mutex1) }
  spin_release(&mutex_lock, flags)
  return released
}
