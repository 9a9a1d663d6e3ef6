/// How a scenario is explored; what the command line can say.
public struct ExplorationOptions: Sendable {
  /// Reductions that are on.
  public var reductions = Set(Reduction.allCases)
  /// Seconds for this scenario, nil for no limit.
  public var timeLimit: Double?
  /// Bytes for the search's structures.
  public var memoryLimit = 8 << 30
  /// Overrides the scenario's own bound: nil keeps it, `.some(nil)` is unlimited.
  public var maxInterrupts: Int??
  /// A search goes on after the first broken rule until it has found four times as many states and
  /// this many more. Nil: to the last state.
  public var statesAfterViolation: Int? = 400_000
  /// Counterexamples kept for each rule.
  public var counterexamplesPerRule = 8
  /// Threads that explore.
  public var workers = 1
  /// States that one thread finds before others are started.
  package var statesFoundAlone = 4000
  /// A round is shared by as many threads as have this many states each.
  package var statesPerThread = 128
  /// Each thread expands this many between two looks at time, memory and signals.
  package var statesPerCheck = 128
  public init() {}
}

/// What keeps a search small; each can be switched off alone.
public enum Reduction: String, CaseIterable, Sendable, Codable {
  /// Instructions that no other context can see are fused with their neighbours.
  case fuse
  /// An interrupt is raised only where it can be taken at once or its request can be seen.
  case late
  /// Stack below the stack pointer is not part of a state.
  case stack
  /// A step that reads what an earlier one read is not executed again.
  case reuse
  /// Of CPUs whose next steps nobody else can interfere with, only some are taken in a state.
  case persistent
}
