import Hardware

/// The tasks that are ready, for each CPU. A queue is under the CPU's run lock, and so is which task
/// the CPU runs, and the state of each task that it runs or has queued.
var runQueues: InlineArray<4, RunQueue> = [RunQueue(), RunQueue(), RunQueue(), RunQueue()]

/// Puts a task at the end of a CPU's queue. The caller holds the CPU's run lock.
@inline(never)
@c(make_ready)
func makeReady(_ task: Int, on cpu: Int) {
  tasks[task].state = .ready
  kernelAssert(runQueues[cpu].add(task))
}

/// Marks the running task as sleeping; it sleeps from its next switch on. Interrupts are off.
@inline(never)
@c(fall_asleep)
func fallAsleep() {
  let cpu = thisCPU
  let lock = run_lock_of(cpu.pointee.number)
  let flags = spinAcquire(lock)
  tasks[cpu.pointee.current].state = .sleeping
  spinRelease(lock, flags)
}

func kernelStackTop(of task: Int) -> UInt {
  task < mostTasks ? kernel_stack_top(task) : idle_stack_top(task - mostTasks)
}
