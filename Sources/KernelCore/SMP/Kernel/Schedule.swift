import Hardware

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
    kernel_stack_select(kernelStackTop(of: next))
    let stack = tasks[next].savedStack
    tasks[next].savedStack = 0
    context_switch(&tasks[previous].savedStack, stack)
  }
  finishSwitch()
}
