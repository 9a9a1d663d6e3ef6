import Emulator

/// Two CPUs stand before accesses to the same bytes, one of which writes: nothing orders them.
///
/// A lock, interrupts that are off, or a hand-over by an atomic operation that ordered them would keep
/// one of the two from coming so far while the other one is there. So no lock has to be known. Accesses
/// that are meant to meet are none: locked instructions; plain loads and stores of bytes that locked
/// instructions touch as well, that a loop waits for, that a lock function works on, or that the job
/// calls atomic. An update of such bytes in two steps, which can lose another CPU's store, is one.
final class DataRace: Rule {
  static let name = "data-race"
  let interests: [Happening.Kind] = [.aboutToAccess]

  func observe(_ h: Happening, in world: World) {
    guard let mine = h.access, world.standsBeforeInstruction(world.cpuIndex) else { return }
    for other in world.machine.cpus.indices
    where other != world.cpuIndex && world.standsBeforeInstruction(other) {
      guard let theirs = world.pendingAccess(other) else { continue }
      DataRace.judge(mine, h.rip, theirs, world.machine.cpus[other].rip, in: world)
    }
  }

  /// Reports two accesses, of which each may come next, where they conflict.
  static func judge(
    _ a: PendingAccess, _ aSite: UInt64, _ b: PendingAccess, _ bSite: UInt64, in world: World
  ) {
    typealias Flag = PendingAccess.Flag
    guard a.overlaps(b), a.has(Flag.write) || b.has(Flag.write) else { return }
    if a.has(Flag.locked) && b.has(Flag.locked) { return }
    let bothWrite = a.has(Flag.write) && b.has(Flag.write)
    func isTorn(_ x: PendingAccess) -> Bool { x.has(Flag.update) && !x.has(Flag.locked) }
    let losesStore = bothWrite && (isTorn(a) || isTorn(b))
    let place = max(a.physical, b.physical) >> 2
    if !losesStore {
      if (a.flags | b.flags) & (Flag.locked | Flag.spins | Flag.inLock) != 0 { return }
      if world.atomics.contains(place) { return }
    }
    // By name first: where functions lie must not make another defect of it.
    let order = (world.function(aSite), aSite) <= (world.function(bSite), bSite)
    let sites = order ? [aSite, bSite] : [bSite, aSite]
    let kinds = order ? [a, b] : [b, a]
    world.report(
      Violation(
        name, sites: sites, unlessSynchronised: losesStore ? nil : place,
        details: [max(a.physical, b.physical)]
          + kinds.map { isTorn($0) ? 2 : $0.has(Flag.write) ? 1 : 0 }))
  }

  /// The same at the end of a replay, where nothing is known of what is shared.
  static func judgeAll(in world: World) {
    let ready = world.machine.cpus.indices.filter { world.standsBeforeInstruction($0) }
    let accesses = ready.map { world.nextAccesses($0) }
    for i in ready.indices {
      for j in ready.indices where i < j {
        for a in accesses[i] {
          for b in accesses[j] {
            judge(
              a, world.machine.cpus[ready[i]].rip, b, world.machine.cpus[ready[j]].rip, in: world)
          }
        }
      }
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    let what = ["reads", "writes", "updates, in two steps,"]
    let name = names.lock(v.details[0])
    return "\(names.site(v.sites[0])) \(what[Int(v.details[1])]) \(name) on one CPU while "
      + "\(names.site(v.sites[1])) \(what[Int(v.details[2])]) it on another, and nothing orders them"
  }
}
