import Emulator

extension Explorer {
  /// Takes the choices again from the start, until `wanted` is found broken.
  /// - Returns: the schedule in instructions, or nil when the way could not be followed.
  func walk(_ choices: [Int], until wanted: Violation? = nil) -> Schedule? {
    restoreBase()
    var schedule = prefix
    var before = world.machine.instructions
    world.stopAt = wanted
    defer { world.stopAt = nil }
    func append(raise: Int?) {
      let n = Int(world.machine.instructions - before)
      before = world.machine.instructions
      if raise != nil && world.cpuCount > 1 {
        // A raise stands alone: the step behind it says which CPU takes it.
        schedule.steps.append(.init(cpu: world.cpuIndex, raise: raise, instructions: 0))
        if world.isLatched { return }
        schedule.append(cpu: world.cpuIndex, raise: nil, instructions: n, joins: false)
      } else {
        schedule.append(
          cpu: world.cpuIndex, raise: raise, instructions: n, joins: world.cpuCount == 1)
      }
    }
    func isWanted() -> Bool {
      guard let wanted else { return false }
      return world.violations.contains { $0.rule == wanted.rule && $0.sites == wanted.sites }
    }
    var outcome = world.begin()
    append(raise: nil)
    if isWanted() { return schedule }
    for choice in choices {
      switch outcome {
      case .choices(let mask) where mask & (1 << UInt32(choice)) != 0: break
      default: return nil
      }
      if choice == Choice.nextValue {
        world.turn(to: Int(world.ghost[mark: Ghost.Mark.choosing]) - 1)
        schedule.steps.append(
          .init(
            cpu: world.cpuIndex, raise: nil, value: world.chosenValue + 1, instructions: 0))
      }
      outcome = world.advance(choice)
      append(raise: Choice.source(choice))
      if isWanted() { return schedule }
    }
    return wanted == nil ? schedule : nil
  }

  /// The counterexample for a rule that an event broke.
  func evidence(_ choices: [Int], violation: Violation) -> Counterexample? {
    guard let schedule = walk(choices, until: violation) else {
      internalErrors.append(
        "The way to a broken rule (\(violation.rule)) could not be walked again; this is a defect of the checker."
      )
      return nil
    }
    let title: String
    if let rule = world.book.rule(named: violation.rule) {
      title = rule.title(violation, names: Names(world: world))
    } else {
      title = violation.rule
    }
    let c = Counterexample(
      rule: violation.rule, title: title, identity: world.identity(of: violation),
      schedule: schedule,
      injected: schedule.steps.compactMap { $0.raise.map { scenario.sources[$0].name } })
    return prove(c)
  }

  /// The counterexample for a state from which the work cannot be finished.
  func evidence(_ choices: [Int], failure: Progress.Failure) -> Counterexample? {
    guard var schedule = walk(choices) else {
      internalErrors.append(
        "The way to a state without progress could not be walked again; this is a defect of the checker."
      )
      return nil
    }
    if failure != .spinning && failure != .halted { followToRest(&schedule) }
    let c = Counterexample(
      rule: "", title: "",
      identity: Counterexample.Identity(rule: "", lockClasses: [], functions: []),
      schedule: schedule,
      injected: schedule.steps.compactMap { $0.raise.map { scenario.sources[$0].name } })
    return prove(c, failure: failure)
  }

  /// Goes on without interrupts, each CPU in turn, until all idle or do nothing new, so that the
  /// evidence shows the situation at rest.
  private func followToRest(_ schedule: inout Schedule) {
    var seen: Set<Fingerprint> = []
    rounds: for _ in 0..<2000 {
      var ran = false
      for cpu in world.machine.cpus.indices where world.machine.canRun(cpu: cpu) {
        let before = world.machine.instructions
        let outcome = world.advance(Choice.goOn(cpu))
        let n = Int(world.machine.instructions - before)
        guard case .choices = outcome else { break rounds }
        schedule.append(cpu: cpu, raise: nil, instructions: n, joins: world.cpuCount == 1)
        ran = true
      }
      if !ran || !seen.insert(world.key()).inserted { break }
    }
  }

  /// Replays on a fresh machine, without reductions, and fills in the evidence.
  private func prove(_ c: Counterexample, failure: Progress.Failure? = nil) -> Counterexample? {
    do {
      let fresh = try makeWorld([])
      fresh.handlerLocks = world.handlerLocks
      fresh.handlerStacks = world.handlerStacks
      fresh.lockOrder = world.lockOrder
      fresh.lockOrder.know()
      fresh.synchronisation = world.synchronisation
      let trace = Trace(world: fresh)
      var complete = trace.follow(c, failure: failure)
      complete.rule = complete.identity.rule
      // The proof proper: once more, on another machine, at full speed, as `replay` does.
      let again = try makeWorld([])
      let outcome = Replayer(world: again).replay(complete)
      guard case .same = outcome else {
        internalErrors.append(
          "A counterexample for \(complete.rule) did not replay on a fresh machine (\(outcome)): \(complete.title). "
            + "This is a defect of the checker.")
        return nil
      }
      return complete
    } catch {
      internalErrors.append("A fresh machine could not be made for a replay: \(error)")
      return nil
    }
  }
}

extension Schedule {
  /// Appends instructions of a CPU, to the last step if they can be its continuation.
  /// - Parameter joins: whether they can also follow what the last step raises.
  mutating func append(cpu: Int, raise: Int?, instructions: Int, joins: Bool) {
    if raise == nil, let last = steps.indices.last, steps[last].cpu == cpu,
      joins || steps[last].raise == nil
    {
      steps[last].instructions += instructions
    } else {
      steps.append(Step(cpu: cpu, raise: raise, instructions: instructions))
    }
  }
}
