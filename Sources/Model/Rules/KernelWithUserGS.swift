import Emulator

/// Ring 0 uses GS, can be interrupted, or has its entry complete, while GS does not lead to the kernel's data.
///
/// Which base is the kernel's is learned from its SWAPGS; a kernel without one is not judged. Between the
/// entry and SWAPGS nothing of this may happen; an NMI that comes there shows by what its handler does.
final class KernelWithUserGS: Rule {
  static let name = "kernel-with-user-gs"
  let interests: [Happening.Kind] = [
    .foreignGS, .interruptFlag, .entered, .entryComplete, .returned,
  ]

  func observe(_ h: Happening, in world: World) {
    if h.kind == .foreignGS { return report(h, 0, world) }
    guard world.cpu.cpl == 0, world.hasForeignGS else { return }
    if h.kind == .entryComplete {
      report(h, 1, world)
    } else if world.cpu.interruptsEnabled {
      report(h, 2, world)
    }
  }

  private func report(_ h: Happening, _ how: UInt64, _ world: World) {
    let entry = world.activationsOnStrand().first
    world.report(
      Violation(
        Self.name, sites: [h.rip] + (entry.map { [$0.interruptedIP] } ?? []), endsPath: true,
        details: [how, UInt64(entry?.vector ?? 0), UInt64(entry?.kind.rawValue ?? 0)],
        identitySites: 1))
  }

  func title(_ v: Violation, names: Names) -> String {
    let what = ["uses GS", "has completed its entry", "runs with IF=1"][Int(v.details[0])]
    var title = "ring 0 \(what) at \(names.site(v.sites[0])) while GS is the user's"
    if v.sites.count > 1, let kind = Event.Kind(rawValue: UInt8(v.details[2])) {
      title +=
        ", in \(names.vector(Int(v.details[1]), kind: kind)) that came at \(names.site(v.sites[1]))"
    }
    return title
  }
}
