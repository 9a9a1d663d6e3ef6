/// An end of interrupt is sent while nothing is in service: it could end another interrupt as well.
final class SpuriousEOI: Rule {
  static let name = "spurious-eoi"
  let interests: [Happening.Kind] = [.endOfInterrupt]

  func observe(_ h: Happening, in world: World) {
    guard let ended = h.ended, ended.isSpurious else { return }
    world.report(
      Violation(
        Self.name, sites: [h.rip],
        details: [ended.cpu == nil ? (ended.isSlave ? 1 : 0) : 2]))
  }

  func title(_ v: Violation, names: Names) -> String {
    let whom = [
      "the first interrupt controller", "the second interrupt controller", "the local APIC",
    ]
    return
      "\(names.site(v.sites[0])) sends an end of interrupt to \(whom[Int(v.details[0])]), where "
      + "nothing is in service"
  }
}
