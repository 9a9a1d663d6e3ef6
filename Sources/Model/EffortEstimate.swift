/// How many states a search has still to expand, from how its frontier has grown and shrunk.
///
/// Be e the states expanded, f those that wait. Each expansion takes one state from those that wait and adds
/// r, a number that falls as more and more of what a step leads to is known already. r is measured over the
/// last part of the search and over the part before it; going on along that line, f becomes zero after x
/// expansions, where
///
///     f + (r - 1)·x - k·x²/2 = 0,  k the fall of r for each expansion.
///
/// The interval around x is as wide as it had to be on the reference scenarios: see docs/search.md.
public struct EffortEstimate: Sendable {
  private struct Sample {
    var expanded: Double
    var found: Double
    var seconds: Double
  }
  private var samples: [Sample] = []

  public init() {}

  /// Begins anew, with another pass.
  mutating func clear() { samples.removeAll() }

  /// - Parameters:
  ///   - expanded: states expanded so far in this pass.
  ///   - found: states found so far in this pass.
  ///   - seconds: since the pass began, or anything else from which differences can be taken.
  public mutating func note(expanded: Int, found: Int, seconds: Double) {
    let sample = Sample(expanded: Double(expanded), found: Double(found), seconds: seconds)
    // One for each thirtieth that the search grows.
    if let last = samples.last, sample.expanded < last.expanded * 31 / 30 + 1 {
      if samples.count > 1, samples[samples.count - 2].expanded * 31 / 30 + 1 > sample.expanded {
        samples[samples.count - 1] = sample
        return
      }
    }
    samples.append(sample)
  }

  /// The sample nearest to a part of what was expanded.
  private func sample(at part: Double) -> Sample {
    let wanted = samples[samples.count - 1].expanded * part
    return samples.last { $0.expanded <= wanted } ?? samples[0]
  }

  /// States still to be expanded; nil while nothing can be said.
  public var statesLeft: ClosedRange<Double>? {
    guard let now = samples.last, now.expanded >= 200, samples.count >= 10 else { return nil }
    let waiting = max(0, now.found - now.expanded)
    let (recent, earlier) = (sample(at: 0.75), sample(at: 0.5))
    func rate(_ a: Sample, _ b: Sample) -> Double {
      (b.found - a.found) / max(1, b.expanded - a.expanded)
    }
    let r = rate(recent, now)
    let before = rate(earlier, recent)
    let k = (before - r) / max(1, (now.expanded - earlier.expanded) / 2)
    let x: Double
    if k > 1e-12 {
      let slope = r - 1
      x = (slope + (slope * slope + 2 * k * waiting).squareRoot()) / k
    } else if r < 1 {
      x = waiting / (1 - r)
    } else {
      // It grows faster and faster.
      return max(waiting, now.expanded / 2)...max(waiting, now.expanded) * 40
    }
    let low = max(waiting * 0.9, x * EffortEstimate.spread.low)
    let high = max(low, max(waiting * 1.3, x * EffortEstimate.spread.high))
    return low...high
  }

  static let spread = (low: 0.4, high: 2.5)

  /// Seconds to go, at the pace of the last quarter; nil while nothing can be said.
  public var secondsLeft: ClosedRange<Double>? {
    guard let left = statesLeft, let now = samples.last else { return nil }
    let recent = sample(at: 0.75)
    guard now.expanded > recent.expanded, now.seconds > recent.seconds else { return nil }
    let pace = (now.seconds - recent.seconds) / (now.expanded - recent.expanded)
    return left.lowerBound * pace...left.upperBound * pace
  }
}
