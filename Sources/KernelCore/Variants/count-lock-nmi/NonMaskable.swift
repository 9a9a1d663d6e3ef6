import Hardware

/// Says on the console that it came, if the console is free. IF does not stop it, so that the CPU's count of
/// locks and its saved IF can be anything here, in the middle of a release too: it touches neither.
@inline(never)
@c(nmi_interrupt)
func nonMaskableInterrupt() {
  if spinTry(&console_lock) == 0 { return }
  serialPut(0x21)
  spinLeave(&console_lock)
}
