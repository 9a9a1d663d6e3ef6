/// Locks are released in another order than last-in-first-out.
final class LockReleaseOrder: Rule {
  static let name = "lock-release-order"
  let interests: [Happening.Kind] = [.releasing]

  func observe(_ h: Happening, in world: World) {
    // With one saved IF for all locks of a CPU, any order is right.
    let free: [LockDiscipline.Kind] = [.sleeping, .count]
    guard let held = h.held, !free.contains(world.scenario.locks[h.discipline].kind) else { return }
    let own = world.locksHeld().filter { $0.strand == held.strand && $0.depth == held.depth }
    if let last = own.last, last.address != held.address {
      world.report(
        Violation(
          Self.name, sites: [h.rip, held.site, last.site], locks: [h.lock, last.address]))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.lock(v.locks[0])) is released before \(names.site(v.sites[0])) while "
      + "\(names.lock(v.locks[1])), taken after it at \(names.site(v.sites[2])), is still held"
  }
}
