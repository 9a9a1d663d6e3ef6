import Emulator

/// The rules that the whole graph decides: from every state, a state where the work is done can be
/// reached.
///
/// Done is, unless the scenario says otherwise: each context that is in the kernel can still come
/// back to user code, and each CPU to user code or to idling with IF=1.
enum Progress {
  static let rules: Set<String> = [
    "deadlock", "deadlock-on-interrupt", "deadlock-on-nmi", "deadlock-on-preemption", "lost-wakeup",
    "livelock", "interrupts-lost",
  ]

  /// What is wrong with a state from which the work cannot be finished.
  enum Failure: Hashable {
    /// Loops without changing anything, and nothing can interrupt it.
    case spinning
    /// Every CPU is halted for ever.
    case halted
    /// A CPU's IF stays 0 for ever.
    case interruptsOff(cpu: Int)
    /// A CPU never comes to user code or idling.
    case busy(cpu: Int)
    /// These user contexts never leave the kernel.
    case contexts(UInt16)

    /// The CPU that shows it; nil where it is the one that went last, or all of them.
    var cpu: Int? {
      switch self {
      case .interruptsOff(let cpu), .busy(let cpu): cpu
      case .spinning, .halted, .contexts: nil
      }
    }
  }

  struct Finding {
    var state: Int
    var failure: Failure
  }

  struct Judgement {
    /// Failing states with what is wrong, cheapest first.
    var findings: [Finding] = []
    /// Whether something would fail if no more interrupts came than the bound allows, and does not
    /// if they do: nothing can be said then.
    var undecidedByBound = 0
  }

  static func judge(_ graph: StateGraph, contexts: Int, cpus: Int) -> Judgement {
    let goals = Goals(contexts: contexts, cpus: cpus)
    let backward = graph.backward()
    let strict = reach(graph, backward, goals, trustBounds: false)
    let all = goals.all
    guard strict.contains(where: { $0 & all != all }) else { return Judgement() }
    let bounded = graph.info.contains { $0 & StateGraph.Info.bounded != 0 }
    let final =
      bounded ? reach(graph, backward, goals, trustBounds: true) : strict
    var judgement = Judgement()
    if bounded {
      for s in graph.info.indices where strict[s] & all != all && final[s] & all == all {
        judgement.undecidedByBound += 1
      }
    }
    // States that lead to a dead end are explained by it.
    var explained = [Bool](repeating: false, count: graph.info.count)
    var work: [Int] = []
    for s in graph.info.indices where final[s] & all != all {
      let info = graph.info[s]
      var failure: Failure?
      if info & StateGraph.Info.spinning != 0 {
        failure = .spinning
      } else if info & StateGraph.Info.halted != 0 {
        let contexts = goals.missingContexts(final[s])
        failure =
          !goals.allInterruptsOn(info)
          ? .halted : contexts != 0 ? .contexts(contexts) : goals.failure(~final[s] & all)
      }
      if let failure {
        judgement.findings.append(Finding(state: s, failure: failure))
        explained[s] = true
        work.append(s)
      }
    }
    while let s = work.popLast() {
      backward.forEach(s) { p, _ in
        if !explained[p] && final[p] & all != all {
          explained[p] = true
          work.append(p)
        }
      }
    }
    for s in graph.info.indices where final[s] & all != all && !explained[s] {
      judgement.findings.append(Finding(state: s, failure: goals.failure(~final[s] & all)))
    }
    return judgement
  }

  /// Dead ends: what is wrong with them shows in themselves, so that they are judged in a search
  /// that was cut short, too.
  static func deadEnds(_ graph: StateGraph, cpus: Int) -> Judgement {
    let goals = Goals(contexts: 0, cpus: cpus)
    var judgement = Judgement()
    for (s, info) in graph.info.enumerated() {
      if info & StateGraph.Info.spinning != 0 && !goals.allUserOrIdle(info) {
        judgement.findings.append(Finding(state: s, failure: .spinning))
      } else if info & StateGraph.Info.halted != 0 && !goals.allInterruptsOn(info) {
        judgement.findings.append(Finding(state: s, failure: .halted))
      }
    }
    return judgement
  }

  /// What is to be reached from every state: bits 0–7 user code or idling of each CPU, 8–15 its IF=1,
  /// 16–23 each context in user code.
  private struct Goals {
    let cpus: Int
    let contexts: UInt32

    init(contexts: Int, cpus: Int) {
      self.cpus = cpus
      self.contexts = (1 << UInt32(min(contexts, 8))) - 1
    }

    private var cpuMask: UInt32 { (1 << UInt32(cpus)) - 1 }
    var all: UInt32 { cpuMask | cpuMask << 8 | contexts << 16 }

    /// The goals that hold in a state itself.
    func reached(_ info: StateGraph.Flags) -> UInt32 {
      var mask: UInt32 = 0
      for cpu in 0..<cpus {
        if info & StateGraph.Info.userOrIdle(cpu) != 0 { mask |= 1 << UInt32(cpu) }
        if info & StateGraph.Info.interruptsOn(cpu) != 0 { mask |= 256 << UInt32(cpu) }
      }
      let inKernel = info >> StateGraph.Flags(StateGraph.Info.contextShift)
      return mask | (~inKernel & contexts) << 16
    }

    func allUserOrIdle(_ info: StateGraph.Flags) -> Bool { reached(info) & cpuMask == cpuMask }
    func allInterruptsOn(_ info: StateGraph.Flags) -> Bool {
      reached(info) >> 8 & cpuMask == cpuMask
    }

    func missingContexts(_ reached: UInt32) -> UInt16 {
      UInt16(truncatingIfNeeded: ~reached >> 16 & contexts)
    }

    /// What is wrong where these goals cannot be reached.
    func failure(_ missing: UInt32) -> Failure {
      if missing >> 8 & 0xFF != 0 {
        return .interruptsOff(cpu: (missing >> 8 & 0xFF).trailingZeroBitCount)
      }
      if missing & 0xFF != 0 { return .busy(cpu: (missing & 0xFF).trailingZeroBitCount) }
      return .contexts(UInt16(truncatingIfNeeded: missing >> 16))
    }
  }

  /// For each state, the goals that can be reached from it.
  private static func reach(
    _ graph: StateGraph, _ backward: Adjacency, _ goals: Goals, trustBounds: Bool
  ) -> [UInt32] {
    var mask = [UInt32](repeating: 0, count: graph.info.count)
    var work: [UInt32] = []
    for (s, info) in graph.info.enumerated() {
      let isOver =
        info & (StateGraph.Info.sink | StateGraph.Info.exited) != 0
        || (trustBounds && info & StateGraph.Info.bounded != 0)
      mask[s] = isOver ? goals.all : goals.reached(info)
      if mask[s] != 0 { work.append(UInt32(s)) }
    }
    while let s32 = work.popLast() {
      let s = Int(s32)
      let m = mask[s]
      backward.forEach(s) { p, _ in
        if mask[p] | m != mask[p] {
          mask[p] |= m
          work.append(UInt32(p))
        }
      }
    }
    return mask
  }

  /// Whether the world, from where it is, cannot finish its work: a search from here, without
  /// reductions that need a base, decides.
  static func isStuck(_ world: World) -> Bool {
    world.memory.setBase()
    world.turn(to: 0)
    world.reductions = Set(Reduction.allCases)
    let explorer = Explorer(world: world, options: ExplorationOptions()) { _ in
      throw ScenarioError("a search within a replay makes no counterexamples")
    }
    let clock = ContinuousClock()
    let end = clock.now + .seconds(20)
    explorer.explore {
      if clock.now > end { explorer.cut = "time" }
      return explorer.cut == nil
    }
    guard explorer.cut == nil, explorer.obstacles.isEmpty else { return false }
    let goals = Goals(contexts: explorer.contextCount, cpus: world.cpuCount)
    let masks = reach(explorer.graph, explorer.graph.backward(), goals, trustBounds: true)
    return masks[explorer.root] & goals.all != goals.all
  }
}
