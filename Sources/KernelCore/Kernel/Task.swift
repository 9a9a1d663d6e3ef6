import Hardware

/// A user task, or the idle task.
///
/// What the CPU had in its registers when a task was suspended lies on the task's own kernel
/// stack; of all that the table keeps only where. Frames nest there by themselves (a timer
/// interrupt on top of a system call), which a fixed place for registers in this structure
/// could not do.
struct Task {
  /// Zero while the task runs: the stack pointer is then in ESP, and a copy would be stale.
  var savedStack: UInt32
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

/// Lays out the kernel stack of a new task as if the task had entered the kernel at the
/// first instruction of its program and then been suspended: what `context_switch` takes
/// off, its return into the way out of the kernel, and the frame that this takes off.
func createTask(_ task: Int, entry: UInt32) {
  var stack = kernel_stack_top(task)
  func push(_ value: UInt32) {
    stack -= 4
    UnsafeMutablePointer<UInt32>(bitPattern: UInt(stack))!.pointee = value
  }

  push(UInt32(USER_DATA))  // SS
  push(user_stack_top(task))
  push(interruptFlag | 1 << 1)  // EFLAGS; bit 1 is always set
  push(UInt32(USER_CODE))
  push(entry)
  for _ in 0..<10 { push(0) }  // error code, vector, and the registers of PUSHA
  for _ in 0..<4 { push(UInt32(USER_DATA)) }  // DS, ES, FS, GS
  push(trap_return_address())
  for _ in 0..<4 { push(0) }  // EBP, EBX, ESI, EDI for context_switch

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
