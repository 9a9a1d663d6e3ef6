import Hardware

let failure = UInt.max
let longestWrite: UInt = 8
let longestSleep: UInt = 3

/// Serves a system call, however it came in. The registers of the caller are in the frame; the result
/// goes there too.
///
/// The entry is complete when we come here: registers saved, the segments or GS ours, a kernel stack
/// that is empty but for the frame. So interrupts may come on again, and a system call can
/// be interrupted, and preempted, like user code. The way out turns them off (entry.S).
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
    fileWrite(bytes, Int(truncatingIfNeeded: second))
    return second
  case SYS_YIELD:
    yieldCPU()
    return 0
  case SYS_SLEEP:
    if first == 0 || first > longestSleep { return failure }
    sleep(ticks: UInt8(truncatingIfNeeded: first))
    return 0
  case SYS_EXIT:
    exitTask()
  case SYS_LOCK:
    if first > 1 { return failure }
    lockMutex(Int(truncatingIfNeeded: first))
    return 0
  case SYS_UNLOCK:
    if first > 1 { return failure }
    return unlockMutex(Int(truncatingIfNeeded: first)) ? 0 : failure
  case SYS_TRANSFER:
    if first > 1 || second != 1 &- first { return failure }
    transfer(from: Int(truncatingIfNeeded: first), to: Int(truncatingIfNeeded: second))
    return 0
  default:
    return failure
  }
}

@inline(never)
@c(yield_cpu)
func yieldCPU() {
  let flags = disableInterrupts()
  switchToNext()
  restoreInterrupts(flags)
}

@inline(never)
@c(sleep_ticks)
func sleep(ticks: UInt8) {
  let flags = disableInterrupts()
  fallAsleep(on: .clock, ticks: ticks)
  switchToNext()
  restoreInterrupts(flags)
}

/// The bytes that a task wants written, or nil if they are not its to show.
@inline(__always)
func userBytes(at address: UInt, count: UInt) -> UnsafePointer<UInt8>? {
  if count > longestWrite { return nil }
  if address < user_memory_begin() || address > user_memory_end() &- count { return nil }
  return UnsafePointer(bitPattern: address)
}
