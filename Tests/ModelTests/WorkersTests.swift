import Emulator
import Foundation
import Testing

@testable import Model

/// What a search finds does not depend on how many threads explore, nor on their pace.
@Suite struct WorkersTests {
  /// All that a result says, but for figures of the run itself.
  static func text(_ result: ScenarioResult) -> String {
    var lines = ["\(result.verdict) \(result.states) states, \(result.transitions) steps"]
    lines += result.notes + (result.openEnds ?? [])
    for c in result.counterexamples {
      lines.append("\(c.rule): \(c.title)")
      lines.append("  \(c.identity.text)")
      lines.append(
        "  "
          + c.schedule.steps.map { "\($0.cpu) \($0.raise ?? -1) \($0.instructions)" }
          .joined(separator: ", "))
    }
    return lines.joined(separator: "\n")
  }

  static func explore(
    _ scenario: Scenario, _ image: PreparedImage, workers: Int, _ reductions: Set<Reduction>
  ) throws -> String {
    var options = ExplorationOptions()
    options.reductions = reductions
    options.workers = workers
    // Even the smallest round is shared.
    options.statesFoundAlone = 0
    options.statesPerThread = 1
    return text(try Explorer(scenario: scenario, image: image, options: options).run())
  }

  private static func compare(
    _ seed: UInt64, _ what: String, _ scenario: Scenario, _ image: PreparedImage,
    _ sets: [Set<Reduction>] = [Set(Reduction.allCases), []]
  ) throws -> Bool {
    for reductions in sets {
      let alone = try explore(scenario, image, workers: 1, reductions)
      for workers in [2, 3] {
        let together = try explore(scenario, image, workers: workers, reductions)
        #expect(
          together == alone,
          "\(what), seed \(seed), \(workers) threads, \(reductions.count) reductions")
        if together != alone { return false }
      }
    }
    return true
  }

  private static var count: UInt64 {
    ProcessInfo.processInfo.environment["LOCKLAB_WORKERS"].flatMap(UInt64.init) ?? 60
  }

  @Test func oneCPU() throws {
    for seed in 5000..<5000 + Self.count {
      let kernel = SmallKernel(seed: seed, features: [])
      let tiny = kernel.kernel
      let scenario = tiny.scenario(arrivals: kernel.arrivals.map { $0 })
      if !(try Self.compare(seed, "random kernel", scenario, tiny.prepared)) { return }
    }
  }

  @Test func wildKernels() throws {
    for seed in 7000..<7000 + Self.count / 2 {
      let kernel = SmallKernel(
        seed: seed,
        features: [SmallKernel.Feature.allCases[Int(seed) % SmallKernel.Feature.allCases.count]])
      let same = try Self.compare(
        seed, "wild kernel", kernel.scenario, kernel.kernel.prepared, [Set(Reduction.allCases)])
      if !same { return }
    }
  }

  @Test func severalCPUs() throws {
    for seed in 100..<100 + Self.count / 2 {
      var r = SplitMix(state: seed)
      let kernel = SmallKernel(severalCPUs: &r, count: 2)
      let same = try Self.compare(
        seed, "kernel of several CPUs", kernel.scenario, kernel.kernel.prepared)
      if !same { return }
    }
  }
}
