import Emulator

extension World {
  /// What an execution came upon that is not modelled: what, where, and what can be done about it.
  func notModelled(at rip: UInt64) -> String {
    let what = machine.unmodelled ?? "?"
    var place = image.symbols.describe(rip)
    if let line = image.symbols.location(of: rip)?.location { place += " (\(line))" }
    return "not modelled: \(what) at \(place); \(Self.remedy(what))"
  }

  /// What to do, by what it was.
  static func remedy(_ what: String) -> String {
    if what.contains("IDE disk") { return "give the machine a disk: `disk:` in the job, or --disk" }
    if what.contains("port 0x") || what.contains("device") || what.contains("HPET") {
      return
        "if the kernel can do without this device, patch the access away (`patches:`) or start behind it (`start:`)"
    }
    if what.contains("where there is no memory") {
      return "give the machine more memory (`memory:`), up to 3G; above it there are devices only"
    }
    if what.contains("wait for a key") {
      return "start at a symbol that comes before, or boot the kernel without this loader"
    }
    return
      "start behind it (`start:`), or patch the instruction (`patches:`) if what it does is of no matter here"
  }
}
