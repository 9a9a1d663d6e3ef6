import Hardware

// What the kernel's common code wants of a frame, and the first frame of a new task.

extension TrapFrame {
  var instructionPointer: UInt { UInt(rip) }

  /// A system call's number and arguments.
  var request: (number: Int32, first: UInt, second: UInt) {
    (Int32(truncatingIfNeeded: rax), UInt(rdi), UInt(rsi))
  }

  var result: UInt {
    get { UInt(rax) }
    set { rax = UInt64(newValue) }
  }
}

/// Lays out the kernel stack of a new task: what `context_switch` takes off, its return into the rest of
/// the switch, from there into the way out of the kernel, and the frame that this takes off.
/// - Returns: the stack pointer to load.
func layOutStack(of task: Int, entry: UInt) -> UInt {
  var stack = kernel_stack_top(task)
  func push(_ value: UInt) {
    stack -= UInt(MemoryLayout<UInt>.size)
    UnsafeMutablePointer<UInt>(bitPattern: stack)!.pointee = value
  }

  push(UInt(USER_DATA))  // SS
  push(user_stack_top(task))
  push(interruptFlag | 1 << 1)  // RFLAGS; bit 1 is always set
  push(UInt(USER_CODE))
  push(entry)
  for _ in 0..<17 { push(0) }  // error code, vector, and the registers
  push(trap_return_address())
  push(finish_switch_address())
  for _ in 0..<6 { push(0) }  // RBP, RBX, R12 to R15 for context_switch
  return stack
}
