import Hardware

/// Keys that nobody has read yet, under `keyboard_lock`.
var typedKeys = PacketQueue()

/// IRQ 1. Takes the byte from the controller, which may then send the next one.
@inline(never)
@c(keyboard_interrupt)
func keyboardInterrupt() {
  let key = in8(inputData)
  let flags = spinAcquire(&keyboard_lock)
  typedKeys.put(key)
  wake(.keyboard)
  spinRelease(&keyboard_lock, flags)
  endInterrupt(keyboardLine)
}

/// Takes a typed key; sleeps until there is one.
@inline(never)
@c(read_key)
func readKey() -> UInt8 {
  sleepUntil(.keyboard, &keyboard_lock) { typedKeys.take() }
}
