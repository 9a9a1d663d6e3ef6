/// A handler switches tasks while its interrupt is still in service.
final class EOIAfterSwitch: Rule {
  static let name = "eoi-after-switch"
  let interests: [Happening.Kind] = [.switching]

  func observe(_ h: Happening, in world: World) {
    for a in world.activationsOnStrand() where a.kind == .interrupt {
      guard world.machine.isInService(vector: a.vector, cpu: world.cpuIndex) else { continue }
      world.report(
        Violation(
          Self.name, sites: [h.rip, a.interruptedIP], endsPath: true,
          details: [UInt64(a.vector)], identitySites: 1, tags: ["vector \(a.vector)"])
      )
      return
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.vector(Int(v.details[0]), kind: .interrupt)) switches tasks at \(names.site(v.sites[0])) before "
      + "its end of interrupt: it is in service while the next task runs"
  }
}
