import Hardware

/// Returns what `attempt` yields, as soon as it yields something, and sleeps on `channel`
/// in between. `attempt` runs with `lock` held; whoever makes it succeed calls `wake` with
/// the same lock held.
///
/// The test and going to sleep are one step for everybody who honours the lock. If the
/// lock were released between them, the event could come just there: it would wake nobody,
/// and we would then sleep for good (the lost wakeup).
///
/// Interrupts are off from before the test until we are back. Each lock is released with
/// its own flags and the sleeper still gets to `switchToNext` uninterrupted.
@inline(__always)
func sleepUntil<Result>(
  _ channel: WaitChannel, _ lock: UnsafeMutablePointer<SpinLock>, _ attempt: () -> Result?
) -> Result {
  let interrupts = disableInterrupts()
  while true {
    let flags = spin_acquire(lock)
    let result = attempt()
    if result == nil { fallAsleep(on: channel) }
    spin_release(lock, flags)
    if let result {
      restoreInterrupts(interrupts)
      return result
    }
    switchToNext()
  }
}

/// Marks the running task as sleeping; it sleeps from its next switch on.
@inline(never)
@c(fall_asleep)
func fallAsleep(on channel: WaitChannel, ticks: UInt8 = 0) {
  let flags = spin_acquire(&scheduler_lock)
  tasks[Int(current_task)].state = .sleeping
  tasks[Int(current_task)].waitsFor = channel
  tasks[Int(current_task)].ticksLeft = ticks
  spin_release(&scheduler_lock, flags)
}

/// Makes all tasks ready that sleep on `channel`. The caller holds the lock that goes with
/// the channel.
@inline(never)
@c(wake)
func wake(_ channel: WaitChannel) {
  let flags = spin_acquire(&scheduler_lock)
  for task in 0..<userTaskCount
  where tasks[Int(task)].state == .sleeping && tasks[Int(task)].waitsFor == channel {
    tasks[Int(task)].waitsFor = .nothing
    makeReady(task)
  }
  spin_release(&scheduler_lock, flags)
}

/// One tick has passed for those who sleep on the clock. What is counted is what is left
/// to each sleeper: no clock runs on for ever.
func wakeSleepers() {
  let flags = spin_acquire(&scheduler_lock)
  for task in 0..<userTaskCount
  where tasks[Int(task)].state == .sleeping && tasks[Int(task)].waitsFor == .clock {
    tasks[Int(task)].ticksLeft &-= 1
    if tasks[Int(task)].ticksLeft == 0 {
      tasks[Int(task)].waitsFor = .nothing
      makeReady(task)
    }
  }
  spin_release(&scheduler_lock, flags)
}
