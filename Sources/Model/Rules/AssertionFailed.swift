/// An assertion of the kernel's own fails.
final class AssertionFailed: Rule {
  static let name = "assertion"
  let interests: [Happening.Kind] = [.assertion]

  func observe(_ h: Happening, in world: World) {
    let caller =
      world.machine.peek(world.cpuIndex, linear: world.cpu.rsp, size: Int(world.slot)) ?? h.rip
    // The call may be the last instruction of its function: the return address is behind its end.
    world.report(Violation(Self.name, sites: [caller &- 1], endsPath: true))
  }

  func title(_ v: Violation, names: Names) -> String {
    "an assertion fails at \(names.site(v.sites[0]))"
  }
}
