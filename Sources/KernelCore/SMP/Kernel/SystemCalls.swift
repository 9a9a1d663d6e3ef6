import Hardware

let failure = UInt.max
let longestWrite: UInt = 8

/// Serves a system call. The entry is complete when we come here, so interrupts may come on again; the
/// way out turns them off.
@inline(never)
@c(system_call)
func systemCall(_ frame: UnsafeMutablePointer<TrapFrame>) {
  let (number, first, second) = frame.pointee.request
  enable_interrupts()
  frame.pointee.result = perform(number, first, second)
}

/// The call itself. What user code hands in may be anything.
@inline(__always)
func perform(_ number: Int32, _ first: UInt, _ second: UInt) -> UInt {
  switch number {
  case SYS_READ:
    return UInt(readKey())
  case SYS_WRITE:
    guard let bytes = userBytes(at: first, count: second) else { return failure }
    write(bytes, Int(truncatingIfNeeded: second))
    return second
  case SYS_YIELD:
    yieldCPU()
    return 0
  case SYS_EXIT:
    exitTask()
  case SYS_LOCK:
    lockMutex()
    return 0
  case SYS_UNLOCK:
    return unlockMutex() ? 0 : failure
  case SYS_DOWN:
    semaphoreDown()
    return 0
  case SYS_UP:
    semaphoreUp()
    return 0
  case SYS_PUT:
    put()
    return 0
  case SYS_TAKE:
    take()
    return 0
  case SYS_WORK:
    work(Int(truncatingIfNeeded: first))
    return 0
  default:
    return failure
  }
}

@inline(never)
@c(yield_cpu)
func yieldCPU() {
  let flags = disableInterrupts()
  schedule()
  restoreInterrupts(flags)
}

/// Writes to the console, in one piece.
@inline(never)
@c(console_write)
func write(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let flags = spinAcquire(&console_lock)
  for index in 0..<count { serialPut(bytes[index]) }
  spinRelease(&console_lock, flags)
}

/// The bytes that a task wants written, or nil if they are not its to show.
@inline(__always)
func userBytes(at address: UInt, count: UInt) -> UnsafePointer<UInt8>? {
  if count > longestWrite { return nil }
  if address < user_memory_begin() || address > user_memory_end() &- count { return nil }
  return UnsafePointer(bitPattern: address)
}
