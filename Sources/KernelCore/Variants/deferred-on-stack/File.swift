import Hardware

/// How far the one open file has been written, modulo 2. Under `console_lock`, as is the work that waits.
var filePosition: UInt8 = 0

/// What is left to do later: here, so many bytes to account for, and the same inverted.
struct Work {
  var bytes: UInt = 0
  var check: UInt = 0
}

/// Work that the next tick does, or nil.
var pendingWork: UnsafeMutablePointer<Work>?

/// Wrong: the work that is left for later lies on the stack of the system call. The call returns, the next entry
/// starts at the same top, and the work is written over before it is done.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let flags = spinAcquire(&console_lock)
  filePosition ^= 1
  for index in 0..<count { serialPut(bytes[index]) }
  var accounting = Work(bytes: UInt(count), check: ~UInt(count))
  pendingWork = withUnsafeMutablePointer(to: &accounting) { $0 }
  spinRelease(&console_lock, flags)
}

/// The timer does what waits.
@inline(never)
@c(do_pending_work)
func doPendingWork() {
  let flags = spinAcquire(&console_lock)
  if let work = pendingWork {
    pendingWork = nil
    kernelAssert(work.pointee.check == ~work.pointee.bytes)
  }
  spinRelease(&console_lock, flags)
}
