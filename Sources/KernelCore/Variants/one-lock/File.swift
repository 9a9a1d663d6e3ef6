import Hardware

/// How far the one open file has been written, modulo 2. Under `console_lock`.
var filePosition: UInt8 = 0

/// Writes to the one open file, which is the console. One lock for both is enough where there is one of each.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let flags = spinAcquire(&console_lock)
  filePosition ^= 1
  for index in 0..<count { serialPut(bytes[index]) }
  spinRelease(&console_lock, flags)
}
