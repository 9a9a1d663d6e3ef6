/// A lock is released that nobody holds.
final class LockReleaseUnheld: Rule {
  static let name = "lock-release-unheld"
  let interests: [Happening.Kind] = [.releasing]

  func observe(_ h: Happening, in world: World) {
    if h.held == nil {
      world.report(Violation(Self.name, sites: [h.rip], locks: [h.lock], endsPath: true))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.lock(v.locks[0])) is released before \(names.site(v.sites[0])), but is not held"
  }
}
