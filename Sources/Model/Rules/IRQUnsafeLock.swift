/// One lock is taken in a handler, and elsewhere held with interrupts on.
///
/// Also learns which locks handlers take, for the rules that depend on it.
final class IRQUnsafeLock: Rule {
  static let name = "irq-unsafe-lock"
  let interests: [Happening.Kind] = [.acquiring, .acquired]

  func observe(_ h: Happening, in world: World) {
    guard world.scenario.locks[h.discipline].kind != .sleeping else { return }
    let inHandler = world.depth > 0
    if h.kind == .acquiring {
      let key = world.handlerKey(h.lock)
      let exclusive = world.isShared(h.discipline) ? nil : key ^ World.exclusiveMark
      for key in [key, exclusive].compactMap(\.self) {
        // The lowest address, not the first: the order of the search must not show.
        if inHandler {
          world.handlerLocks[key] = min(h.rip, world.handlerLocks[key] ?? .max)
        } else {
          world.handlerStacks.noteAcquire(key, on: world.strand, at: h.rip)
        }
      }
    } else if !inHandler && world.cpu.interruptsEnabled {
      world.report(
        Violation(
          Self.name, sites: [h.rip], locks: [h.lock],
          onlyIfHandlerTakes: world.conflictKey(h.lock, h.discipline),
          unlessHandlerStack: world.strand))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    let handler =
      v.onlyIfHandlerTakes.flatMap { names.world.handlerSite(of: $0) }.map { " at \(names.site($0))" }
      ?? ""
    return
      "\(names.lock(v.locks[0])) is taken with interrupts on at \(names.site(v.sites[0])), and a "
      + "handler takes it\(handler)"
  }
}
