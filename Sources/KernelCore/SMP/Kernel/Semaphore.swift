import Hardware

// A counting semaphore: as many as it counts may go on, others sleep until somebody adds one.

private let most: UInt32 = 2

/// Under `semaphore_lock`.
var semaphoreCount: UInt32 = 0
var semaphoreWaiting = WaitingTasks()

/// Takes one; sleeps until there is one.
@inline(never)
@c(semaphore_down)
func semaphoreDown() {
  sleepUntil(&semaphoreWaiting, &semaphore_lock) { () -> Void? in
    if semaphoreCount == 0 { return nil }
    semaphoreCount &-= 1
    return ()
  }
}

/// Adds one. Any code may, handlers too. More than two are not counted.
@inline(never)
@c(semaphore_up)
func semaphoreUp() {
  let flags = spinAcquire(&semaphore_lock)
  if semaphoreCount < most { semaphoreCount &+= 1 }
  wakeAll(&semaphoreWaiting)
  spinRelease(&semaphore_lock, flags)
}
