import Emulator

/// Two CPUs stand before accesses to the same bytes, one of which writes: nothing orders them.
///
/// A lock, interrupts that are off, or a hand-over by an atomic operation that ordered them would keep
/// one of the two from coming so far while the other one is there. So no lock has to be known. Accesses
/// that are meant to meet are none: locked instructions; plain loads and stores of bytes that locked
/// instructions touch as well, that a CPU waits for, that a lock function works on, or that the job calls
/// atomic. An update of such bytes in two steps is one where it would lose another CPU's store: where
/// that store changes what the update has read. So the owner of a lock may release it by INC, while others
/// draw tickets beside it.
final class DataRace: Rule {
  static let name = "data-race"
  let interests: [Happening.Kind] = [.aboutToAccess]

  /// An access that a CPU stands before.
  struct Side {
    let cpu: Int
    let access: PendingAccess
    let site: UInt64
  }

  func observe(_ h: Happening, in world: World) {
    guard let access = h.access, world.standsBeforeInstruction(world.cpuIndex) else { return }
    let mine = Side(cpu: world.cpuIndex, access: access, site: h.rip)
    for other in world.machine.cpus.indices
    where other != world.cpuIndex && world.standsBeforeInstruction(other) {
      guard let theirs = world.pendingAccess(other) else { continue }
      let site = world.machine.cpus[other].rip
      DataRace.judge(mine, Side(cpu: other, access: theirs, site: site), in: world)
    }
  }

  /// Reports two accesses, of which each may come next, where they conflict.
  static func judge(_ a: Side, _ b: Side, in world: World) {
    typealias Flag = PendingAccess.Flag
    guard a.access.overlaps(b.access), a.access.has(Flag.write) || b.access.has(Flag.write) else {
      return
    }
    if a.access.has(Flag.locked) && b.access.has(Flag.locked) { return }
    let losesStore = loses(a, of: b, in: world) || loses(b, of: a, in: world)
    let place = max(a.access.physical, b.access.physical) >> 2
    if !losesStore {
      if (a.access.flags | b.access.flags) & (Flag.locked | Flag.inLock) != 0 { return }
      if world.atomics.contains(place) || world.synchronisation.contains(place) { return }
      if world.awaits(a.cpu, a.access) || world.awaits(b.cpu, b.access) { return }
    }
    // By name first: where functions lie must not make another defect of it.
    let order = (world.function(a.site), a.site) <= (world.function(b.site), b.site)
    let sides = order ? [a, b] : [b, a]
    world.report(
      Violation(
        name, sites: sides.map(\.site), unlessSynchronised: losesStore ? nil : place,
        details: [max(a.access.physical, b.access.physical)]
          + sides.map { isTorn($0.access) ? 2 : $0.access.has(Flag.write) ? 1 : 0 }))
  }

  private static func isTorn(_ access: PendingAccess) -> Bool {
    access.has(PendingAccess.Flag.update) && !access.has(PendingAccess.Flag.locked)
  }

  /// Whether an update in two steps would undo the other one's store, if that came between.
  private static func loses(_ update: Side, of store: Side, in world: World) -> Bool {
    isTorn(update.access) && store.access.has(PendingAccess.Flag.write)
      && world.changes(store.cpu, update.access)
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
              Side(cpu: ready[i], access: a, site: world.machine.cpus[ready[i]].rip),
              Side(cpu: ready[j], access: b, site: world.machine.cpus[ready[j]].rip), in: world)
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
