/// A release restores flags that belong to another acquire, or acquire returned flags that are not
/// those from before it began.
final class LockFlagsMismatched: Rule {
  static let name = "lock-flags-mismatched"
  let interests: [Happening.Kind] = [.acquired, .releasing]

  func observe(_ h: Happening, in world: World) {
    guard world.scenario.locks[h.discipline].kind == .value, let flags = h.flagsInterrupts else {
      return
    }
    if h.kind == .acquired {
      if flags != h.interruptsBefore {
        world.report(
          Violation(
            Self.name, sites: [h.rip], locks: [h.lock],
            details: [0, flags ? 1 : 0, h.interruptsBefore ? 1 : 0]))
      }
    } else if let held = h.held, !held.owesUnknown, flags != held.savedInterrupts {
      world.report(
        Violation(
          Self.name, sites: [h.rip, held.site], locks: [h.lock],
          details: [1, flags ? 1 : 0, held.savedInterrupts ? 1 : 0]))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    if v.details[0] == 0 {
      return "acquire of \(names.lock(v.locks[0])) returns to \(names.site(v.sites[0])) flags with "
        + "IF=\(v.details[1]), but IF was \(v.details[2]) when it was called"
    }
    return
      "the release of \(names.lock(v.locks[0])) before \(names.site(v.sites[0])) is given flags with "
      + "IF=\(v.details[1]); the acquire at \(names.site(v.sites[1])) saved IF=\(v.details[2])"
  }
}
