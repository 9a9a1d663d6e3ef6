import Emulator
import Foundation
import Model
import Testing

/// As `ReductionTests`, on kernels with more of what real ones do; each feature for itself, then all
/// that go together.
@Suite struct WildTests {
  static func explore(
    _ kernel: WildKernel, _ reductions: Set<Reduction>
  ) throws -> ReductionTests.Result {
    var options = ExplorationOptions()
    options.reductions = reductions
    options.timeLimit = 8
    let explorer = try Explorer(
      scenario: kernel.scenario, image: kernel.kernel.prepared, options: options)
    var finals: Set<[UInt32]> = []
    explorer.observeState = { machine in
      // What is private to a task that never runs again may differ; so may a CPU that is just being woken.
      guard machine.cpus[0][CPU.Word.activity] == CPU.Activity.halted,
        machine.pendingLine == nil || !machine.acceptsInterrupts(cpu: 0),
        kernel.second == nil
          || machine.memory.value(at: UInt64(WildKernel.finished), size: 2) == 0x101
      else { return }
      finals.insert(
        (0..<WildKernel.variableCount).map {
          UInt32(machine.memory.value(at: TinyKernel.variables + UInt64(4 * $0), size: 4))
        }
          + (0..<TinyKernel.lockCount).map {
            UInt32(machine.memory.value(at: TinyKernel.locks + UInt64(4 * $0), size: 4))
          })
    }
    let result = explorer.run()
    return ReductionTests.Result(
      verdict: result.verdict, rules: result.rules, finals: finals, states: result.states,
      notes: result.notes)
  }

  static func compare(
    _ name: String, count: UInt64, _ features: (UInt64) -> Set<WildKernel.Feature>
  ) throws {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["LOCKLAB_SEED"].flatMap(UInt64.init) ?? 1
    let sets: [Set<Reduction>] = [Set(Reduction.allCases)] + Reduction.allCases.map { [$0] }
    var broken: [String: Int] = [:]
    var unfinished = 0
    for seed in first..<first + count {
      let kernel = WildKernel(seed: seed, features: features(seed))
      let plain = try explore(kernel, [])
      if plain.notes.contains(where: { $0.contains("limit") }) {
        unfinished += 1
        continue
      }
      for rule in plain.rules { broken[rule, default: 0] += 1 }
      broken["(\(plain.verdict))", default: 0] += 1
      for set in seed % 4 == 0 ? sets : [sets[0]] {
        let reduced = try explore(kernel, set)
        #expect(
          reduced == plain,
          "\(name), seed \(seed), \(set.map(\.rawValue).sorted()):\n\(kernel.text)\nwithout: \(plain)\nwith: \(reduced)"
        )
        if reduced != plain { return }
      }
    }
    print(
      "wild kernels (\(name)): \(count) from seed \(first), \(unfinished) unfinished, \(broken.sorted { $0.key < $1.key })"
    )
    #expect(unfinished * 4 <= Int(count), "too many searches came to no end")
  }

  private static func count(_ usual: UInt64) -> UInt64 {
    ProcessInfo.processInfo.environment["LOCKLAB_WILD"].flatMap(UInt64.init) ?? usual
  }

  @Test(arguments: WildKernel.Feature.allCases)
  func eachFeature(_ feature: WildKernel.Feature) throws {
    try Self.compare(feature.rawValue, count: Self.count(60)) { _ in [feature] }
  }

  /// Some of the features at a time; not those that switch a reduction off.
  @Test func featuresTogether() throws {
    let features = WildKernel.Feature.allCases.filter { !$0.rawValue.hasPrefix("sees") }
    try Self.compare("some together", count: Self.count(60)) { seed in
      var r = SplitMix(state: seed)
      return Set((0..<2 + r.below(2)).map { _ in features[r.below(features.count)] })
    }
  }
}
