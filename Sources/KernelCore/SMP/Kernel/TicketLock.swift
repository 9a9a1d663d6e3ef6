import Hardware

// A ticket lock: who comes draws a number, and waits until it is shown. Nobody overtakes.
//
// Word 0 is the next number to draw, word 1 the one that is served.

/// Takes the lock and returns the flags register as it was before.
///
/// Interrupts go off before the number is drawn. A handler that wants the lock would otherwise draw
/// a later one than the code that it interrupted, which cannot be served before the handler returns: it
/// need not even hold the lock.
@inline(never)
@c(ticket_acquire)
func ticketAcquire(_ lock: UnsafeMutablePointer<UInt32>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  let ticket = Ticket(fetch_add(lock, 1))
  while !ticket.isServed(load32(lock + 1)) { spin_hint() }
  return flags
}

/// Shows the next number. Only the holder writes it, so that no lock prefix is needed.
@inline(never)
@c(ticket_release)
func ticketRelease(_ lock: UnsafeMutablePointer<UInt32>, _ flags: UInt) {
  let served = Ticket(load32(lock + 1))
  store32(lock + 1, served.next)
  write_flags(flags)
}
