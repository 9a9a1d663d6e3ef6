/// What became of a scenario.
public enum Verdict: String, Codable, Sendable {
  /// Every reachable state was examined and no rule was broken.
  case clean
  case violated
  /// A bound, the time or the memory ran out, or something was not modelled.
  case inconclusive
  case error
}

/// The outcome of one scenario, as reports show it.
public struct ScenarioResult: Sendable {
  public var scenario: Scenario
  public var arch: String
  public var verdict: Verdict
  public var counterexamples: [Counterexample] = []
  /// How many steps of the search lead to each counterexample, by the fingerprint of its identity; each
  /// step ends before a visible instruction.
  public var visibleSteps: [String: Int] = [:]
  public var states = 0
  public var transitions = 0
  public var instructions: UInt64 = 0
  public var seconds = 0.0
  /// Memory of the search's own structures at its largest.
  public var peakMemoryBytes = 0
  /// Why not clean, what was assumed, what was not checked: complete sentences.
  public var notes: [String] = []
  /// Environment: sources and bounds in words.
  public var sources: [String] = []
  public var bounds: [String] = []

  /// What was observed where all work was done, by the scenario's `observe`; nil: it has none.
  public var outcomes: [ObservedOutcome]?

  /// Why a counterexample that was not found could be there all the same: complete sentences. Empty:
  /// every reachable state was examined to its end. Nil: nothing was explored.
  public var openEnds: [String]?

  public init(scenario: Scenario, arch: String, verdict: Verdict) {
    self.scenario = scenario
    self.arch = arch
    self.verdict = verdict
  }

  /// Names of the rules broken, sorted, each once.
  public var rules: [String] { Array(Set(counterexamples.map(\.rule))).sorted() }

  /// Whether the outcome is the one that the scenario expects.
  public var met: Bool {
    switch scenario.expect {
    case .clean: return verdict == .clean
    case .violated(let expected): return verdict == .violated && rules == Set(expected).sorted()
    }
  }
}

extension ScenarioResult {
  /// How an open end begins that comes of a broken rule alone, not of a search that was cut short.
  public static let beyondABrokenRule = "Executions were not followed beyond a broken rule"

  /// Why the search was cut short; nil: it was not.
  public var cutShort: String? {
    guard let openEnds else { return "Nothing was explored." }
    return openEnds.first { !$0.hasPrefix(Self.beyondABrokenRule) }
  }

  /// How the open ends begin of a search that could have gone on.
  private static let limits = [
    "The search was interrupted", "The time limit", "The memory limit", "A step of context",
  ]

  /// Why the search did not get as far as it would have by itself; nil: it did. (One that has found a
  /// broken rule stops by itself some time later.)
  public var ranOut: String? {
    openEnds?.first { reason in Self.limits.contains { reason.hasPrefix($0) } }
  }

  /// Why the absence of a defect from this result does not prove that the image is without it; nil:
  /// it does, within the scenario's environment.
  public func doubt(about identity: Counterexample.Identity) -> String? {
    guard let openEnds else { return "Nothing was explored." }
    if let first = openEnds.first { return first }
    // Of the states that hang with the same functions in flight one is examined: it can stand before
    // another whose lock is held by somebody else, by a way that LockLab does not see.
    let isAboutProgress = Progress.rules.contains(identity.rule)
    let hiding = counterexamples.first {
      isAboutProgress && !Set($0.identity.functions).isDisjoint(with: identity.functions)
        && Progress.rules.contains($0.rule)
    }
    return hiding.map {
      "It may be hidden by another counterexample (\($0.rule), \($0.identity.fingerprint.prefix(8))) "
        + "which hangs in one of the same functions."
    }
  }
}

/// How far a search has come.
public struct SearchProgress: Sendable {
  public var states = 0
  public var transitions = 0
  public var frontier = 0
  public var instructions: UInt64 = 0
  public var seconds = 0.0
  /// Injected events of the states now being expanded.
  public var injected = 0
  /// Passes made so far to learn what contexts share.
  public var pass = 1
  /// States expanded in this pass.
  public var expanded = 0
  /// How much of this pass is done, from 0 to 1, and how many seconds it will still take: intervals, nil while
  /// nothing can be said. See `EffortEstimate`.
  public var share: ClosedRange<Double>?
  public var secondsLeft: ClosedRange<Double>?
  public var counterexamples = 0
  /// Bytes of the states that are stored, with the steps between them.
  public var storedBytes = 0
  public init() {}
}
