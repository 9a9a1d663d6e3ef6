import Hardware

/// Wrong: who comes back from the switch gives back the lock of the CPU that it once left. It may be on
/// another one now.
@inline(never)
@c(schedule)
func schedule() {
  kernelAssert(read_flags() & interruptFlag == 0)
  let cpu = thisCPU
  let number = cpu.pointee.number
  let lock = run_lock_of(number)
  let flags = spinAcquire(lock)
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
  spinRelease(lock, flags)
}
