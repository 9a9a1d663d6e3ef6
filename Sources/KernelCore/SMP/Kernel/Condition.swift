import Hardware

// A condition queue beside the mutex: who holds the mutex and finds that something is not yet so lets go
// of it and sleeps, in one step for everybody who holds the mutex when making it so.

/// Under `condition_lock`.
var conditionWaiting = WaitingTasks()

/// What the tasks here wait for: something was put down. Under the mutex.
var isFull: UInt32 = 0

/// Lets go of the mutex, sleeps until `signal`, and takes the mutex again.
@inline(never)
@c(condition_wait)
func conditionWait() {
  let interrupts = disableInterrupts()
  let flags = spinAcquire(&condition_lock)
  conditionWaiting.insert(thisCPU.pointee.current)
  fallAsleep()
  spinRelease(&condition_lock, flags)
  // Whoever takes it from here on finds us asleep.
  kernelAssert(unlockMutex())
  schedule()
  restoreInterrupts(interrupts)
  lockMutex()
}

/// Wakes all who wait. The caller holds the mutex.
@inline(never)
@c(condition_signal)
func conditionSignal() {
  let flags = spinAcquire(&condition_lock)
  wakeAll(&conditionWaiting)
  spinRelease(&condition_lock, flags)
}

/// Puts something down, waiting until there is room.
func put() {
  lockMutex()
  while isFull != 0 { conditionWait() }
  isFull = 1
  conditionSignal()
  kernelAssert(unlockMutex())
}

/// Takes it, waiting until it is there.
func take() {
  lockMutex()
  while isFull == 0 { conditionWait() }
  isFull = 0
  conditionSignal()
  kernelAssert(unlockMutex())
}
