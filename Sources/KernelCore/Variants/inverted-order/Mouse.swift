import Hardware

// Redrawing the pointer takes long, and the clock and the keyboard should not wait for it.
// So the mouse's handler turns interrupts on again while it redraws, and may be interrupted
// by itself.

/// Packets that no redraw has shown yet, and whether a redraw is going on. Only the handler
/// touches them, and only with interrupts off; one CPU needs no lock for that.
var mousePackets = PacketQueue()
var isRedrawing = false

/// What of the last packet shows on the screen. Under `console_lock`.
var pointer: UInt8 = 0

/// IRQ 12. There is at most one redraw at a time: an interrupt that comes during it only
/// leaves its packet and goes. So the stack holds two frames of ours at the most, however
/// fast the mouse is.
///
/// The last look into the queue and the end of the redraw are one step, as interrupts are
/// off: no packet can come between them and be left lying.
@inline(never)
@c(mouse_interrupt)
func mouseInterrupt() {
  mousePackets.put(in8(inputData))
  endInterrupt(mouseLine)
  if isRedrawing { return }
  kernelAssert(mousePackets.count == 1)
  isRedrawing = true
  while let packet = mousePackets.take() {
    enable_interrupts()
    redraw(packet)
    disable_interrupts()
  }
  isRedrawing = false
}

/// Wrong: the pointer hides what the file shows, so the file's lock is taken too, inside the console's. A
/// write takes them in the other order.
@inline(never)
@c(redraw)
func redraw(_ packet: UInt8) {
  let flags = spinAcquire(&console_lock)
  pointer = packet & 3
  let fileFlags = spinAcquire(&file_lock)
  pointer = pointer ^ (filePosition & 1)
  spinRelease(&file_lock, fileFlags)
  spinRelease(&console_lock, flags)
}
