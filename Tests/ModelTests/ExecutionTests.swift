import Emulator
import Testing

@testable import Model

/// An execution goes back to exactly what it was, and on to exactly what it became.
@Suite struct ExecutionTests {
  /// All that there is of a moment.
  private struct Sight: Equatable {
    var moment: Int
    var steps: Int
    var key: Fingerprint
    var contents: Fingerprint
    var lowestSP: UInt64
    var violations: Int

    init(_ e: Execution) {
      moment = e.moment
      steps = e.steps
      key = e.world.key()
      contents = ConsistencyTests.fresh(e.world.memory)
      lowestSP = e.machine.observation.lowestSP
      violations = e.world.violations.count
    }
  }

  private static func counterexamples(
    seeds: ClosedRange<UInt64>
  ) throws -> [(SmallKernel, PreparedImage, Counterexample)] {
    var found: [(SmallKernel, PreparedImage, Counterexample)] = []
    for seed in seeds {
      let kernel = SmallKernel(
        seed: seed,
        features: [SmallKernel.Feature.allCases[Int(seed) % SmallKernel.Feature.allCases.count]])
      let image = try kernel.kernel.prepared
      var options = ExplorationOptions()
      options.timeLimit = 2
      let result = try Explorer(scenario: kernel.scenario, image: image, options: options).run()
      found += result.counterexamples.map { (kernel, image, $0) }
    }
    return found
  }

  @Test func goes_back_to_what_it_was() throws {
    let all = try Self.counterexamples(seeds: 1...60)
    #expect(all.count >= 10)
    for (index, (kernel, image, c)) in all.enumerated() {
      let execution = try Execution(c, scenario: kernel.scenario, image: image)
      var sights = [Sight(execution)]
      var marks = [execution.mark()]
      while true {
        if case .end = execution.advance() { break }
        sights.append(Sight(execution))
        marks.append(execution.mark())
        if execution.ending != nil { break }
      }
      let ending = execution.ending
      let isAboutProgress = Progress.rules.contains(c.rule)
      #expect(ending == (isAboutProgress ? .scheduleEnds : .broken), "\(index): \(c.rule)")
      #expect(execution.steps == c.steps)
      var random = SplitMix(state: UInt64(index))
      for _ in 0..<40 {
        let from = min(random.below(marks.count), execution.moment)
        execution.goBack(to: marks[from])
        #expect(Sight(execution) == sights[from], "\(index): back to \(from)")
        for moment in from..<min(from + 1 + random.below(20), marks.count - 1) {
          _ = execution.advance()
          #expect(Sight(execution) == sights[moment + 1], "\(index): on to \(moment + 1)")
        }
      }
      while execution.ending == nil { _ = execution.advance() }
      #expect(execution.ending == ending)
      #expect(execution.moment == marks.count - 1)
    }
  }

  /// A counterexample of an image is still there on the same image, whatever way is taken.
  @Test func events_lead_to_the_same_defect() throws {
    var followed = 0
    var partings: [String] = []
    let all = try Self.counterexamples(seeds: 1...40)
    for (kernel, image, c) in all {
      let retracing = try Retracing(c, scenario: kernel.scenario, image: image)
      let isBroken = retracing.follow()
      #expect(
        isBroken || Progress.rules.contains(c.rule) || retracing.divergence != nil, "\(c.title)")
      if let divergence = retracing.divergence {
        partings.append("\(c.rule): \(divergence)")
      } else {
        followed += 1
      }
      let result = try reexamine(
        c, scenario: kernel.scenario, image: image, limits: .init(time: 10, memory: 1 << 30))
      #expect(result.verdict == .present, "\(c.title): \(result)")
    }
    #expect(followed * 10 >= all.count * 9, "\(followed) of \(all.count): \(partings)")
  }
}
