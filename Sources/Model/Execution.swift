import Emulator

/// A stored execution under way: goes on by one instruction or one delivery of an interrupt, and back
/// to any moment that was marked. For debuggers.
///
/// A *moment* is a boundary: moment 0 is where exploration began, and each *motion* (an instruction, or
/// the entry into a handler) leads to the next one. The machine may be looked at, never changed.
public final class Execution {
  /// What led from one moment to the next.
  public enum Motion: Equatable, Sendable {
    case instruction(cpu: Int)
    /// An interrupt, or an exception in place of an instruction, entered its handler.
    case delivery(cpu: Int)
    /// There is no further moment.
    case end(Ending)
  }

  /// How the execution ends.
  public enum Ending: Equatable, Sendable {
    /// The rule breaks here.
    case broken
    /// The schedule is at its end. (Rules about progress break by what can never follow.)
    case scheduleEnds
    /// The image does not do what the schedule says.
    case diverged(String)
  }

  /// A moment that can be gone back to while no earlier one was.
  public struct Mark {
    public let moment: Int
    fileprivate var cursor: ScheduleCursor
    fileprivate var snapshot: Snapshot
    fileprivate var lowestSP: UInt64
    fileprivate var violations: Int
    fileprivate var cpu: Int
  }

  public let counterexample: Counterexample
  public let image: PreparedImage
  public var machine: Machine { world.machine }
  /// Number of the present moment.
  public private(set) var moment = 0
  /// Instructions executed since the start, as the steps of a counterexample's events count.
  public var steps: Int { replayer.steps }
  /// How the execution ends, once it has come there.
  public private(set) var ending: Ending?
  /// The CPU that moved last.
  public var movingCPU: Int { world.cpuIndex }

  /// Whether `accesses` are noted down.
  public var logsAccesses: Bool {
    get { world.machine.observation.logAccesses }
    set {
      world.machine.observation.logAccesses = newValue
      world.machine.observation.accesses.removeAll()
    }
  }
  /// Data accesses of the latest motion.
  public var accesses: [Access] { world.machine.observation.accesses }

  let world: World
  let replayer: Replayer
  var schedule: Schedule
  private let isWanted: (Violation) -> Bool

  public convenience init(
    _ counterexample: Counterexample, scenario: Scenario, image: PreparedImage
  ) throws {
    try self.init(
      counterexample, schedule: counterexample.schedule, scenario: scenario, image: image,
      assumesHandlerLocks: true)
  }

  /// - Parameter assumesHandlerLocks: of this very image a search has found that handlers take the
  ///   counterexample's locks; without it, they must be seen to.
  init(
    _ counterexample: Counterexample, schedule: Schedule, scenario: Scenario, image: PreparedImage,
    assumesHandlerLocks: Bool
  ) throws {
    self.counterexample = counterexample
    self.schedule = schedule
    self.image = image
    world = try World(scenario: scenario, image: image, reductions: [])
    replayer = Replayer(world: world)
    if assumesHandlerLocks { replayer.assumeHandlerLocks(of: counterexample) }
    let isSame = replayer.sameDefect(as: counterexample)
    isWanted = { [replayer] in isSame($0) && replayer.confirmed($0) }
  }

  /// Goes on to the next moment.
  public func advance() -> Motion {
    if let ending { return .end(ending) }
    if world.machine.observation.logAccesses {
      world.machine.observation.accesses.removeAll(keepingCapacity: true)
    }
    let steps = replayer.steps
    let rip = world.cpu.rip
    switch replayer.advance(schedule, limit: 1, until: isWanted) {
    case .executed:
      moment += 1
      return .instruction(cpu: world.cpuIndex)
    case .delivered:
      moment += 1
      return .delivery(cpu: world.cpuIndex)
    case .found:
      ending = .broken
      // It broke by a motion, or at the boundary before one.
      if replayer.steps > steps {
        moment += 1
        return .instruction(cpu: world.cpuIndex)
      }
      if world.cpu.rip != rip {
        moment += 1
        return .delivery(cpu: world.cpuIndex)
      }
    case .ended: ending = .scheduleEnds
    case .diverged(let outcome):
      var reason = "the execution left the schedule"
      if case .diverged(_, let why) = outcome { reason = why }
      ending = .diverged(reason)
    }
    return .end(ending!)
  }

  public func mark() -> Mark {
    var snapshot = Snapshot(world.machine)
    snapshot.take(world.machine)
    return Mark(
      moment: moment, cursor: replayer.cursor, snapshot: snapshot,
      lowestSP: world.machine.observation.lowestSP, violations: world.violations.count,
      cpu: world.cpuIndex)
  }

  /// Goes back to a marked moment. Marks of later moments are void until the execution has come to
  /// them again.
  public func goBack(to mark: Mark) {
    mark.snapshot.putBack(world.machine)
    world.machine.observation.lowestSP = mark.lowestSP
    world.violations.removeLast(max(0, world.violations.count - mark.violations))
    world.cpuIndex = mark.cpu
    replayer.cursor = mark.cursor
    moment = mark.moment
    ending = nil
  }

  // MARK: A schedule that is being made

  /// Raises a source at the present moment; the schedule goes on from there without end.
  func raise(_ source: Int?) {
    if !schedule.steps.isEmpty {
      schedule.steps.removeLast(schedule.steps.count - 1 - replayer.cursor.step)
      schedule.steps[replayer.cursor.step].instructions = replayer.cursor.executed
      replayer.cursor.step += 1
    }
    replayer.cursor.isRaised = false
    replayer.cursor.executed = 0
    schedule.steps.append(Schedule.Step(cpu: world.cpuIndex, raise: source, instructions: .max))
  }

  /// The schedule that led to the present moment.
  var scheduleSoFar: Schedule {
    var done = Schedule(steps: Array(schedule.steps.prefix(replayer.cursor.step + 1)))
    if let last = done.steps.indices.last {
      done.steps[last].instructions = replayer.cursor.executed
    }
    return done
  }

  // MARK: What there is to see

  /// What a CPU is doing: `int 0x80 on task0_kernel_stack`.
  public func context(ofCPU cpu: Int) -> String {
    at(cpu) { world.contextName(strand: world.strand, depth: world.depth) }
  }

  /// Locks held at this moment, outermost first, each with where it was acquired.
  public var locksHeld: [String] {
    let t = Ghost.Layout.held
    let names = Names(world: world)
    return (0..<world.ghost.count(t)).map { row in
      let lock = HeldLock(ghost: world.ghost, row: row)
      return "\(world.lockName(lock.address)) is held by "
        + "\(world.contextName(strand: lock.strand, depth: lock.depth)) since \(names.site(lock.site))"
    }
  }

  private func at<Value>(_ cpu: Int, _ body: () -> Value) -> Value {
    let moving = world.cpuIndex
    world.cpuIndex = cpu
    defer { world.cpuIndex = moving }
    return body()
  }
}
