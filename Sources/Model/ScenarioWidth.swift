extension Scenario {
  /// Whether all that may happen in `other` may happen here, and is judged in the same way: what is
  /// not found here is then not in `other` either.
  ///
  /// What a report says of a scenario does not matter; more sources, more arrivals and a wider bound
  /// only add executions. Anything else that differs may change what the rules see or call it.
  public func isAtLeastAsWide(as other: Scenario) -> Bool {
    guard allows(other.maxInterrupts, within: maxInterrupts) else { return false }
    // A source's number is part of nothing here: its name tells it.
    for source in other.sources {
      guard var own = sources.first(where: { $0.name == source.name }),
        allows(source.arrivals, within: own.arrivals)
      else { return false }
      own.arrivals = source.arrivals
      guard own == source else { return false }
    }
    return rest == other.rest
  }

  private func allows(_ count: Int?, within bound: Int?) -> Bool {
    guard let bound else { return true }
    return count.map { $0 <= bound } ?? false
  }

  /// Without what was compared already, and without what only a report shows.
  private var rest: Scenario {
    var rest = self
    rest.maxInterrupts = nil
    rest.sources = []
    rest.name = ""
    rest.expect = .clean
    rest.covers = []
    rest.summary = ""
    return rest
  }
}
