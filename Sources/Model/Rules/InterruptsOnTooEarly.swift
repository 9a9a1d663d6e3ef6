import Emulator

/// IF is 1 in ring 0 before the entry is complete, or after the way out has begun.
final class InterruptsOnTooEarly: Rule {
  static let name = "interrupts-on-too-early"
  let interests: [Happening.Kind] = [.entered, .interruptFlag, .exitBegins]

  func observe(_ h: Happening, in world: World) {
    guard world.knowsEntry, world.cpu.cpl == 0, world.cpu.interruptsEnabled else {
      return
    }
    if h.kind == .entered {
      guard let a = h.activation else { return }
      report(h, gate: true, leaving: false, vector: a.vector, world)
      return
    }
    guard let a = world.activationsOnStrand().first else { return }
    if a.incomplete || a.leaving || h.kind == .exitBegins {
      report(h, gate: false, leaving: a.leaving || h.kind == .exitBegins, vector: a.vector, world)
    }
  }

  private func report(_ h: Happening, gate: Bool, leaving: Bool, vector: Int, _ world: World) {
    world.report(
      Violation(
        Self.name, sites: [gate ? world.cpu.rip : h.rip], endsPath: true,
        details: [gate ? 1 : 0, leaving ? 1 : 0, UInt64(vector)]))
  }

  func title(_ v: Violation, names: Names) -> String {
    if v.details[0] == 1 && v.details[2] >= UInt64(Event.systemCall) {
      return
        "SYSCALL enters \(names.site(v.sites[0])) with IF=1: its mask (IA32_FMASK) does not clear it, "
        + "and nothing is saved yet"
    }
    if v.details[0] == 1 {
      return
        "vector \(v.details[2]) enters \(names.site(v.sites[0])) with IF=1: its gate is not an "
        + "interrupt gate, and nothing is saved yet"
    }
    return v.details[1] == 1
      ? "IF is 1 at \(names.site(v.sites[0])), after the way out of vector \(v.details[2]) has begun"
      : "IF becomes 1 at \(names.site(v.sites[0])), before the entry by vector \(v.details[2]) is complete"
  }
}
