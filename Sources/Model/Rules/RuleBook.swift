/// The rules that observe events. (Deadlock, lost wakeup and their like are decided on the graph:
/// see `Progress`.)
final class RuleBook {
  let rules: [any Rule] = [
    LockHeldWithInterruptsOn(), LockFlagsNotRestored(), LockFlagsMismatched(),
    LockReleaseOrder(), LockReleaseUnheld(), LockRecursiveAcquire(), LockHeldAtUserReturn(),
    LockHeldAtSwitch(), LockHeldAtSleep(), IRQUnsafeLock(), StackOverflow(), StackReuse(),
    StackUnbalanced(), ContextCorrupted(), RedZoneClobbered(), KernelOnUserStack(),
    InterruptsOnTooEarly(), KernelWithUserSegments(), KernelWithUserGS(),
    MissingEOI(), EOIAfterSwitch(), SpuriousEOI(), UnexpectedException(), TripleFault(),
    AssertionFailed(), LockWrongOwner(), LockOrderInversion(), TaskOnTwoCPUs(), DataRace(),
  ]
  /// Rules by the kind of happening that they observe.
  let observers: [[any Rule]]

  init() {
    var table = Array(repeating: [any Rule](), count: Happening.Kind.allCases.count)
    for rule in rules {
      for kind in rule.interests { table[Int(kind.rawValue)].append(rule) }
    }
    observers = table
  }

  static var names: Set<String> { Set(RuleBook().rules.map { type(of: $0).name }) }

  func rule(named name: String) -> (any Rule)? {
    rules.first { type(of: $0).name == name }
  }
}
