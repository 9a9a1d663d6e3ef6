import Emulator

/// Kernel code can be interrupted, or works past its entry, with the user's data segments loaded.
final class KernelWithUserSegments: Rule {
  static let name = "kernel-with-user-segments"
  let interests: [Happening.Kind] = [.interruptFlag, .segment, .entered, .entryComplete, .returned]

  func observe(_ h: Happening, in world: World) {
    let cpu = world.cpu
    guard !world.image.elf.is64Bit, cpu.cpl == 0 else { return }
    guard h.kind == .entryComplete || cpu.interruptsEnabled else { return }
    for segment in [CPU.Segment.ds, CPU.Segment.es] where cpu.selector(segment) & 3 == 3 {
      world.report(
        Violation(
          Self.name, sites: [h.rip], endsPath: true,
          details: [
            UInt64(segment), UInt64(cpu.selector(segment)), h.kind == .entryComplete ? 1 : 0,
          ]))
      return
    }
  }

  func title(_ v: Violation, names: Names) -> String {
    let register = v.details[0] == UInt64(CPU.Segment.ds) ? "DS" : "ES"
    let state = v.details[2] == 1 ? "the entry is complete" : "ring 0 runs with IF=1"
    return
      "\(state) at \(names.site(v.sites[0])) while \(register) still holds the user's selector 0x"
      + String(v.details[1], radix: 16)
  }
}
