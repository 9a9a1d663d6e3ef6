import Hardware

/// A key that nobody has read yet, and who waits for one. Under `keyboard_lock`.
var typedKeys = PacketQueue()
var keyWaiting = WaitingTasks()

/// What the keyboard's handler does instead: one of the works (Works.swift).
var keyWork = 0

/// Takes the byte from the controller, which may then send the next one.
@inline(never)
@c(keyboard_interrupt)
func keyboardInterrupt(_ frame: UnsafeMutablePointer<TrapFrame>) {
  let key = in8(inputData)
  if keyWork == killWork {
    killInterrupted(frame)
  } else if keyWork != 0 {
    work(keyWork)
  } else {
    let flags = spinAcquire(&keyboard_lock)
    typedKeys.put(key)
    wakeAll(&keyWaiting)
    spinRelease(&keyboard_lock, flags)
  }
  endInterrupt()
}

/// Takes a typed key; sleeps until there is one.
@inline(never)
@c(read_key)
func readKey() -> UInt8 {
  sleepUntil(&keyWaiting, &keyboard_lock) { typedKeys.take() }
}
