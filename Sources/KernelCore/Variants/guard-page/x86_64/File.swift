import Hardware

/// How far the one open file has been written, modulo 2. Under `file_lock`.
var filePosition: UInt8 = 0

/// A defect: a write runs over the end of the kernel stack. No lock is held meanwhile, and no interrupt can come
/// and be the one that meets the end: it would still owe its end of interrupt. So ending the task is all
/// that is needed.
@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  descend()
}
