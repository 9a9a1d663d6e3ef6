/// A function of ring 0 reads what it had left below its stack pointer, after an interrupt has pushed its
/// frame there.
final class RedZoneClobbered: Rule {
  static let name = "red-zone-clobbered"
  let interests: [Happening.Kind] = [.clobberedRead]

  func observe(_ h: Happening, in world: World) {
    world.report(
      Violation(Self.name, sites: [h.rip, h.event.rip], endsPath: true, identitySites: 1))
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.site(v.sites[0])) reads data below its stack pointer that the interrupt at "
      + "\(names.site(v.sites[1])) has overwritten"
  }
}
