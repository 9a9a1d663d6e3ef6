/// Code acquires a lock that it holds already.
final class LockRecursiveAcquire: Rule {
  static let name = "lock-recursive-acquire"
  let interests: [Happening.Kind] = [.acquiring]

  func observe(_ h: Happening, in world: World) {
    guard let row = world.heldLock(h.lock) else { return }
    let held = HeldLock(ghost: world.ghost, row: row)
    // Readers do not keep each other out.
    if world.isShared(held.discipline) && world.isShared(h.discipline) { return }
    if held.strand == world.strand && held.depth == world.depth {
      world.report(
        Violation(Self.name, sites: [h.rip, held.site], locks: [h.lock], endsPath: true))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.lock(v.locks[0])) is acquired before \(names.site(v.sites[0])) by the code that holds it "
      + "since \(names.site(v.sites[1]))"
  }
}
