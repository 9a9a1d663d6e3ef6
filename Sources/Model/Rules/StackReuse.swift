import Emulator

/// A frame, or a stack with live data, is overwritten: an entry or a stack switch starts above it.
final class StackReuse: Rule {
  static let name = "stack-reuse"
  let interests: [Happening.Kind] = [.entered, .stackLoaded]

  func observe(_ h: Happening, in world: World) {
    if h.loadsUserStack { return }
    if h.kind == .entered, let a = h.activation {
      entered(h, a, world)
    } else {
      loaded(h, world)
    }
  }

  private func entered(_ h: Happening, _ a: Activation, _ world: World) {
    let t = Ghost.Layout.activations
    // Nothing is pushed; what the kernel then does with the stack pointer is judged.
    if a.hasNoFrame { return }
    let top = a.frame + world.frameBytes(from: h.event.oldCPL)
    let startsAtTop = h.event.oldCPL == 3 || world.switchesStack(h.event, top: top)
    for row in 0..<world.ghost.count(t) {
      let live = Activation(ghost: world.ghost, row: row)
      let liveTop = live.frame + world.frameBytes(from: live.fromCPL)
      let overlaps = !live.hasNoFrame && live.frame < top && h.event.newSP < liveTop
      // A stack that is entered at its top while an entry on it has not returned.
      let covers = startsAtTop && live.strand == top && live.frame < top
      if overlaps || covers {
        world.report(
          Violation(
            Self.name, sites: [h.rip, live.interruptedIP], endsPath: true,
            details: [UInt64(a.vector), UInt64(live.vector), live.frame], identitySites: 0,
            tags: [world.stackName(top)]))
        return
      }
    }
    guard startsAtTop else { return }
    // A task that sleeps in the kernel on the very stack that this entry starts at the top of.
    if let (sp, _) = suspended(on: top, world) {
      world.report(
        Violation(
          Self.name, sites: [h.rip, h.rip], endsPath: true,
          details: [UInt64(a.vector), 0xFFFF, sp], identitySites: 0,
          tags: [world.stackName(top)]))
    }
  }

  private func suspended(on top: UInt64, _ world: World) -> (UInt64, UInt64)? {
    let t = Ghost.Layout.suspended
    let range = world.stacks.first { $0.low < top && top <= $0.high }
    for row in 0..<world.ghost.count(t) {
      let sp = world.ghost.field(t, row, 0)
      let strand = world.ghost.field(t, row, 1)
      if sp < top, strand == top || range.map({ $0.low <= sp && sp < $0.high }) ?? false {
        return (sp, strand)
      }
    }
    return nil
  }

  private func loaded(_ h: Happening, _ world: World) {
    let new = h.event.newSP
    if h.activation != nil, let (sp, _) = suspended(on: new, world) {
      world.report(
        Violation(
          Self.name, sites: [h.rip, h.rip], endsPath: true,
          details: [0xFFFF, 0xFFFF, sp], identitySites: 1, tags: [world.stackName(new)]))
      return
    }
    guard world.ghost.row(Ghost.Layout.suspended, key: new) == nil else { return }
    let t = Ghost.Layout.activations
    for row in 0..<world.ghost.count(t) {
      let live = Activation(ghost: world.ghost, row: row)
      if live.strand == new && live.frame < new && (live.fromCPL != 3 || h.activation != nil) {
        world.report(
          Violation(
            Self.name, sites: [h.rip, live.interruptedIP], endsPath: true,
            details: [0xFFFF, UInt64(live.vector), live.frame], identitySites: 1))
        return
      }
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    let live =
      v.details[1] == 0xFFFF
      ? "a task that is suspended in the kernel still has live data there"
      : "the entry by vector \(v.details[1]) at \(names.site(v.sites[1])) still has its frame there"
    let how =
      v.details[0] == 0xFFFF
      ? "\(names.site(v.sites[0])) loads a stack from its top"
      : "vector \(v.details[0]), arriving at \(names.site(v.sites[0])), starts at the top of a stack"
    return how + ", but " + live + " (0x" + String(v.details[2], radix: 16) + ")"
  }
}
