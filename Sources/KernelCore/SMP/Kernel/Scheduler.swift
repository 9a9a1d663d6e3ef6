import Hardware

/// The tasks that are ready, for each CPU. A queue is under the CPU's run lock, and so is which task
/// the CPU runs, and the state of each task that it runs or has queued.
var runQueues: InlineArray<4, RunQueue> = [RunQueue(), RunQueue(), RunQueue(), RunQueue()]

/// Gives the CPU to the next ready task of its queue, and returns when it is the caller's turn again,
/// perhaps on another CPU. A caller that is still running stays in the queue; one that has been marked as
/// sleeping or exited does not.
///
/// The caller has turned interrupts off, and they stay off until it turns them on again in its own
/// context. The run lock is taken here and given back by the task that is switched to: as soon as it is
/// free, another CPU may take the caller from the queue and run it, and by then nobody must stand on its
/// stack any more.
@inline(never)
@c(schedule)
func schedule() {
  kernelAssert(read_flags() & interruptFlag == 0)
  let cpu = thisCPU
  let number = cpu.pointee.number
  _ = spinAcquire(run_lock_of(number))
  let previous = cpu.pointee.current
  if previous != idleTask(of: number) && tasks[previous].state == .running {
    makeReady(previous, on: number)
  }
  let next = runQueues[number].next() ?? idleTask(of: number)
  cpu.pointee.waits = next == idleTask(of: number) ? 1 : 0
  tasks[next].state = .running
  if next != previous {
    cpu.pointee.current = next
    kernel_stack_select(kernel_stack_top(of: next))
    let stack = tasks[next].savedStack
    tasks[next].savedStack = 0
    context_switch(&tasks[previous].savedStack, stack)
  }
  finishSwitch()
}

/// The other half of a switch, in the task that was switched to: gives back the run lock which was taken
/// for it. That of the CPU that we are on *now*; the one that we once left may have been another.
@inline(never)
@c(finish_switch)
func finishSwitch() {
  spinRelease(run_lock_of(thisCPU.pointee.number), read_flags())
}

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

/// Takes a task from another CPU's queue, if this one has nothing to do and another one more than it can
/// run. One run lock at a time: two CPUs that each held their own and wanted the other's
/// would wait for ever.
@inline(never)
@c(pull_task)
func pullTask() {
  let own = thisCPU.pointee.number
  for other in 0..<processorCount where other != own {
    let flags = spinAcquire(run_lock_of(other))
    let task = runQueues[other].next()
    if let task { tasks[task].cpu = UInt32(own) }
    spinRelease(run_lock_of(other), flags)
    if let task {
      let flags = spinAcquire(run_lock_of(own))
      makeReady(task, on: own)
      spinRelease(run_lock_of(own), flags)
      return
    }
  }
}

/// What a CPU does when it has nothing to do. Entered with interrupts off.
///
/// They are off from the look at the queue to the HLT: a wakeup that comes between them is an interrupt
/// that waits, and ends the HLT at once.
func idle() -> Never {
  while true {
    if taskCount > 0 { pullTask() }
    schedule()
    cpu_idle()
  }
}

func kernel_stack_top(of task: Int) -> UInt {
  task < mostTasks ? kernel_stack_top(task) : idle_stack_top(task - mostTasks)
}
