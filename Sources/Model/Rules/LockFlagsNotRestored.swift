/// After a release, IF differs from what it was before the matching acquire; where the CPU counts its
/// locks, from what it was before the outermost one, or is 1 while others are held.
final class LockFlagsNotRestored: Rule {
  static let name = "lock-flags-not-restored"
  let interests: [Happening.Kind] = [.released]

  func observe(_ h: Happening, in world: World) {
    let kinds: [LockDiscipline.Kind] = [.value, .count, .field]
    guard kinds.contains(world.scenario.locks[h.discipline].kind), let before = h.flagsInterrupts
    else { return }
    if world.cpu.interruptsEnabled != before {
      world.report(
        Violation(Self.name, sites: [h.rip], locks: [h.lock], details: [before ? 1 : 0]))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    let was = v.details[0] == 1
    return "IF is \(was ? 0 : 1) after the release of \(names.lock(v.locks[0])) that returns to "
      + "\(names.site(v.sites[0])), and was \(was ? 1 : 0) before the matching acquire"
  }
}
