import Emulator

/// Whether a counterexample is still one on another build of its image.
public struct Reexamination: Sendable {
  public enum Verdict: String, Sendable {
    /// The same defect: the same rule, broken by the same functions with the same locks.
    case present
    /// The scenario was explored to the last state, within its own bounds, without it.
    case gone
    case notReachable = "not-reachable-in-these-bounds"
  }

  /// What decided.
  public enum Method: String, Sendable {
    /// The stored schedule, instruction by instruction.
    case schedule
    /// The stored events, by function and kind.
    case events
    /// A search from where the events could not be followed any more.
    case around
    /// A search from the start with as many interrupts as the stored schedule raises.
    case sameInterrupts = "same-interrupts"
    /// A search of the whole scenario.
    case scenario
  }

  public var verdict: Verdict
  public var method: Method
  /// The defect as the new build shows it.
  public var counterexample: Counterexample?
  /// Events of the stored execution that the new build came by too, and all of them.
  public var followed = 0
  public var events = 0
  /// Where the two part, in words.
  public var divergence: String?
  /// States explored in all.
  public var states = 0
  /// Why, in one sentence.
  public var reason: String

  public struct Limits: Sendable {
    /// Seconds for all searches together.
    public var time: Double
    /// Bytes for a search's own structures.
    public var memory: Int
    public init(time: Double, memory: Int) {
      self.time = time
      self.memory = memory
    }
  }
}

/// Looks for a counterexample on another build: follows it by its schedule and by its events as far as
/// that goes, then searches around it, then everywhere.
public func reexamine(
  _ counterexample: Counterexample, scenario: Scenario, image: PreparedImage,
  limits: Reexamination.Limits, progress: @escaping (SearchProgress) -> Void = { _ in },
  interrupted: @escaping () -> Bool = { false }
) throws -> Reexamination {
  let examiner = Reexaminer(
    counterexample, scenario: scenario, image: image, limits: limits, progress: progress,
    interrupted: interrupted)
  return try examiner.examine()
}

private final class Reexaminer {
  let wanted: Counterexample
  let scenario: Scenario
  let image: PreparedImage
  let limits: Reexamination.Limits
  let progress: (SearchProgress) -> Void
  let interrupted: () -> Bool
  private let begun = ContinuousClock.now
  private var states = 0

  init(
    _ wanted: Counterexample, scenario: Scenario, image: PreparedImage,
    limits: Reexamination.Limits, progress: @escaping (SearchProgress) -> Void,
    interrupted: @escaping () -> Bool
  ) {
    self.wanted = wanted
    self.scenario = scenario
    self.image = image
    self.limits = limits
    self.progress = progress
    self.interrupted = interrupted
  }

  private var isAboutProgress: Bool { Progress.rules.contains(wanted.rule) }

  func examine() throws -> Reexamination {
    if let same = try followSchedule() {
      return Reexamination(
        verdict: .present, method: .schedule, counterexample: same, followed: wanted.events.count,
        events: wanted.events.count, reason: "the stored schedule breaks the rule here too")
    }
    let retracing = try Retracing(wanted, scenario: scenario, image: image)
    let isBroken = retracing.follow()
    func conclude(
      _ verdict: Reexamination.Verdict, _ method: Reexamination.Method, _ c: Counterexample?,
      _ reason: String
    ) -> Reexamination {
      Reexamination(
        verdict: verdict, method: method, counterexample: c, followed: retracing.matched,
        events: retracing.expected, divergence: retracing.divergence, states: states, reason: reason
      )
    }
    if isBroken, let c = try evidence(retracing.execution.scheduleSoFar) {
      return conclude(.present, .events, c, "the same events lead to it")
    }
    if let c = try search(around: retracing) {
      return conclude(
        .present, .around, c, "a search from where its events could be followed to finds it")
    }
    if retracing.injections > 0, let c = try searchWithSameInterrupts(retracing.injections) {
      return conclude(
        .present, .sameInterrupts, c,
        "a search with as many interrupts as its schedule raises finds it")
    }
    let (found, gap) = try searchScenario()
    if let found {
      return conclude(.present, .scenario, found, "a search of the scenario finds it")
    }
    if let gap { return conclude(.notReachable, .scenario, nil, gap) }
    return conclude(
      .gone, .scenario, nil,
      "all states of the scenario, within its own bounds, were explored without it")
  }

  // MARK: Following

  /// Where even the instructions are the same. Whether a state is stuck, and over what, takes a search.
  private func followSchedule() throws -> Counterexample? {
    if isAboutProgress { return nil }
    let execution = try Execution(
      wanted, schedule: wanted.schedule, scenario: scenario, image: image,
      assumesHandlerLocks: false)
    while execution.ending == nil { _ = execution.advance() }
    return execution.ending == .broken ? try evidence(execution.scheduleSoFar) : nil
  }

  /// The counterexample with its events, from a schedule that breaks the rule.
  private func evidence(_ schedule: Schedule) throws -> Counterexample? {
    let world = try World(scenario: scenario, image: image, reductions: [])
    var c = wanted
    c.schedule = schedule
    c.holders = []
    c.waiters = []
    let replayer = Replayer(world: world)
    replayer.assumeHandlerLocks(of: wanted)
    let isSame = replayer.sameDefect(as: wanted)
    let trace = Trace(replayer)
    var complete = trace.follow(c, failure: nil)
    guard let violation = world.violations.first(where: isSame) else { return nil }
    if let rule = world.book.rule(named: violation.rule) {
      complete.title = rule.title(violation, names: Names(world: world))
      if !complete.events.isEmpty {
        complete.events[complete.events.count - 1].text = complete.title
      }
    }
    complete.identity = world.identity(of: violation)
    return try verified(complete)
  }

  /// The proof: once more on a machine of its own.
  private func verified(_ c: Counterexample) throws -> Counterexample? {
    let world = try World(scenario: scenario, image: image, reductions: [])
    if case .same = Replayer(world: world).replay(c) { return c }
    return nil
  }

  // MARK: Searching

  private var secondsLeft: Double {
    let used = ContinuousClock.now - begun
    return limits.time - Double(used.components.seconds)
      - Double(used.components.attoseconds) * 1e-18
  }

  private func search(around retracing: Retracing) throws -> Counterexample? {
    let execution = retracing.execution
    execution.goBack(to: retracing.anchor)
    let world = execution.world
    // From here the rest of the interrupts, and no more than the scenario has left.
    let left = Ghost.Layout.interruptsLeft
    let rest = UInt64(retracing.injections - retracing.raised) + 1
    if world.ghost[left] == 0 || rest < world.ghost[left] { world.ghost[left] = rest }
    world.memory.setBase()
    world.machine.observation.lowestSP = world.cpu.rsp
    world.reductions = Set(Reduction.allCases)
    let explorer = Explorer(world: world, options: options(share: 0.2)) { [scenario, image] in
      try World(scenario: scenario, image: image, reductions: $0)
    }
    explorer.prefix = retracing.anchorSchedule
    return try run(explorer).found
  }

  private func searchWithSameInterrupts(_ count: Int) throws -> Counterexample? {
    if let bound = scenario.maxInterrupts, bound <= count { return nil }
    var options = options(share: 0.4)
    options.maxInterrupts = .some(count)
    return try run(Explorer(scenario: scenario, image: image, options: options)).found
  }

  /// - Returns: the defect; or else why it cannot be called gone, or nothing at all.
  private func searchScenario() throws -> (found: Counterexample?, gap: String?) {
    let explorer = try Explorer(scenario: scenario, image: image, options: options(share: 1))
    let (found, result) = try run(explorer)
    return found.map { ($0, nil) } ?? (nil, result.doubt(about: wanted.identity))
  }

  private func options(share: Double) -> ExplorationOptions {
    var options = ExplorationOptions()
    options.timeLimit = max(0, secondsLeft * share)
    options.memoryLimit = limits.memory
    // What else is broken does not matter here.
    options.statesAfterViolation = .max / 2
    return options
  }

  private func run(
    _ explorer: Explorer
  ) throws -> (found: Counterexample?, result: ScenarioResult) {
    let isWanted = { [wanted, world = explorer.world] (v: Violation) in
      v.rule == wanted.rule && world.identity(of: v).isSameDefect(as: wanted.identity)
        && (v.onlyIfHandlerTakes.map { world.handlerSite(of: $0) != nil } ?? true)
    }
    explorer.isWanted = isWanted
    let result = explorer.run(
      progress: progress,
      interrupted: { [interrupted] in
        // A pass that learned something cannot be walked again as it was.
        interrupted() || (!explorer.learned && explorer.occurrences.keys.contains(where: isWanted))
      })
    states += result.states
    for c in result.counterexamples where c.identity.isSameDefect(as: wanted.identity) {
      if let c = try verified(c) { return (c, result) }
    }
    return (nil, result)
  }
}
