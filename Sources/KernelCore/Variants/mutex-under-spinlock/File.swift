import Hardware

/// How far the one open file has been written, modulo 2. Under `file_lock`.
var filePosition: UInt8 = 0

/// Wrong: a mutex, which may be held over a switch of tasks, is taken under a spin lock. If it is not free, the
/// CPU is given away with the spin lock held.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let fileFlags = spinAcquire(&file_lock)
  filePosition ^= 1
  lockMutex(0)
  for index in 0..<count { serialPut(bytes[index]) }
  kernelAssert(unlockMutex(0))
  spinRelease(&file_lock, fileFlags)
}
