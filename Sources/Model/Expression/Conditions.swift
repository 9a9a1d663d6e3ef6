import Emulator

/// A scenario's invariants, final conditions and observed expressions, found in its image.
struct Conditions {
  var invariants: [Condition] = []
  var final: [Condition] = []
  var observed: [Condition] = []
  /// Physical page of each linear page that they may read, as exploration begins.
  var pages: [UInt64: UInt64] = [:]

  var hasInvariants = false
  var hasFinal = false

  init() {}

  init(_ scenario: Scenario, image: PreparedImage) throws {
    func conditions(_ texts: [String], _ what: String) throws -> [Condition] {
      try texts.map { text in
        do {
          return try Condition(Expression(text), image: image, cpus: scenario.cpus)
        } catch {
          throw ScenarioError("scenario `\(scenario.name)`: \(what) `\(text)`: \(error)")
        }
      }
    }
    invariants = try conditions(scenario.invariants, "invariant")
    final = try conditions(scenario.final ?? [], "final condition")
    observed = try conditions((scenario.observe ?? []).map(\.expression), "observed expression")
    hasInvariants = !invariants.isEmpty
    hasFinal = !final.isEmpty
  }
}

extension Expression {
  /// What is wrong with the expression on an image, in words; nil: it has a value there.
  public func problem(on image: PreparedImage, cpus: Int) -> String? {
    do {
      _ = try Condition(self, image: image, cpus: cpus)
      return nil
    } catch {
      return "\(error)"
    }
  }
}

/// Values of what a scenario observes where all work is done.
public struct ObservedOutcome: Sendable, Equatable {
  /// In the order of the scenario's `observe`.
  public var values: [Int64]
  /// Executions that end so: one of the shortest.
  public var schedule: Schedule
  /// The same in words, a line for each step.
  public var steps: [String]
}

extension World {
  /// From how many outcomes on no more are told apart.
  static let outcomeLimit = 10_000

  /// Makes writes to what invariants read visible at all times.
  func watchConditions() {
    for condition in conditions.invariants + conditions.final + conditions.observed {
      for (address, size) in condition.extents {
        for page in (address >> 12)...((address &+ UInt64(max(size, 1)) &- 1) >> 12) {
          conditions.pages[page] = machine.physicalAddress(cpu: 0, linear: page << 12)
        }
      }
    }
    for condition in conditions.invariants {
      for (address, size) in condition.extents {
        var granule = address & ~3
        while granule < address + UInt64(size) {
          if let physical = physical(linear: granule) { machine.watch(physical: physical) }
          granule += 4
        }
      }
    }
  }

  private func physical(linear: UInt64) -> UInt64? {
    conditions.pages[linear >> 12].map { $0 & ~0xFFF | linear & 0xFFF }
  }

  /// Bytes of the image's memory; what is read counts as read by the present step.
  func read(linear: UInt64, size: Int) -> UInt64? {
    guard let first = physical(linear: linear) else { return nil }
    let inWord = Int(first & 7)
    if inWord + size <= 8 {
      let value = memory.word(at: first & ~7) >> UInt64(8 * inWord)
      return size == 8 ? value : value & ((1 << UInt64(8 * size)) - 1)
    }
    var value: UInt64 = 0
    for i in 0..<UInt64(size) {
      guard let at = physical(linear: linear + i) else { return nil }
      value |= UInt64(memory.byte(at: at)) << (8 * i)
    }
    return value
  }

  /// How many contexts hold the lock at an address.
  func holders(of lock: UInt64) -> Int {
    let t = Ghost.Layout.held
    return (0..<ghost.count(t)).count { ghost.field(t, $0, 0) == lock }
  }

  /// Whether a CPU's calls have all returned; true where the image boots.
  func hasReturned(_ index: Int) -> Bool {
    guard let harness else { return true }
    return machine.cpus[index].rip == harness.rest[index]
  }

  /// Whether all work is done: every CPU halted with IF=1 (with `calls`: because its calls have
  /// returned), or where the scenario says so.
  var isWorkDone: Bool {
    if isAtEnd { return true }
    for (index, cpu) in machine.cpus.enumerated() {
      if machine.isWaitingForStartUp(cpu: index) { continue }
      guard machine.isHalted(cpu: index), cpu.interruptsEnabled, hasReturned(index) else {
        return false
      }
    }
    return true
  }

  func judgeInvariants(at site: UInt64) {
    judge(conditions.invariants, site, details: [])
  }

  func judgeFinal() { judge(conditions.final, cpu.rip, details: [1]) }

  private func judge(_ conditions: [Condition], _ site: UInt64, details: [UInt64]) {
    for condition in conditions {
      do {
        if try condition.value(in: self) != 0 { continue }
      } catch {
        obstacle = "`\(condition.text)` has no value: "
          + ((error as? Condition.NoValue)?.reason ?? "\(error)")
        continue
      }
      report(
        Violation(
          AssertionFailed.name, sites: [site], endsPath: true, details: details,
          // Which CPU was the last to be done makes no other defect of it.
          identitySites: details.isEmpty ? .max : 0, tags: [condition.text]))
    }
  }
}

extension SearchWorker {
  /// Takes down what is observed in a state where all work is done, which was found, or found by a
  /// cheaper way, after a choice.
  func noteOutcome(_ state: Int, after choice: Int) {
    guard !world.conditions.observed.isEmpty, world.isWorkDone else { return }
    var values: [Int64] = []
    for condition in world.conditions.observed {
      do {
        values.append(try condition.value(in: world))
      } catch {
        let reason = (error as? Condition.NoValue)?.reason ?? "\(error)"
        obstacles["`\(condition.text)` has no value: \(reason)", default: 0] += 1
        return
      }
    }
    // The choice does not matter here: of states that cost the same, the one with the lowest key.
    let here = Explorer.Occurrence(
      cost: cost(after: choice), key: shared.table.key(state), state: state, choice: 0)
    if let known = outcomes[values], known <= here { return }
    // What is too much is said where they are put together.
    if outcomes[values] == nil && outcomes.count > World.outcomeLimit { return }
    outcomes[values] = here
  }
}

extension Explorer {
  /// Takes up what a thread has observed in a round.
  func takeUpOutcomes(of worker: SearchWorker) {
    for (values, place) in worker.outcomes {
      if let known = outcomes[values] {
        if place < known { outcomes[values] = place }
      } else if outcomes.count < World.outcomeLimit {
        outcomes[values] = place
      } else {
        obstacles["more than \(World.outcomeLimit) outcomes"] = 1
      }
    }
    worker.outcomes.removeAll()
  }
}

extension Explorer {
  /// The outcomes, each with a shortest schedule, replayed on a fresh machine.
  func observedOutcomes(_ graph: StateGraph) -> [ObservedOutcome]? {
    guard scenario.observe?.isEmpty == false else { return nil }
    let paths = ShortestPaths(graph: graph, from: root) { table.key($0) }
    var found: [ObservedOutcome] = []
    for (values, place) in outcomes.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      let state = place.state
      guard paths.cost[state] != ShortestPaths.unreachable,
        let schedule = walk(paths.choices(to: state))
      else {
        internalErrors.append(
          "The way to an outcome could not be walked again; this is a defect of the checker.")
        continue
      }
      guard let steps = replayed(schedule, values) else { continue }
      found.append(ObservedOutcome(values: values, schedule: schedule, steps: steps))
    }
    return found
  }

  /// Follows a schedule on a fresh machine, without reductions, to where all work is done with these
  /// values.
  private func replayed(_ schedule: Schedule, _ values: [Int64]) -> [String]? {
    do {
      let fresh = try makeWorld([])
      let replayer = Replayer(world: fresh)
      let names = Names(world: fresh)
      var steps: [String] = []
      following: while true {
        switch replayer.advance(schedule, limit: .max, until: { _ in false }) {
        case .executed, .delivered:
          let cursor = replayer.cursor
          guard cursor.step < schedule.steps.count else { continue }
          let step = schedule.steps[cursor.step]
          if step.instructions > 0 && cursor.executed == step.instructions {
            steps.append(
              "CPU \(step.cpu) runs \(step.instructions) instructions, up to "
                + names.site(fresh.cpu.rip))
          } else if cursor.executed == 0, let source = step.raise {
            steps.append("\(scenario.sources[source].name) arrives at CPU \(fresh.cpuIndex)")
          }
        case .ended: break following
        case .found, .diverged: break following
        }
      }
      if fresh.isWorkDone,
        try fresh.conditions.observed.map({ try $0.value(in: fresh) }) == values
      {
        return steps
      }
      internalErrors.append(
        "An outcome did not replay on a fresh machine; this is a defect of the checker.")
    } catch {
      internalErrors.append("A fresh machine could not be made for a replay: \(error)")
    }
    return nil
  }
}
