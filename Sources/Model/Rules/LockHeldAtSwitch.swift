/// A spinlock is held across a task switch, and is not one that is handed over there.
final class LockHeldAtSwitch: Rule {
  static let name = "lock-held-at-switch"
  let interests: [Happening.Kind] = [.switching]

  func observe(_ h: Happening, in world: World) {
    let strands = world.interruptedStrands()
    for held in world.locksHeld()
    where strands.contains(held.strand) && !world.handedOver.contains(held.address) {
      world.report(
        Violation(Self.name, sites: [h.rip, held.site], locks: [held.address], endsPath: true))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.lock(v.locks[0])), taken at \(names.site(v.sites[1])), is still held when "
      + "\(names.site(v.sites[0])) switches to another task"
  }
}
