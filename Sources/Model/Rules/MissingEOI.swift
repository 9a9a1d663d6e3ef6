/// A handler returns without having told the interrupt controller that it is done.
final class MissingEOI: Rule {
  static let name = "missing-eoi"
  let interests: [Happening.Kind] = [.returned]

  func observe(_ h: Happening, in world: World) {
    guard let a = h.activation, a.kind == .interrupt,
      world.machine.isInService(vector: a.vector, cpu: world.cpuIndex)
    else { return }
    world.report(
      Violation(
        Self.name, sites: [h.rip, a.interruptedIP], endsPath: true,
        details: [UInt64(a.vector)], identitySites: 1, tags: ["vector \(a.vector)"]))
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.vector(Int(v.details[0]), kind: .interrupt)) returns at \(names.site(v.sites[0])) without an "
      + "end of interrupt: it stays in service"
  }
}
