import Emulator

/// An interrupted context resumes with a register or flag that the interrupt did not leave as it was.
final class ContextCorrupted: Rule {
  static let name = "context-corrupted"
  let interests: [Happening.Kind] = [.returned]

  func observe(_ h: Happening, in world: World) {
    guard let a = h.activation, a.isAsynchronous else { return }
    let cpu = world.cpu
    let now = world.registerHash(rip: cpu.rip, sp: cpu.rsp, flags: cpu.rflags)
    // Same-privilege returns on i386 leave the stack pointer where the frame ended.
    if now != a.registers {
      world.report(
        Violation(
          Self.name, sites: [h.rip, a.interruptedIP], endsPath: true, details: [UInt64(a.vector)],
          identitySites: 1))
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    "the code interrupted at \(names.site(v.sites[1])) by \(names.vector(Int(v.details[0]), kind: .interrupt)) "
      + "resumes with other registers than it had (the return is at \(names.site(v.sites[0])))"
  }
}
