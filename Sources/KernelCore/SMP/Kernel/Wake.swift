import Hardware

/// Makes a sleeping task ready, on the CPU that it sleeps on. The caller holds the lock under which it
/// fell asleep, so that it does sleep.
///
/// It may not have left its CPU yet: then it just goes on there. If that CPU has nothing to do, it is
/// halted or about to halt, and must be told.
@inline(never)
@c(wake)
func wake(_ task: Int) {
  let number = Int(tasks[task].cpu)
  let cpu = cpu_at(number)
  let lock = run_lock_of(number)
  let flags = spinAcquire(lock)
  if cpu.pointee.current == task {
    tasks[task].state = .running
  } else {
    makeReady(task, on: number)
  }
  if cpu.pointee.waits != 0 && cpu != thisCPU { sendInterrupt(wakeVector, to: number) }
  spinRelease(lock, flags)
}
