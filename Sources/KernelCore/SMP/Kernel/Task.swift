import Hardware

/// A user task, or what a CPU does when it has none.
///
/// What the CPU had in its registers when a task was suspended lies on the task's own kernel
/// stack; the table keeps only where.
struct Task {
  /// Zero while the task runs: the stack pointer is then in the CPU, and a copy would be stale.
  var savedStack: UInt
  /// Under the run lock of the task's CPU.
  var state: TaskState
  /// On which CPU it runs, ran last, or is queued. It changes only while the task is in a run queue,
  /// under the lock of that queue.
  var cpu: UInt32
  /// Whether it owns the mutex. Nobody else looks at it.
  var ownsMutex = false
}

let mostTasks = Int(MOST_TASKS)

/// How many the command line names.
var taskCount = 0

/// The tasks that are not in `taskCount`: each CPU's own, which runs when no other can. It is what
/// remains of the CPU's boot, and the only one that never changes CPUs.
func idleTask(of cpu: Int) -> Int { mostTasks + cpu }

/// Named storage (storage.S), so that a switch of stacks has a fixed address to write to.
var tasks: UnsafeMutablePointer<Task> {
  task_table_address().assumingMemoryBound(to: Task.self)
}

/// Makes a task that will start at `entry`, on a CPU: as if it had entered the kernel there and then been
/// suspended.
func createTask(_ task: Int, entry: UInt, on cpu: Int) {
  let stack = layOutStack(of: task, entry: entry)
  tasks[task] = Task(savedStack: stack, state: .ready, cpu: UInt32(cpu))
  kernelAssert(runQueues[cpu].add(task))
}

/// Ends the running task. Nobody will come back to its stack, but until the switch it is stood on. If it
/// owns the mutex, others may sleep for it.
@inline(never)
@c(task_exit)
func exitTask() -> Never {
  disable_interrupts()
  if tasks[thisCPU.pointee.current].ownsMutex { giveUpMutex() }
  leave()
}

@inline(never)
@c(task_leaves)
func leave() -> Never {
  let cpu = thisCPU
  let lock = run_lock_of(cpu.pointee.number)
  let flags = spinAcquire(lock)
  tasks[cpu.pointee.current].state = .exited
  spinRelease(lock, flags)
  taskHasEnded()
  schedule()
  assertionFailed()
}
