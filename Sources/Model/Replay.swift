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

/// Follows a schedule instruction by instruction, without any reduction.
final class Replayer {
  let world: World
  /// Instructions executed since the start.
  var steps: Int { Int(world.machine.instructions &- world.instructionsAtStart) }
  /// Called after each instruction while tracing, before anything is made of what it did.
  var afterInstruction: (() -> Void)?

  init(world: World) { self.world = world }

  func replay(_ c: Counterexample) -> ReplayOutcome {
    // The rules that depend on which locks handlers take were decided by a whole search.
    for name in c.identity.lockClasses {
      if let symbol = world.image.symbols.symbol(named: name) {
        world.handlerLocks[symbol.address] = symbol.address
      }
    }
    // The same defect: the same rule, broken by the same functions with the same locks.
    func isSame(_ v: Violation) -> Bool {
      v.rule == c.rule && world.identity(of: v) == c.identity
    }
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

  private func confirmed(_ v: Violation) -> Bool {
    v.onlyIfHandlerTakes.map { world.handlerLocks[$0] != nil } ?? true
  }

  /// - Returns: how the execution left the schedule, or nil when it came to its end or to a violation
  ///   that `wanted` accepts.
  func follow(_ schedule: Schedule, until wanted: (Violation) -> Bool) -> ReplayOutcome? {
    world.violations.removeAll()
    for (index, step) in schedule.steps.enumerated() {
      let last = index == schedule.steps.count - 1
      if let source = step.raise {
        guard world.scenario.sources.indices.contains(source) else {
          return .diverged(step: steps, reason: "the scenario has no source number \(source)")
        }
        while world.machine.isAboutToDeliver(world.cpuIndex),
          world.machine.pollInterrupts(world.cpuIndex)
        {
          _ = world.takeDelivery()
          if found(wanted) { return nil }
        }
        world.inject(source)
        if world.machine.pollInterrupts(world.cpuIndex) {
          _ = world.takeDelivery()
          if found(wanted) { return nil }
        }
      }
      if let divergence = execute(step.instructions, wanted) { return divergence }
      if found(wanted) { return nil }
      if last { finish() }
    }
    return nil
  }

  private func found(_ wanted: (Violation) -> Bool) -> Bool {
    world.violations.contains(where: wanted)
  }

  private func execute(_ count: Int, _ wanted: (Violation) -> Bool) -> ReplayOutcome? {
    var left = count
    var pass = false
    while left > 0 {
      world.configureForReplay()
      let before = world.machine.instructions
      if !pass && world.mayHaveHook(world.cpu.rip)
        && !world.machine.isAboutToDeliver(world.cpuIndex)
      {
        _ = world.passHooks()
        if found(wanted) { return nil }
        pass = true
      }
      let limit = afterInstruction == nil ? left : 1
      let stop = world.machine.run(cpu: world.cpuIndex, limit: limit, passFirst: pass)
      afterInstruction?()
      pass = false
      _ = world.takeNotes()
      if found(wanted) { return nil }
      left -= Int(world.machine.instructions &- before)
      switch stop {
      case .visible:
        _ = world.passHooks()
        if found(wanted) { return nil }
        pass = true
      case .event:
        _ = world.handleEvent()
        if found(wanted) { return nil }
      case .limit: break
      case .halted:
        world.happen(Happening(.halted, rip: world.cpu.rip))
        if left > 0 {
          return .diverged(
            step: steps,
            reason: "the CPU is halted at \(world.image.symbols.describe(world.cpu.rip)), "
              + "\(left) instructions before the schedule goes on")
        }
      case .shutdown:
        world.happen(Happening(.shutdown, rip: world.cpu.rip))
        if left > 0 && !found(wanted) {
          return .diverged(step: steps, reason: "triple fault")
        }
        return nil
      case .unmodelled:
        return .diverged(
          step: steps, reason: "not modelled: \(world.machine.unmodelled ?? "?")")
      case .exit:
        return .diverged(step: steps, reason: "the kernel ended the run")
      }
    }
    return nil
  }

  /// What happens at the last boundary without another instruction: a pending request is taken, the
  /// next instruction's hooks are passed, the depth of the stack is judged.
  private func finish() {
    if world.cpu[CPU.Word.activity] == CPU.Activity.halted {
      world.happen(Happening(.halted, rip: world.cpu.rip))
    }
    if world.machine.pollInterrupts(world.cpuIndex) { _ = world.takeDelivery() }
    _ = world.passHooks()
    world.configureForReplay()
    if world.cpu[CPU.Word.activity] == CPU.Activity.shutdown {
      world.happen(Happening(.shutdown, rip: world.cpu.rip))
    }
    world.endStretch(at: world.cpu.rsp)
  }
}

extension World {
  func configureForReplay() {
    watchOwner()
    machine.observation.stopAtShared = false
    machine.observation.stopBefore = InstructionClass.hook
  }
}
