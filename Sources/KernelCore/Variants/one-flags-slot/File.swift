import Hardware

/// How far the one open file has been written, modulo 2. Under `file_lock`.
var filePosition: UInt8 = 0

/// EFLAGS as they were before the lock was taken.
var savedFlags: UInt = 0

/// Wrong: there is one place for the flags and there are two locks. The inner acquire
/// overwrites what the outer one saved, so the outer release leaves interrupts off.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  savedFlags = spinAcquire(&file_lock)
  filePosition ^= 1
  savedFlags = spinAcquire(&console_lock)
  for index in 0..<count { serialPut(bytes[index]) }
  spinRelease(&console_lock, savedFlags)
  spinRelease(&file_lock, savedFlags)
}
