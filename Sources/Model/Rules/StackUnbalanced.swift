/// At the return to user code the kernel stack is not where the entry found it.
final class StackUnbalanced: Rule {
  static let name = "stack-unbalanced"
  let interests: [Happening.Kind] = [.returned]

  func observe(_ h: Happening, in world: World) {
    guard h.event.newCPL == 3, h.event.oldCPL != 3, h.activation == nil else { return }
    // No entry has its frame here. If one from user code is still open on this stack, its frame
    // should have been the one that is popped.
    for open in world.activationsOnStrand() where open.fromCPL == 3 {
      let difference = Int64(bitPattern: open.frame &- h.event.oldSP)
      world.report(
        Violation(
          Self.name, sites: [h.rip, open.interruptedIP], endsPath: true,
          details: [UInt64(bitPattern: difference)]))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    let bytes = Int64(bitPattern: v.details[0])
    return "the return to user code at \(names.site(v.sites[0])) pops a frame \(abs(bytes)) bytes "
      + "\(bytes > 0 ? "below" : "above") the one that the entry pushed"
  }
}
