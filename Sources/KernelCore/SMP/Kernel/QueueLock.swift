import Hardware

// A queue lock after Mellor-Crummey and Scott: each CPU that waits spins on a word of its own, so that
// a release disturbs one of them and not all. Nobody who finds it free needs a place in the queue.
//
// One word says whether it is held, and who waits last (QueueWord.swift). Each CPU has a node: its
// successor's tail, and whether it is first in the queue. The first waits for the flag alone.

/// What a CPU that waits has: which one waits behind it, as a tail, and whether it is first.
private struct Node {
  var next: UInt32
  var isFirst: UInt32
  var unused: (UInt32, UInt32)
}

/// The node of a CPU that a tail names.
private func node(_ tail: UInt32) -> UnsafeMutablePointer<Node> {
  UnsafeMutableRawPointer(queue_nodes_address() - 4).advanced(by: Int(tail) * 8)
    .assumingMemoryBound(to: Node.self)
}

/// Takes the lock and returns the flags register as it was before. Interrupts go off first: the CPU has
/// one node, and may not be queued twice.
@inline(never)
@c(queue_acquire)
func queueAcquire(_ lock: UnsafeMutablePointer<UInt32>) -> UInt {
  let flags = read_flags()
  disable_interrupts()
  if compare_exchange(lock, 0, QueueWord.held) == 0 { return flags }

  let own = QueueWord.tail(thisCPU.pointee.number)
  let mine = node(own)
  store32(&mine.pointee.next, 0)
  store32(&mine.pointee.isFirst, 0)

  // Behind whoever waits last, and not before the flag is looked at: it stays as it is.
  var before = QueueWord(load32(lock))
  while true {
    let seen = compare_exchange(lock, before.bits, before.bits & QueueWord.held | own)
    if seen == before.bits { break }
    before = QueueWord(seen)
  }
  // The flag is no part of the name.
  if before.lastWaiting != nil {
    store32(&node(before.tail).pointee.next, own)
    while load32(&mine.pointee.isFirst) == 0 { spin_hint() }
  }

  // First in the queue: wait until it is free, and leave the queue.
  while QueueWord(load32(lock)).isHeld { spin_hint() }
  if compare_exchange(lock, own, QueueWord.held) == own { return flags }
  atomic_or(lock, QueueWord.held)
  while load32(&mine.pointee.next) == 0 { spin_hint() }
  store32(&node(load32(&mine.pointee.next)).pointee.isFirst, 1)
  return flags
}

@inline(never)
@c(queue_release)
func queueRelease(_ lock: UnsafeMutablePointer<UInt32>, _ flags: UInt) {
  atomic_and(lock, ~QueueWord.held)
  write_flags(flags)
}
