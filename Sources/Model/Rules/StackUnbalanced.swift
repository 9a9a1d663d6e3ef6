import Emulator

/// At the return to user code the kernel stack is not where the entry found it.
final class StackUnbalanced: Rule {
  static let name = "stack-unbalanced"
  let interests: [Happening.Kind] = [.returned, .entered]

  func observe(_ h: Happening, in world: World) {
    if h.kind == .entered {
      // The IRET itself can fault on what it pops instead of a frame.
      guard let a = h.activation, a.kind == .exception, h.event.oldCPL == 0,
        world.isReturnInstruction(h.rip), !world.isFrame(h.event.oldSP)
      else { return }
      judge(h, world)
    } else if h.event.newCPL == 3, h.event.oldCPL != 3, h.activation == nil,
      h.event.vector < Event.systemCall
    {
      judge(h, world)
    }
  }

  /// No entry has its frame where the return pops one. If an entry from user code is still open on
  /// this stack, its frame should have been the one.
  private func judge(_ h: Happening, _ world: World) {
    for open in world.activationsOnStrand() where open.fromCPL == 3 && !open.hasNoFrame {
      let difference = Int64(bitPattern: open.frame &- h.event.oldSP)
      world.report(
        Violation(
          Self.name, sites: [h.rip, open.interruptedIP], endsPath: true,
          details: [UInt64(bitPattern: difference)], identitySites: 1))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    let bytes = Int64(bitPattern: v.details[0])
    return "the return to user code at \(names.site(v.sites[0])) pops a frame \(abs(bytes)) bytes "
      + "\(bytes > 0 ? "below" : "above") the one that the entry pushed"
  }
}
