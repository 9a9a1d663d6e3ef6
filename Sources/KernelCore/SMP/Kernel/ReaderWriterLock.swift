import Hardware

// Many may read at once, one may write alone. The word counts the readers; its highest bit is the
// writer. Readers that keep coming can keep a writer waiting.

private let writer: UInt32 = 1 << 31

@inline(never)
@c(read_acquire)
func readAcquire(_ lock: UnsafeMutablePointer<UInt32>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  while true {
    let readers = load32(lock)
    if readers & writer == 0 && compare_exchange(lock, readers, readers + 1) == readers { break }
    spin_hint()
  }
  return flags
}

@inline(never)
@c(read_release)
func readRelease(_ lock: UnsafeMutablePointer<UInt32>, _ flags: UInt) {
  _ = fetch_add(lock, UInt32.max)
  write_flags(flags)
}

@inline(never)
@c(write_acquire)
func writeAcquire(_ lock: UnsafeMutablePointer<UInt32>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  while compare_exchange(lock, 0, writer) != 0 { spin_hint() }
  return flags
}

@inline(never)
@c(write_release)
func writeRelease(_ lock: UnsafeMutablePointer<UInt32>, _ flags: UInt) {
  store32(lock, 0)
  write_flags(flags)
}
