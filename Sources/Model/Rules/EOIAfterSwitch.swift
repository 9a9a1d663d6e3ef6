/// A handler switches tasks while its interrupt is still in service.
final class EOIAfterSwitch: Rule {
  static let name = "eoi-after-switch"
  let interests: [Happening.Kind] = [.switching]

  func observe(_ h: Happening, in world: World) {
    for a in world.activationsOnStrand() where a.kind == .interrupt {
      guard let line = world.machine.line(ofVector: a.vector),
        world.machine.isInService(line: line)
      else { continue }
      world.report(
        Violation(
          Self.name, sites: [h.rip, a.interruptedIP], endsPath: true,
          details: [UInt64(a.vector), UInt64(line)], identitySites: 1, tags: ["vector \(a.vector)"])
      )
      return
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "\(names.vector(Int(v.details[0]), kind: .interrupt)) switches tasks at \(names.site(v.sites[0])) before "
      + "its end of interrupt: line \(v.details[1]) is in service while the next task runs"
  }
}
