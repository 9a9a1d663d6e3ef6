/// Two locks are acquired in one order here and in the other one elsewhere, directly or by way of
/// other locks. What interrupted code holds counts as held by the handler.
///
/// Orders are remembered over the whole search: reported are the acquires that make the circle, also
/// where this exploration met no deadlock. What counts is the order known when a pass began, so that it does
/// not matter which acquire comes first.
final class LockOrderInversion: Rule {
  static let name = "lock-order-inversion"
  let interests: [Happening.Kind] = [.acquiring]

  func observe(_ h: Happening, in world: World) {
    guard !h.tries, world.scenario.locks[h.discipline].kind != .sleeping else { return }
    for held in world.locksHeld() where held.address != h.lock {
      world.lockOrder.note(held.address, then: h.lock)
      guard world.lockOrder.isInverted(held.address, h.lock) else { continue }
      world.report(
        Violation(
          Self.name, sites: [h.rip, held.site], locks: [held.address, h.lock], identitySites: 1))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.lock(v.locks[1])) is acquired before \(names.site(v.sites[0])) while "
      + "\(names.lock(v.locks[0])) is held since \(names.site(v.sites[1])); elsewhere "
      + "\(names.lock(v.locks[0])) is acquired while \(names.lock(v.locks[1])) is held"
  }
}
