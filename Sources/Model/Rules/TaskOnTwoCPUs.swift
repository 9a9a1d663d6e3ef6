import Emulator

/// A CPU switches to a stack that another CPU still runs on: the task was published before it was left.
final class TaskOnTwoCPUs: Rule {
  static let name = "task-on-two-cpus"
  let interests: [Happening.Kind] = [.stackLoaded, .entered]

  func observe(_ h: Happening, in world: World) {
    guard world.cpuCount > 1 else { return }
    // An entry from user code starts at the top of the stack that the TSS names.
    if h.kind == .entered && h.event.oldCPL != 3 { return }
    let sp = h.event.newSP
    let resumed = world.ghost.row(Ghost.Layout.suspended, key: sp).map {
      world.ghost.field(Ghost.Layout.suspended, $0, 1)
    }
    let stack = world.stacks.first { $0.low < sp && sp <= $0.high }
    for other in world.machine.cpus.indices where other != world.cpuIndex {
      let strand = world.ghost[Ghost.Layout.strand + other]
      let cpu = world.machine.cpus[other]
      let isSame =
        (resumed == strand || (h.kind == .stackLoaded && sp == strand))
        && Self.isStill(cpu.rsp, on: strand, in: world)
      let isWithin =
        cpu.cpl != 3 && (stack.map { $0.low < cpu.rsp && cpu.rsp <= $0.high } ?? false)
      guard isSame || isWithin else { continue }
      world.report(
        Violation(
          Self.name, sites: [h.rip, cpu.rip], endsPath: true,
          details: [UInt64(world.cpuIndex), UInt64(other), sp], identitySites: 1))
      return
    }
  }

  /// Whether a stack pointer still lies on the stack that a strand is named after: CPUs that are started
  /// leave the stack that they share in ways that need not look like a switch.
  private static func isStill(_ sp: UInt64, on strand: UInt64, in world: World) -> Bool {
    guard sp <= strand, strand - sp < largestStack else { return false }
    guard let extent = world.stackExtent(strand) else { return true }
    return extent.low < sp
  }

  /// Bytes; of a stack whose bounds are not known.
  private static let largestStack: UInt64 = 1 << 16

  func title(_ v: Violation, names: Names) -> String {
    "CPU \(v.details[0]) goes on at \(names.site(v.sites[0])) with the stack of a task (0x"
      + String(v.details[2], radix: 16)
      + ") that CPU \(v.details[1]) has not left: it is at \(names.site(v.sites[1]))"
  }
}
