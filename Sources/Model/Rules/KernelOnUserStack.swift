import Emulator

/// Ring 0 can be interrupted on a user's stack: after SYSCALL before it has loaded its own, or before SYSRET
/// after it has loaded the user's.
final class KernelOnUserStack: Rule {
  static let name = "kernel-on-user-stack"
  let interests: [Happening.Kind] = [.entered, .interruptFlag, .stackLoaded]

  func observe(_ h: Happening, in world: World) {
    let cpu = world.cpu
    guard cpu.cpl == 0 else { return }
    switch h.kind {
    case .entered:
      guard let a = h.activation, world.strand & World.userStrandBit != 0 else { return }
      if !a.hasNoFrame {
        report(h, 1, UInt64(a.vector), a.kind, world)
      } else if cpu.interruptsEnabled && !world.knowsEntry {
        // Where the job says when an entry is complete, this is `interrupts-on-too-early`.
        report(h, 0, UInt64(a.vector), a.kind, world)
      }
    case .interruptFlag:
      if cpu.interruptsEnabled && world.strand & World.userStrandBit != 0 {
        report(h, 0, 0, .none, world)
      }
    case .stackLoaded:
      if cpu.interruptsEnabled && h.loadsUserStack { report(h, 2, 0, .none, world) }
    default: break
    }
  }

  private func report(
    _ h: Happening, _ how: UInt64, _ vector: UInt64, _ kind: Event.Kind, _ world: World
  ) {
    world.report(
      Violation(
        Self.name, sites: [h.rip], endsPath: true, details: [how, vector, UInt64(kind.rawValue)]))
  }

  func title(_ v: Violation, names: Names) -> String {
    let place = names.site(v.sites[0])
    switch v.details[0] {
    case 1:
      let kind = Event.Kind(rawValue: UInt8(v.details[2])) ?? .interrupt
      return
        "\(names.vector(Int(v.details[1]), kind: kind)), arriving at \(place) in ring 0, pushes its "
        + "frame on the user's stack"
    case 2: return "\(place) loads the user's stack in ring 0 while IF is 1"
    default: return "IF is 1 at \(place) while ring 0 is still on the user's stack"
    }
  }
}
