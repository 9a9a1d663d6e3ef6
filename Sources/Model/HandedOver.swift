/// Locks that one task takes and the next one releases, across a switch.
///
/// Such a lock belongs to the CPU, but what its release owes belongs to the code that releases it: a task
/// that switched away with the lock held comes back with it held, taken by somebody else, and must leave
/// IF as it was before its own acquire. So what is owed is kept with the stack that is left, and taken up
/// with the stack that goes on. A stack that nobody has left before owes what nobody can know.
extension World {
  /// Keeps what the present strand, whose stack is about to be left, owes for such locks.
  func keepHandedOver() {
    guard !handedOver.isEmpty else { return }
    forgetHandedOver()
    for lock in locksHeld() where handedOver.contains(lock.address) && !lock.owesUnknown {
      let packed =
        lock.site & 0xFFFF_FFFF_FFFF | (lock.interruptsBefore ? 1 << 62 : 0)
        | (lock.savedInterrupts ? 1 << 63 : 0)
      if ghost.insertSorted(Ghost.Layout.owed, [strand, lock.address, packed]) == nil {
        obstacle = "more suspended stacks with a lock that is handed over than the checker keeps"
      }
    }
  }

  /// Makes such locks owe what the strand that now goes on left with.
  func takeHandedOver() {
    guard !handedOver.isEmpty else { return }
    let held = Ghost.Layout.held
    let owed = Ghost.Layout.owed
    let s = strand
    for row in 0..<ghost.count(held) {
      var lock = HeldLock(ghost: ghost, row: row)
      guard lock.cpu == cpuIndex, handedOver.contains(lock.address) else { continue }
      let kept = (0..<ghost.count(owed)).first {
        ghost.field(owed, $0, 0) == s && ghost.field(owed, $0, 1) == lock.address
      }
      lock.owesUnknown = kept == nil
      if let kept {
        let packed = ghost.field(owed, kept, 2)
        lock.site = packed & 0xFFFF_FFFF_FFFF
        lock.interruptsBefore = packed >> 62 & 1 != 0
        lock.savedInterrupts = packed >> 63 != 0
      }
      for (column, value) in lock.record.enumerated() {
        ghost.setField(held, row, column, value)
      }
    }
    forgetHandedOver()
  }

  /// Nothing is owed any more for the present strand.
  func forgetHandedOver() {
    let t = Ghost.Layout.owed
    let s = strand
    for row in (0..<ghost.count(t)).reversed() where ghost.field(t, row, 0) == s {
      ghost.remove(t, row: row)
    }
  }
}
