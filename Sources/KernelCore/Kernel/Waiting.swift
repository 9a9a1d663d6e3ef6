import Hardware

/// Marks the running task as sleeping; it sleeps from its next switch on.
@inline(never)
@c(fall_asleep)
func fallAsleep(on channel: WaitChannel, ticks: UInt8 = 0) {
  let flags = spinAcquire(&scheduler_lock)
  tasks[current_task].state = .sleeping
  tasks[current_task].waitsFor = channel
  tasks[current_task].ticksLeft = ticks
  spinRelease(&scheduler_lock, flags)
}

/// Makes all tasks ready that sleep on `channel`. The caller holds the lock that goes with
/// the channel.
@inline(never)
@c(wake)
func wake(_ channel: WaitChannel) {
  let flags = spinAcquire(&scheduler_lock)
  for task in 0..<userTaskCount
  where tasks[task].state == .sleeping && tasks[task].waitsFor == channel {
    tasks[task].waitsFor = .nothing
    makeReady(task)
  }
  spinRelease(&scheduler_lock, flags)
}

/// One tick has passed for those who sleep on the clock. What is counted is what is left
/// to each sleeper: no clock runs on for ever.
@inline(never)
@c(wake_sleepers)
func wakeSleepers() {
  let flags = spinAcquire(&scheduler_lock)
  for task in 0..<userTaskCount
  where tasks[task].state == .sleeping && tasks[task].waitsFor == .clock {
    tasks[task].ticksLeft &-= 1
    if tasks[task].ticksLeft == 0 {
      tasks[task].waitsFor = .nothing
      makeReady(task)
    }
  }
  spinRelease(&scheduler_lock, flags)
}
