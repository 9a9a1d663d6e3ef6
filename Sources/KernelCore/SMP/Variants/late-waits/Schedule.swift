import Hardware

/// Wrong: that the CPU has nothing to do is noted after the run lock was given back. Who puts a task into
/// the queue just before sees no need to tell the CPU, which then halts.
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
  cpu.pointee.waits = 0
  tasks[next].state = .running
  if next != previous {
    cpu.pointee.current = next
    kernel_stack_select(kernelStackTop(of: next))
    let stack = tasks[next].savedStack
    tasks[next].savedStack = 0
    context_switch(&tasks[previous].savedStack, stack)
  }
  finishSwitch()
  let here = thisCPU
  if here.pointee.current == idleTask(of: here.pointee.number) { here.pointee.waits = 1 }
}
