import Hardware

/// Who may run next. Under `scheduler_lock`, like the state of every task.
var runQueue = RunQueue()

/// Gives the CPU to the next ready task, and returns when it is the caller's turn again (at
/// once if no other task is ready). A caller that is still running stays in the queue; one
/// that has marked itself as sleeping or exited does not.
///
/// `scheduler_lock` is held across the switch: the task that is resumed releases what the one before it
/// took. Its holder is the CPU, not a task. The flags that go with it are those of a CPU with interrupts
/// off, in each task alike. A new task, which never took it, releases it in `finish_switch`, to which
/// its stack is laid out to return.
@inline(never)
@c(switch_to_next)
func switchToNext() {
  kernelAssert(read_flags() & interruptFlag == 0)
  let flags = spinAcquire(&scheduler_lock)
  let previous = current_task
  if previous != idleTask && tasks[previous].state == .running {
    makeReady(previous)
  }
  let next = runQueue.next() ?? idleTask
  tasks[next].state = .running
  current_task = next

  if next != previous {
    kernel_stack_select(kernel_stack_top(next))
    let stack = tasks[next].savedStack
    tasks[next].savedStack = 0
    context_switch(&tasks[previous].savedStack, stack)
  }
  spinRelease(&scheduler_lock, flags)
}

/// What a new task does first, instead of coming back from `switchToNext`.
@inline(never)
@c(finish_switch)
func finishSwitch() {
  spinRelease(&scheduler_lock, read_flags())
}

/// Puts a task at the end of the run queue. The caller holds `scheduler_lock`.
@inline(never)
@c(make_ready)
func makeReady(_ task: Int) {
  kernelAssert(scheduler_lock.held != 0)
  tasks[task].state = .ready
  kernelAssert(runQueue.add(task))
}

/// Runs when no task is ready. Entered with interrupts off.
func idle() -> Never {
  while true {
    switchToNext()
    cpu_idle()
  }
}
