import Foundation

/// Divides a run's time among its scenarios, so that none starves.
///
/// In a round, each scenario gets an equal share of the time that is left; what one does not use is
/// the others'. Scenarios that were easy in earlier runs come first, so that most is left for the
/// hard ones. Those that ran out of their share get another round with a longer one, as long as there
/// is time for that; a search begins anew then.
struct Budget {
  /// Seconds; nil: without limit.
  let limit: Double?
  private let begun = ContinuousClock.now

  init(limit: Double?) { self.limit = limit }

  /// Seconds; nil: without limit.
  var left: Double? {
    limit.map { limit in
      let used = ContinuousClock.now - begun
      return limit - Double(used.components.seconds) - Double(used.components.attoseconds) / 1e18
    }
  }

  /// A scenario's share when so many wait, itself included.
  func share(of waiting: Int) -> Double? { left.map { $0 / Double(waiting) } }

  /// The order of the first round: first what ended before, shortest first; then what is not known;
  /// then what did not end before.
  static func order(
    _ names: [String], earlier: [String: (seconds: Double, isComplete: Bool)]
  ) -> [Int] {
    func rank(_ index: Int) -> (Int, Double, Int) {
      guard let known = earlier[names[index]] else { return (1, 0, index) }
      return (known.isComplete ? 0 : 2, known.seconds, index)
    }
    return names.indices.sorted { rank($0) < rank($1) }
  }

  /// How much longer a share must be to be worth a new search.
  private static let growth = 1.5

  /// The next round: as many of those that ran out as can get a share which is worth it, those that
  /// had least first.
  /// - Parameter ranOut: The share, in seconds, that each one had.
  static func nextRound(_ ranOut: [Int: Double], left: Double) -> [Int] {
    let waiting = ranOut.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
    for count in stride(from: waiting.count, to: 0, by: -1)
    where left / Double(count) >= growth * waiting[count - 1].value {
      return waiting.prefix(count).map(\.key)
    }
    return []
  }
}
