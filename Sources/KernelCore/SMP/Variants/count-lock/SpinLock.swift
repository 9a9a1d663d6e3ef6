import Hardware

// For each CPU, how many locks it holds, and whether interrupts were on when it took the first of them.
// Only that CPU touches them, and only with interrupts off.
private var locksHeld: InlineArray<4, UInt32> = [0, 0, 0, 0]
private var interruptsBefore: InlineArray<4, UInt32> = [0, 0, 0, 0]

/// One more reason for interrupts to be off on this CPU. Returns its number.
///
/// An NMI can come between any two instructions here, and counts for itself. So the count is raised before
/// the saved bit is written: one that comes before finds a count of zero and leaves one.
@inline(__always)
private func pushInterruptsOff() -> Int {
  let flags = read_flags()
  disable_interrupts()
  let number = thisCPU.pointee.number
  locksHeld[number] &+= 1
  if locksHeld[number] == 1 { interruptsBefore[number] = flags & interruptFlag == 0 ? 0 : 1 }
  return number
}

/// One less. The saved bit is read before the count can be zero: an NMI behind that would write it.
@inline(__always)
private func popInterruptsOff(_ number: Int, _ share: UInt) {
  let turnOn = locksHeld[number] == 1 && interruptsBefore[number] != 0
  if turnOn { interruptsBefore[number] = 0 }
  locksHeld[number] &-= UInt32(truncatingIfNeeded: share)
  if turnOn { enable_interrupts() }
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
