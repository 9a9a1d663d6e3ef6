import Emulator

/// What became of a replay.
public enum ReplayOutcome: Sendable, Equatable {
  /// The same rule was broken, after so many instructions.
  case same(step: Int)
  case differentRule(String, step: Int)
  /// The execution left the schedule's path.
  case diverged(step: Int, reason: String)
  /// The schedule ran to its end and no rule was broken.
  case noViolation(steps: Int)
}

/// Runs a counterexample's schedule on a fresh machine.
public func replay(
  _ counterexample: Counterexample, scenario: Scenario, image: PreparedImage
) throws -> ReplayOutcome {
  let world = try World(scenario: scenario, image: image, reductions: [])
  return Replayer(world: world).replay(counterexample)
}

/// How far a schedule has been followed: the boundary between two instructions where it stands.
struct ScheduleCursor: Equatable {
  /// Index of the schedule's step that is under way; the number of steps when all are done.
  var step = 0
  /// What the step raises has been raised.
  var isRaised = false
  /// Instructions of the step that were executed.
  var executed = 0
  /// The next instruction's hooks have been passed.
  var pass = false
  /// At the end, requests that can be taken have been taken.
  var isAtRest = false
  /// Instructions executed since the start.
  var steps = 0
}

/// What following a schedule a little further led to.
enum ScheduleAdvance: Equatable {
  /// So many instructions were executed, at least one.
  case executed(Int)
  /// An interrupt, or an exception in place of an instruction, entered its handler.
  case delivered
  /// A violation that was asked for.
  case found
  /// The schedule is at its end.
  case ended
  case diverged(ReplayOutcome)
}

/// Follows a schedule instruction by instruction, without any reduction.
final class Replayer {
  let world: World
  var cursor = ScheduleCursor()
  /// Instructions executed since the start.
  var steps: Int { cursor.steps }
  /// Called after each instruction while tracing, before anything is made of what it did.
  var afterInstruction: (() -> Void)?

  init(world: World) { self.world = world }

  func replay(_ c: Counterexample) -> ReplayOutcome {
    assumeHandlerLocks(of: c)
    let isSame = sameDefect(as: c)
    if let divergence = follow(c.schedule, until: isSame) { return divergence }
    if world.violations.contains(where: isSame) { return .same(step: steps) }
    if Progress.rules.contains(c.rule) {
      let steps = self.steps
      return Progress.isStuck(world) ? .same(step: steps) : .noViolation(steps: steps)
    }
    if let other = world.violations.first(where: { confirmed($0) }) {
      return .differentRule(other.rule, step: steps)
    }
    return .noViolation(steps: steps)
  }

  /// The rules that depend on which locks handlers take were decided by a whole search.
  func assumeHandlerLocks(of c: Counterexample) {
    for name in c.identity.lockClasses {
      if let symbol = world.image.symbols.symbol(named: name) {
        for cpu in world.machine.cpus.indices {
          world.turn(to: cpu)
          let key = world.handlerKey(symbol.address)
          world.handlerLocks[key] = symbol.address
          world.handlerLocks[key ^ World.exclusiveMark] = symbol.address
        }
        world.turn(to: 0)
      }
    }
    // The other order of two locks was met elsewhere in that search.
    let locks = c.identity.lockClasses.compactMap { world.image.symbols.symbol(named: $0)?.address }
    if locks.count == 2 { world.lockOrder.know(locks[1], then: locks[0]) }
  }

  /// The same defect: the same rule, broken by the same functions with the same locks.
  func sameDefect(as c: Counterexample) -> (Violation) -> Bool {
    { [world] v in v.rule == c.rule && world.identity(of: v).isSameDefect(as: c.identity) }
  }

  /// Whether nothing but the violation itself is needed, or what is needed has been seen.
  func confirmed(_ v: Violation) -> Bool {
    v.unlessSynchronised == nil && world.isConfirmed(v)
  }

  /// - Returns: how the execution left the schedule, or nil when it came to its end or to a violation
  ///   that `wanted` accepts.
  func follow(_ schedule: Schedule, until wanted: (Violation) -> Bool) -> ReplayOutcome? {
    world.violations.removeAll()
    world.isAtEnd = false
    cursor = ScheduleCursor()
    if world.conditions.hasInvariants {
      world.judgeInvariants(at: world.cpu.rip)
      if found(wanted) { return nil }
    }
    let limit = afterInstruction == nil ? Int.max : 1
    while true {
      switch advance(schedule, limit: limit, until: wanted) {
      case .executed, .delivered: continue
      case .found, .ended: return nil
      case .diverged(let outcome): return outcome
      }
    }
  }

  /// Goes on by up to `limit` instructions, or by one delivery.
  func advance(
    _ schedule: Schedule, limit: Int, until wanted: (Violation) -> Bool
  ) -> ScheduleAdvance {
    while cursor.step < schedule.steps.count {
      let step = schedule.steps[cursor.step]
      if !cursor.isRaised {
        guard world.machine.cpus.indices.contains(step.cpu) else {
          return .diverged(
            .diverged(step: steps, reason: "the scenario has no CPU \(step.cpu)"))
        }
        world.turn(to: step.cpu)
        if let value = step.value { world.chosenValue = value }
        if let source = step.raise {
          guard world.scenario.sources.indices.contains(source) else {
            return .diverged(
              .diverged(step: steps, reason: "the scenario has no source number \(source)"))
          }
          if world.cpuCount > 1 {
            // Which CPU takes it, and when, the steps that follow say.
            world.inject(source)
            cursor.isRaised = true
            continue
          }
          // What was pending before comes first.
          if world.machine.isAboutToDeliver(world.cpuIndex), deliver() {
            return found(wanted) ? .found : .delivered
          }
          world.inject(source)
        }
        cursor.isRaised = true
        if step.raise != nil, deliver() { return found(wanted) ? .found : .delivered }
      }
      if cursor.executed < step.instructions {
        return execute(min(limit, step.instructions - cursor.executed), of: step, wanted)
      }
      if found(wanted) { return .found }
      // A step of one of several CPUs ends where nothing more can be delivered to it.
      if world.cpuCount > 1, step.raise == nil, world.machine.isAboutToDeliver(world.cpuIndex),
        deliver()
      {
        return found(wanted) ? .found : .delivered
      }
      // The last step is done only with what happens at its last boundary.
      if cursor.step == schedule.steps.count - 1 { break }
      cursor.step += 1
      cursor.isRaised = false
      cursor.executed = 0
    }
    if cursor.step < schedule.steps.count {
      if !cursor.isAtRest {
        cursor.isAtRest = true
        if world.cpu[CPU.Word.activity] == CPU.Activity.halted {
          world.happen(Happening(.halted, rip: world.cpu.rip))
        }
        if deliver() { return .delivered }
      }
      finish()
      cursor.step += 1
    }
    return found(wanted) ? .found : .ended
  }

  private func deliver() -> Bool {
    guard world.machine.pollInterrupts(world.cpuIndex) else { return false }
    cursor.pass = false
    _ = world.takeDelivery()
    return true
  }

  private func found(_ wanted: (Violation) -> Bool) -> Bool {
    !world.violations.isEmpty && world.violations.contains(where: wanted)
  }

  private func execute(
    _ limit: Int, of step: Schedule.Step, _ wanted: (Violation) -> Bool
  ) -> ScheduleAdvance {
    while true {
      world.configureForReplay()
      let before = world.machine.instructions
      if !cursor.pass && world.mayHaveHook(world.cpu.rip)
        && !world.machine.isAboutToDeliver(world.cpuIndex)
      {
        _ = world.passHooks()
        cursor.pass = true
        if found(wanted) { return .found }
      }
      let from = world.cpu.rip
      let isAlone = cursor.pass && world.conditions.hasInvariants
      let stop = world.machine.run(
        cpu: world.cpuIndex, limit: isAlone ? min(limit, 1) : limit, passFirst: cursor.pass)
      afterInstruction?()
      cursor.pass = false
      if world.conditions.hasInvariants {
        world.judgeInvariants(at: stop == .event ? world.machine.event.rip : from)
      }
      let count = Int(world.machine.instructions &- before)
      world.noteShortHalt(stop, from: from, count: UInt64(count))
      cursor.executed += count
      cursor.steps += count
      _ = world.takeNotes()
      if found(wanted) { return .found }
      switch stop {
      case .visible:
        _ = world.passHooks()
        cursor.pass = true
        if found(wanted) { return .found }
        if count > 0 { return .executed(count) }
      case .event:
        _ = world.handleEvent()
        if found(wanted) { return .found }
        return count > 0 ? .executed(count) : .delivered
      case .limit: return .executed(count)
      case .halted:
        world.happen(Happening(.halted, rip: world.cpu.rip))
        if cursor.executed < step.instructions {
          return .diverged(
            .diverged(
              step: steps,
              reason: "the CPU is halted at \(world.image.symbols.describe(world.cpu.rip)), "
                + "\(step.instructions - cursor.executed) instructions before the schedule goes on")
          )
        }
        return .executed(count)
      case .shutdown:
        world.happen(Happening(.shutdown, rip: world.cpu.rip))
        if found(wanted) { return .found }
        if cursor.executed < step.instructions {
          return .diverged(.diverged(step: steps, reason: "triple fault"))
        }
        return .executed(count)
      case .unmodelled:
        return .diverged(
          .diverged(step: steps, reason: "not modelled: \(world.machine.unmodelled ?? "?")"))
      case .exit:
        return .diverged(.diverged(step: steps, reason: "the kernel ended the run"))
      }
    }
  }

  /// What happens at the last boundary without another instruction: the next instruction's hooks are
  /// passed, the depth of the stack is judged.
  private func finish() {
    _ = world.passHooks()
    world.configureForReplay()
    if world.cpu[CPU.Word.activity] == CPU.Activity.shutdown {
      world.happen(Happening(.shutdown, rip: world.cpu.rip))
    }
    if world.conditions.hasFinal && world.isWorkDone { world.judgeFinal() }
    world.endStretch(at: world.cpu.rsp)
    if world.cpuCount > 1 { DataRace.judgeAll(in: world) }
  }
}

extension World {
  func configureForReplay() {
    watchOwner()
    machine.observation.stopAtShared = false
    machine.observation.stopBefore = InstructionClass.hook | InstructionClass.halt
  }
}
