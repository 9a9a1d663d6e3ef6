import Hardware

/// How far the one open file has been written, modulo 2. Under `file_lock`.
var filePosition: UInt8 = 0

/// Wrong: the lock that was taken first is released first. Its flags turn interrupts on
/// while the console's lock is still held.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let fileFlags = spinAcquire(&file_lock)
  filePosition ^= 1
  let consoleFlags = spinAcquire(&console_lock)
  for index in 0..<count { serialPut(bytes[index]) }
  spinRelease(&file_lock, fileFlags)
  spinRelease(&console_lock, consoleFlags)
}
