import Emulator

@testable import Model

/// What a search of a small kernel found, and what its states showed.
struct SearchOutcome: Equatable, CustomStringConvertible {
  var verdict: Verdict
  var rules: [String]
  /// Variables and locks, wherever everything has come to rest.
  var finals: Set<[UInt32]>
  var states = 0
  var notes: [String] = []
  var reached: Set<Reached> = []

  static func == (a: SearchOutcome, b: SearchOutcome) -> Bool {
    a.verdict == b.verdict && a.rules == b.rules && a.finals == b.finals
  }

  var description: String {
    "\(verdict) \(rules) \(states) states, finals \(finals.map(\.description).sorted()) \(notes)"
  }
}

/// Situations that a kernel must come to if it is to say something about the search.
enum Reached: String, CaseIterable {
  case interrupt
  case nestedInterrupt = "nested interrupt"
  case nmi
  case message = "message or local timer"
  case heldLock = "held lock"
  case contendedLock = "contended lock"
  case severalCPUsInLocks = "locks held by two CPUs"
  case secondTask = "second task"
  case finalState = "final state"
}

extension SmallKernel {
  /// Searches it.
  /// - Returns: nil where there are more states than `limit`.
  func explore(
    _ reductions: Set<Reduction>, workers: Int = 1, limit: Int = 3_000
  ) throws -> SearchOutcome? {
    var options = ExplorationOptions()
    options.reductions = reductions
    options.workers = workers
    let explorer = try Explorer(scenario: scenario, image: kernel.prepared, options: options)
    var finals: Set<[UInt32]> = []
    var reached: Set<Reached> = []
    // What the states show is looked at where every state is there.
    let looks = reductions.isEmpty
    explorer.observeState = { machine in
      if isFinal(machine) { finals.insert(SmallKernel.contents(machine)) }
      if looks { look(explorer.world.ghost, &reached) }
    }
    var isTooLarge = false
    let result = explorer.run(
      interrupted: {
        isTooLarge = explorer.table.numbers > limit
        return isTooLarge
      })
    if isTooLarge { return nil }
    if !finals.isEmpty { reached.insert(.finalState) }
    return SearchOutcome(
      verdict: result.verdict, rules: result.rules, finals: finals, states: result.states,
      notes: result.notes, reached: reached)
  }

  private func look(_ ghost: Ghost, _ reached: inout Set<Reached>) {
    let activations = (0..<ghost.count(Ghost.Layout.activations)).map {
      Activation(ghost: ghost, row: $0)
    }
    let interrupts = activations.filter(\.isAsynchronous)
    if !interrupts.isEmpty { reached.insert(.interrupt) }
    if Set(interrupts.map(\.strand)).count < interrupts.count { reached.insert(.nestedInterrupt) }
    for a in interrupts {
      if a.kind == .nmi { reached.insert(.nmi) }
      if a.vector >= 80 { reached.insert(.message) }
    }
    if second != nil, ghost.count(Ghost.Layout.suspended) > 0 { reached.insert(.secondTask) }
    let held = (0..<ghost.count(Ghost.Layout.held)).map { HeldLock(ghost: ghost, row: $0) }
    guard !held.isEmpty else { return }
    reached.insert(.heldLock)
    if Set(held.map(\.cpu)).count > 1 { reached.insert(.severalCPUsInLocks) }
    let calls = Ghost.Layout.calls
    for row in 0..<ghost.count(calls) {
      let isRelease = ghost.field(calls, row, 3) & 0xFF == World.CallKind.release.rawValue
      let lock = ghost.field(calls, row, 2)
      if !isRelease && held.contains(where: { $0.address == lock }) {
        reached.insert(.contendedLock)
      }
    }
  }

  /// The machine code, from the main program on, with the names of places.
  var assembly: String {
    let tiny = kernel
    let code = Array(tiny.image[84...])
    let names = tiny.symbols.symbolNames.compactMap { name in
      tiny.symbols.symbol(named: name).map { (name, $0.address) }
    }
    var lines: [String] = []
    var isShown = false
    var at = TinyKernel.base
    while at < TinyKernel.base + UInt64(code.count) {
      let here = names.filter { $0.1 == at }.map(\.0)
      for name in here {
        isShown = ![
          "entry", "gdt", "gdtr", "idt", "idtr", "trap", "init", "flat", "trampoline",
          "trampoline_end", "other", "other_waits",
        ].contains(name)
        if isShown { lines.append("\(name):") }
      }
      let offset = Int(at - TinyKernel.base)
      let one = Machine.disassemble(
        Array(code[offset..<min(offset + 15, code.count)]), mode: DecodeMode.flat32, at: at)
      if isShown { lines.append("  \(String(at, radix: 16))  \(one.text)") }
      // Names begin instructions, whatever data lies before them.
      let next = names.map(\.1).filter { $0 > at }.min() ?? .max
      at = min(at + UInt64(one.length), next)
    }
    return lines.joined(separator: "\n")
  }
}
