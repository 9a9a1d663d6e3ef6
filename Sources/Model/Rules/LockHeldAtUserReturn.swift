/// A spinlock is held across the return to user code.
final class LockHeldAtUserReturn: Rule {
  static let name = "lock-held-at-user-return"
  let interests: [Happening.Kind] = [.returned, .stackLoaded]

  func observe(_ h: Happening, in world: World) {
    // SYSRET comes after the user's stack was loaded: whose stack it was is known there.
    guard h.loadsUserStack || (h.kind == .returned && h.event.newCPL == 3 && h.event.oldCPL != 3)
    else { return }
    let strand = world.strand
    for held in world.locksHeld() where held.strand == strand {
      world.report(
        Violation(Self.name, sites: [h.rip, held.site], locks: [held.address], endsPath: true))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.lock(v.locks[0])), taken at \(names.site(v.sites[1])), is still held at the return to user "
      + "code at \(names.site(v.sites[0]))"
  }
}
