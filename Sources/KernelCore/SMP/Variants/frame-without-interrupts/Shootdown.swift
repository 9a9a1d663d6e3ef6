import Hardware

// A page that is mapped to another frame. The CPUs keep translations, and none looks again by itself:
// who changes an entry tells all others and waits until each has dropped what it knew. Intel SDM
// Vol. 3A §4.10.5.

/// Which frame the window shows, 0 or 1. Under `shootdown_lock`.
var shownFrame: UInt32 = 0

/// Makes the window show the other frame, on all CPUs.
///
/// Wrong: interrupts are off throughout. Another CPU that is on the same errand waits for this one's answer,
/// and this one for the lock that it holds.
@inline(never)
@c(show_other_frame)
func showOtherFrame() {
  let interrupts = disableInterrupts()
  plainAcquire(&shootdown_lock)
  shownFrame ^= 1
  window_entry = window_frame(shownFrame) | window_entry & 0xFFF
  invalidate_page(UInt(WINDOW))
  shootDown()
  plainRelease(&shootdown_lock)
  restoreInterrupts(interrupts)
}

/// Has all other CPUs drop their translation of the window; returns when they have.
@inline(never)
@c(shoot_down)
func shootDown() {
  let flags = disableInterrupts()
  let own = thisCPU.pointee.number
  var others: UInt32 = 0
  for other in 0..<processorCount where other != own { others |= 1 << UInt32(other) }
  store32(&unanswered, others)
  for other in 0..<processorCount where other != own { sendInterrupt(shootdownVector, to: other) }
  restoreInterrupts(flags)
  while load32(&unanswered) != 0 { spin_hint() }
}

@inline(never)
@c(shootdown_interrupt)
func shootdownInterrupt() {
  invalidate_page(UInt(WINDOW))
  atomic_and(&unanswered, ~(1 << UInt32(thisCPU.pointee.number)))
  endInterrupt()
}
