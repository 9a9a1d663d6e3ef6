import Hardware

/// A user task, or the idle task.
///
/// What the CPU had in its registers when a task was suspended lies on the task's own kernel
/// stack; of all that the table keeps only where. Frames nest there by themselves (a timer
/// interrupt on top of a system call), which a fixed place for registers in this structure
/// could not do.
struct Task {
  /// Zero while the task runs: the stack pointer is then in the CPU, and a copy would be stale.
  var savedStack: UInt
  var state: TaskState
  var waitsFor: WaitChannel
  var ticksLeft: UInt8
}

let userTaskCount = 2

/// The task that runs when no other can. It is what remains of the boot.
let idleTask = 2

/// Named storage (storage.S), so that a switch of stacks has a fixed address to write to.
var tasks: UnsafeMutablePointer<Task> {
  task_table_address().assumingMemoryBound(to: Task.self)
}

/// Makes a task that will start at `entry`: as if it had entered the kernel there and then been
/// suspended.
func createTask(_ task: Int, entry: UInt) {
  let stack = layOutStack(of: task, entry: entry)
  tasks[task] = Task(savedStack: stack, state: .ready, waitsFor: .nothing, ticksLeft: 0)
  kernelAssert(runQueue.add(task))
}

/// Ends the running task. Its stack is left as it lies; nobody will come back to it.
@inline(never)
@c(task_exit)
func exitTask() -> Never {
  disable_interrupts()
  let flags = spinAcquire(&scheduler_lock)
  tasks[current_task].state = .exited
  let last = (0..<userTaskCount).allSatisfy { tasks[$0].state == .exited }
  spinRelease(&scheduler_lock, flags)
  if last { allTasksExited() }
  switchToNext()
  assertionFailed()
}
