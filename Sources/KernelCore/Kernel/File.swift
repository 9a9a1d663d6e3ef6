import Hardware

/// How far the one open file has been written, modulo 2. Under `file_lock`.
var filePosition: UInt8 = 0

/// Writes to the one open file, which is the console.
///
/// `file_lock` keeps each write in one piece; `console_lock` is the device's own, which the
/// kernel's messages and the mouse pointer take as well. The order is file, then console,
/// everywhere, and they are released the other way round.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let fileFlags = spinAcquire(&file_lock)
  filePosition ^= 1
  let consoleFlags = spinAcquire(&console_lock)
  for index in 0..<count { serialPut(bytes[index]) }
  spinRelease(&console_lock, consoleFlags)
  spinRelease(&file_lock, fileFlags)
}
