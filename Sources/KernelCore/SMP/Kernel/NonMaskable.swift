import Hardware

/// A non-maskable interrupt comes wherever it likes, also while this CPU, or another one, holds any lock.
/// So it waits for nothing: it looks whether it can have the lock, and else does without.
@inline(never)
@c(nmi_interrupt)
func nonMaskableInterrupt() {
  let flags = spinTryAcquire(&first_lock)
  if flags != 0 { spinRelease(&first_lock, flags) }
}
