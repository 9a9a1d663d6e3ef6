/// A spinlock is held while the CPU halts.
final class LockHeldAtSleep: Rule {
  static let name = "lock-held-at-sleep"
  let interests: [Happening.Kind] = [.halted]

  func observe(_ h: Happening, in world: World) {
    let strand = world.strand
    for held in world.locksHeld() where held.strand == strand {
      world.report(
        Violation(Self.name, sites: [h.rip, held.site], locks: [held.address], endsPath: true))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.lock(v.locks[0])), taken at \(names.site(v.sites[1])), is held while the CPU halts at "
      + names.site(v.sites[0])
  }
}
