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
    /// Halted for ever.
    case halted
    /// IF stays 0 for ever.
    case interruptsOff
    /// The CPU never comes to user code or idling.
    case busy
    /// These user contexts never leave the kernel.
    case contexts(UInt16)
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

  static func judge(_ graph: StateGraph, contexts: Int) -> Judgement {
    let backward = graph.backward()
    let strict = reach(graph, backward, contexts: contexts, trustBounds: false)
    let all = goalMask(contexts: contexts)
    guard strict.contains(where: { $0 & all != all }) else { return Judgement() }
    let bounded = graph.info.contains { $0 & StateGraph.Info.bounded != 0 }
    let final =
      bounded ? reach(graph, backward, contexts: contexts, trustBounds: true) : strict
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
        failure =
          info & StateGraph.Info.interruptsOn == 0
          ? .halted : .contexts(~final[s] >> UInt16(contextGoal) & contextMask(contexts))
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
      let missing = ~final[s] & all
      let failure: Failure
      if missing & 2 != 0 {
        failure = .interruptsOff
      } else if missing & 1 != 0 {
        failure = .busy
      } else {
        failure = .contexts(missing >> UInt16(contextGoal))
      }
      judgement.findings.append(Finding(state: s, failure: failure))
    }
    return judgement
  }

  /// Dead ends: what is wrong with them shows in themselves, so that they are judged in a search
  /// that was cut short, too.
  static func deadEnds(_ graph: StateGraph) -> Judgement {
    var judgement = Judgement()
    for (s, info) in graph.info.enumerated() {
      if info & StateGraph.Info.spinning != 0 && info & StateGraph.Info.userOrIdle == 0 {
        judgement.findings.append(Finding(state: s, failure: .spinning))
      } else if info & StateGraph.Info.halted != 0 && info & StateGraph.Info.interruptsOn == 0 {
        judgement.findings.append(Finding(state: s, failure: .halted))
      }
    }
    return judgement
  }

  private static let contextGoal = 2

  private static func contextMask(_ contexts: Int) -> UInt16 {
    UInt16((1 << min(contexts, 8)) - 1)
  }

  private static func goalMask(contexts: Int) -> UInt16 {
    3 | contextMask(contexts) << UInt16(contextGoal)
  }

  /// For each state, the goals that can be reached from it: bit 0 user code or idle, bit 1 IF=1,
  /// bit 2+i context i in user code.
  private static func reach(
    _ graph: StateGraph, _ backward: Adjacency, contexts: Int, trustBounds: Bool
  ) -> [UInt16] {
    let all = goalMask(contexts: contexts)
    var mask = [UInt16](repeating: 0, count: graph.info.count)
    var work: [UInt32] = []
    for (s, info) in graph.info.enumerated() {
      var m: UInt16 = 0
      if info & (StateGraph.Info.sink | StateGraph.Info.exited) != 0
        || (trustBounds && info & StateGraph.Info.bounded != 0)
      {
        m = all
      } else {
        if info & StateGraph.Info.userOrIdle != 0 { m |= 1 }
        if info & StateGraph.Info.interruptsOn != 0 { m |= 2 }
        let inKernel = info >> UInt16(StateGraph.Info.contextShift)
        m |= (~inKernel & contextMask(contexts)) << UInt16(contextGoal)
      }
      mask[s] = m
      if m != 0 { work.append(UInt32(s)) }
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
    world.machine.observation.lowestSP = world.cpu.rsp
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
    let contexts = explorer.contextIndex.count
    let masks = reach(
      explorer.graph, explorer.graph.backward(), contexts: contexts, trustBounds: true)
    let all = goalMask(contexts: contexts)
    return masks[explorer.root] & all != all
  }
}
