import Hardware

/// Who may run next. Under `scheduler_lock`, like the state of every task.
var runQueue = RunQueue()

/// Gives the CPU to the next ready task, and returns when it is the caller's turn again (at
/// once if no other task is ready). A caller that is still running stays in the queue; one
/// that has marked itself as sleeping or exited does not.
///
/// The caller has turned interrupts off, and they stay off until it turns them on again
/// *in its own context*. In between, `current_task` names one task while the stack is
/// another's, which nothing on this CPU can see, as it could only see it by interrupting.
/// So `scheduler_lock` need not be held across the switch: it is released here by the task
/// that took it, with the flags that it got, and a new task has no lock to release that it
/// never took. (With a second CPU this would not do: that one could pick up a task whose
/// stack we have not left yet.)
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
  spinRelease(&scheduler_lock, flags)

  if next != previous {
    kernel_stack_select(kernel_stack_top(next))
    let stack = tasks[next].savedStack
    tasks[next].savedStack = 0
    context_switch(&tasks[previous].savedStack, stack)
    // Wrong: the end of interrupt is sent by whoever is resumed. One that gave the CPU away owes none,
    // and a new task does not come here at all.
    endInterrupt(timerLine)
  }
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
