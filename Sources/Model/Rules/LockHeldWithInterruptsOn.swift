import Emulator

/// IF becomes 1 while a lock is held that a handler on this CPU may take.
///
/// Which locks handlers take is learned over the whole search; a finding counts only if the lock is
/// one of them.
final class LockHeldWithInterruptsOn: Rule {
  static let name = "lock-held-with-interrupts-on"
  let interests: [Happening.Kind] = [.interruptFlag, .acquired, .returned]

  func observe(_ h: Happening, in world: World) {
    guard world.cpu.interruptsEnabled else { return }
    switch h.kind {
    case .acquired:
      guard world.scenario.locks[h.discipline].kind != .sleeping, h.held?.cpu == world.cpuIndex
      else { return }
      report(h.lock, h.discipline, taken: h.rip, enabled: h.rip, world)
    case .interruptFlag:
      let strand = world.strand
      for held in world.locksHeld() where held.strand == strand {
        report(held.address, held.discipline, taken: held.site, enabled: h.rip, world)
      }
    case .returned:
      // Back in code that was interrupted with IF=1: nothing became 1. Another strand's frame, or
      // one whose IF was changed on the stack, does count.
      guard h.event.newCPL == 0, h.event.oldFlags & CPU.Flag.if == 0,
        h.activation?.isAsynchronous != true
      else { return }
      let strand = world.strand
      for held in world.locksHeld() where held.strand == strand {
        report(held.address, held.discipline, taken: held.site, enabled: h.rip, world)
      }
    default: break
    }
  }

  private func report(
    _ lock: UInt64, _ discipline: Int, taken: UInt64, enabled: UInt64, _ world: World
  ) {
    world.report(
      Violation(
        Self.name, sites: [enabled, taken], locks: [lock],
        onlyIfHandlerTakes: world.conflictKey(lock, discipline)))
  }

  func title(_ v: Violation, names: Names) -> String {
    "IF becomes 1 at \(names.site(v.sites[0])) while \(names.lock(v.locks[0])) is held, "
      + "taken at \(names.site(v.sites[1])); a handler on this CPU takes that lock"
  }
}
