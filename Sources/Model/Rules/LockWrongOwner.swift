/// A lock is released by other code than that which holds it: another task, or a handler that interrupted
/// the holder. What is handed over across a switch is held by the CPU, not by the task.
final class LockWrongOwner: Rule {
  static let name = "lock-wrong-owner"
  let interests: [Happening.Kind] = [.releasing]

  func observe(_ h: Happening, in world: World) {
    guard let held = h.held else { return }
    let spins = world.scenario.locks[h.discipline].kind != .sleeping
    let handedOver = world.handedOver.contains(h.lock)
    let otherCPU = spins && held.cpu != world.cpuIndex
    let otherCode =
      !handedOver && (held.strand != world.strand || held.depth != world.depth)
    guard otherCPU || otherCode else { return }
    world.report(
      Violation(
        Self.name, sites: [h.rip, held.site], locks: [h.lock],
        details: [UInt64(world.cpuIndex), UInt64(held.cpu)]))
  }

  func title(_ v: Violation, names: Names) -> String {
    let whose =
      v.details[0] == v.details[1]
      ? "other code holds it" : "CPU \(v.details[1]) holds it, not CPU \(v.details[0]),"
    return
      "\(names.lock(v.locks[0])) is released before \(names.site(v.sites[0])), but \(whose) since "
      + names.site(v.sites[1])
  }
}
