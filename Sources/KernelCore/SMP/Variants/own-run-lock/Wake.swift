import Hardware

/// Wrong: the run lock that is taken is that of the CPU that wakes, and the queue that is changed is
/// that of the CPU on which the task sleeps.
@inline(never)
@c(wake)
func wake(_ task: Int) {
  let number = Int(tasks[task].cpu)
  let cpu = cpu_at(number)
  let lock = run_lock_of(thisCPU.pointee.number)
  let flags = spinAcquire(lock)
  if cpu.pointee.current == task {
    tasks[task].state = .running
  } else {
    makeReady(task, on: number)
  }
  if cpu.pointee.waits != 0 && cpu != thisCPU { sendInterrupt(wakeVector, to: number) }
  spinRelease(lock, flags)
}
