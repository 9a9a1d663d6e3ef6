import Hardware

// For each CPU, how many locks it holds, and whether interrupts were on when it took the first of them.
// Only that CPU touches them, and only with interrupts off.
private var locksHeld: InlineArray<4, UInt32> = [0, 0, 0, 0]
private var interruptsBefore: InlineArray<4, UInt32> = [0, 0, 0, 0]

/// One more reason for interrupts to be off on this CPU. Returns its number.
@inline(__always)
private func pushInterruptsOff() -> Int {
  let flags = read_flags()
  disable_interrupts()
  let number = thisCPU.pointee.number
  locksHeld[number] &+= 1
  if locksHeld[number] == 1 { interruptsBefore[number] = flags & interruptFlag == 0 ? 0 : 1 }
  return number
}

/// Wrong: the saved bit is read after the count has become zero. An NMI between them that takes a lock is
/// the first one by the count, and saves that interrupts are off.
@inline(__always)
private func popInterruptsOff(_ number: Int, _ share: UInt) {
  locksHeld[number] &-= UInt32(truncatingIfNeeded: share)
  if locksHeld[number] == 0 && interruptsBefore[number] != 0 { enable_interrupts() }
}

/// Takes `lock`, with interrupts off. Returns the share of the count that is given back with it.
@inline(never)
@c(spin_acquire)
func spinAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  _ = pushInterruptsOff()
  while exchange(lock, 1) != 0 { spin_hint() }
  return 1
}

/// Takes `lock` if it is free: returns 1, or 0 and leaves everything as it is.
@inline(never)
@c(spin_try_acquire)
func spinTryAcquire(_ lock: UnsafeMutablePointer<SpinLock>) -> UInt {
  let number = pushInterruptsOff()
  if exchange(lock, 1) == 0 { return 1 }
  popInterruptsOff(number, 1)
  return 0
}

/// Gives `lock` back. Interrupts come on again with the last lock, if they were on before the first.
@inline(never)
@c(spin_release)
func spinRelease(_ lock: UnsafeMutablePointer<SpinLock>, _ share: UInt) {
  store_release(lock)
  popInterruptsOff(thisCPU.pointee.number, share)
}

/// Turns interrupts off and returns the flags register as it was, for `restoreInterrupts`.
@inline(__always)
func disableInterrupts() -> UInt {
  let flags = read_flags()
  disable_interrupts()
  return flags
}

@inline(__always)
func restoreInterrupts(_ flags: UInt) {
  write_flags(flags)
}

let interruptFlag: UInt = 1 << 9
