/// An assertion of the kernel's own fails.
final class AssertionFailed: Rule {
  static let name = "assertion"
  let interests: [Happening.Kind] = [.assertion]

  func observe(_ h: Happening, in world: World) {
    if h.marked {
      world.report(Violation(Self.name, sites: [h.rip], endsPath: true, details: [2]))
      return
    }
    let caller =
      world.machine.peek(world.cpuIndex, linear: world.cpu.rsp, size: Int(world.slot)) ?? h.rip
    // The call may be the last instruction of its function: the return address is behind its end.
    world.report(Violation(Self.name, sites: [caller &- 1], endsPath: true))
  }

  func title(_ v: Violation, names: Names) -> String {
    if let text = v.tags.first {
      let world = names.world
      let isFinal = v.details == [1]
      let condition = (isFinal ? world.conditions.final : world.conditions.invariants)
        .first { $0.text == text }
      let values = condition?.values(in: world) ?? ""
      let shown = "`\(text)`" + (values.isEmpty ? "" : " (\(values))")
      return isFinal
        ? "the final condition \(shown) does not hold when all work is done"
        : "the invariant \(shown) does not hold after \(names.site(v.sites[0]))"
    }
    if v.details == [2], let text = names.world.assertedText {
      return "the assertion `\(text)` fails at \(names.site(v.sites[0]))"
    }
    return "an assertion fails at \(names.site(v.sites[0]))"
  }
}
