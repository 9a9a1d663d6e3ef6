import Hardware

/// How far the one open file has been written, modulo 2. Under `file_lock`.
var filePosition: UInt8 = 0

/// Wrong: interrupts come on while the bytes go out, because the port is slow, and both locks
/// are held. An interrupt handler that wants one of them waits for the code under it; a task
/// that is switched to waits, with interrupts off, for one that can not run.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let fileFlags = spinAcquire(&file_lock)
  filePosition ^= 1
  let consoleFlags = spinAcquire(&console_lock)
  enable_interrupts()
  for index in 0..<count { serialPut(bytes[index]) }
  disable_interrupts()
  spinRelease(&console_lock, consoleFlags)
  spinRelease(&file_lock, fileFlags)
}
