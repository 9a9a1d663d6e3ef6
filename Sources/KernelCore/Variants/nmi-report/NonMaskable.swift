import Hardware

/// Says on the console that it came, if the console is free. It comes with interrupts off as well: the
/// console's lock may be held by the code that it interrupted, and waiting would be for ever. What can
/// not be said now is not said.
@inline(never)
@c(nmi_interrupt)
func nonMaskableInterrupt() {
  let flags = spinTryAcquire(&console_lock)
  if flags == 0 { return }
  serialPut(0x21)
  spinRelease(&console_lock, flags)
}
