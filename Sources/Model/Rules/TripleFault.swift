/// The processor shuts down: an exception while delivering a double fault.
final class TripleFault: Rule {
  static let name = "triple-fault"
  let interests: [Happening.Kind] = [.shutdown]

  func observe(_ h: Happening, in world: World) {
    world.report(Violation(Self.name, sites: [h.rip], endsPath: true))
  }

  func title(_ v: Violation, names: Names) -> String {
    "triple fault at \(names.site(v.sites[0]))"
  }
}
