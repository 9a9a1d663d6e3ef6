import Hardware

/// How often a task was killed, modulo 2. Under `keyboard_lock`.
private var kills: UInt32 = 0

/// Ends the task that an interrupt found in its program, from within the handler. One that is in
/// the kernel may hold anything there and is left alone.
///
/// Nobody comes back to the handler. What it would do on its way out is done before: its lock is given
/// back, and the end of interrupt is sent. What the task itself holds gives back its exit.
@inline(never)
@c(kill_interrupted)
func killInterrupted(_ frame: UnsafeMutablePointer<TrapFrame>) {
  if !frame.pointee.isFromUser { return }
  let flags = spinAcquire(&keyboard_lock)
  kills ^= 1
  spinRelease(&keyboard_lock, flags)
  endInterrupt()
  exitTask()
}
