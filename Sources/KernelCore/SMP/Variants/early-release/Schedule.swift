import Hardware

/// Wrong: the run lock is given back before the switch. The caller is in the queue and still on its
/// stack when another CPU can take it from there.
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
  if next != previous { cpu.pointee.current = next }
  spinRelease(run_lock_of(number), read_flags())
  if next != previous {
    kernel_stack_select(kernelStackTop(of: next))
    let stack = tasks[next].savedStack
    tasks[next].savedStack = 0
    context_switch(&tasks[previous].savedStack, stack)
  }
}
