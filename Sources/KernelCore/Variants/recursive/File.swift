import Hardware

/// How far the one open file has been written, modulo 2. Under `file_lock`.
var filePosition: UInt8 = 0

/// Wrong: `put` takes the lock that its caller holds already.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let fileFlags = spinAcquire(&file_lock)
  filePosition = filePosition ^ 1
  let consoleFlags = spinAcquire(&console_lock)
  for index in 0..<count { put(bytes[index]) }
  spinRelease(&console_lock, consoleFlags)
  spinRelease(&file_lock, fileFlags)
}

@inline(never)
func put(_ byte: UInt8) {
  let flags = spinAcquire(&console_lock)
  serialPut(byte)
  spinRelease(&console_lock, flags)
}
