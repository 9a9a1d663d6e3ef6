import Hardware

// What the kernel's common code wants of a frame, and the first frame of a new task.

extension TrapFrame {
  var instructionPointer: UInt { UInt(eip) }

  /// A system call's number and arguments.
  var request: (number: Int32, first: UInt, second: UInt) {
    (Int32(bitPattern: eax), UInt(ebx), UInt(ecx))
  }

  var result: UInt {
    get { UInt(eax) }
    set { eax = UInt32(newValue) }
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
  push(interruptFlag | 1 << 1)  // EFLAGS; bit 1 is always set
  push(UInt(USER_CODE))
  push(entry)
  for _ in 0..<10 { push(0) }  // error code, vector, and the registers of PUSHA
  for _ in 0..<4 { push(UInt(USER_DATA)) }  // DS, ES, FS, GS
  push(trap_return_address())
  push(finish_switch_address())
  for _ in 0..<4 { push(0) }  // EBP, EBX, ESI, EDI for context_switch
  return stack
}
