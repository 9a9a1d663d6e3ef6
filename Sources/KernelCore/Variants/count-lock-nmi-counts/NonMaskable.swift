import Hardware

/// Wrong: counts its lock as others do. Where it comes between a release's step to zero and the test of the
/// saved IF, its own acquire is the first one: it keeps "off" there, and the release that it interrupted
/// leaves interrupts off.
@inline(never)
@c(nmi_interrupt)
func nonMaskableInterrupt() {
  if console_lock.held != 0 { return }
  let share = spinAcquire(&console_lock)
  serialPut(0x21)
  spinRelease(&console_lock, share)
}
