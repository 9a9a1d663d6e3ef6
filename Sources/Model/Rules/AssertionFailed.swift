/// An assertion of the kernel's own fails.
final class AssertionFailed: Rule {
  static let name = "assertion"
  let interests: [Happening.Kind] = [.assertion]

  func observe(_ h: Happening, in world: World) {
    let caller =
      world.machine.peek(world.cpuIndex, linear: world.cpu.rsp, size: Int(world.slot)) ?? h.rip
    world.report(Violation(Self.name, sites: [caller], endsPath: true))
  }

  func title(_ v: Violation, names: Names) -> String {
    "an assertion fails before \(names.site(v.sites[0]))"
  }
}
