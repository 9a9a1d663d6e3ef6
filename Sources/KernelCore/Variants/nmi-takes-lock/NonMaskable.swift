import Hardware

/// Wrong: waits for the console's lock, which the code that it interrupted may hold. That interrupts were
/// off there is no help.
@inline(never)
@c(nmi_interrupt)
func nonMaskableInterrupt() {
  let flags = spinAcquire(&console_lock)
  serialPut(0x21)
  spinRelease(&console_lock, flags)
}
