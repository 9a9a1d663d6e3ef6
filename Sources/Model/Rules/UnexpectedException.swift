/// The kernel, or user code, meets an exception that the scenario does not expect.
final class UnexpectedException: Rule {
  static let name = "unexpected-exception"
  let interests: [Happening.Kind] = [.entered, .panic]

  func observe(_ h: Happening, in world: World) {
    if h.kind == .panic {
      world.report(Violation(Self.name, sites: [h.rip], endsPath: true, details: [0xFFFF, 0, 0]))
      return
    }
    guard let a = h.activation, a.kind == .exception,
      !world.scenario.expectedExceptions.contains(a.vector)
    else { return }
    world.report(
      Violation(
        Self.name, sites: [h.rip], endsPath: true,
        details: [UInt64(a.vector), UInt64(h.event.errorCode), UInt64(h.event.oldCPL)]))
  }

  private static let names: [Int: String] = [
    0: "#DE divide error", 1: "#DB debug", 3: "#BP breakpoint", 4: "#OF overflow",
    5: "#BR bound range", 6: "#UD invalid opcode", 7: "#NM no coprocessor", 8: "#DF double fault",
    10: "#TS invalid TSS", 11: "#NP segment not present", 12: "#SS stack fault",
    13: "#GP general protection", 14: "#PF page fault", 16: "#MF x87 error",
    17: "#AC alignment check", 18: "#MC machine check",
  ]

  func title(_ v: Violation, names: Names) -> String {
    if v.details[0] == 0xFFFF { return "the kernel panics: \(names.site(v.sites[0])) is reached" }
    let vector = Int(v.details[0])
    return "\(Self.names[vector] ?? "exception \(vector)") (error code 0x"
      + String(v.details[1], radix: 16) + ") in ring \(v.details[2]) at \(names.site(v.sites[0]))"
  }
}
