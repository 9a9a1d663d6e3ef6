import Emulator
import Foundation
import Model
import Testing

/// Each reduction, and all together, against the search without any, on random small kernels: the
/// verdict, the rules broken and the final states must be the same.
@Suite struct ReductionTests {
  struct Result: Equatable, CustomStringConvertible {
    var verdict: Verdict
    var rules: [String]
    var finals: Set<[UInt32]>
    var states = 0
    var notes: [String] = []

    static func == (a: Result, b: Result) -> Bool {
      a.verdict == b.verdict && a.rules == b.rules && a.finals == b.finals
    }

    var description: String {
      "\(verdict) \(rules) \(states) states, finals \(finals.map(\.description).sorted()) \(notes)"
    }
  }

  static func explore(
    _ kernel: RandomKernel, _ reductions: Set<Reduction>
  ) throws -> Result {
    let tiny = kernel.kernel
    var options = ExplorationOptions()
    options.reductions = reductions
    options.timeLimit = 60
    let explorer = try Explorer(
      scenario: tiny.scenario(arrivals: kernel.arrivals.map { $0 }), image: tiny.prepared,
      options: options)
    var finals: Set<[UInt32]> = []
    explorer.observeState = { machine in
      guard machine.cpus[0][CPU.Word.activity] == CPU.Activity.halted else { return }
      finals.insert(
        (0..<TinyKernel.variableCount).map {
          UInt32(machine.memory.value(at: TinyKernel.variables + UInt64(4 * $0), size: 4))
        }
          + (0..<TinyKernel.lockCount).map {
            UInt32(machine.memory.value(at: TinyKernel.locks + UInt64(4 * $0), size: 4))
          })
    }
    let result = explorer.run()
    return Result(
      verdict: result.verdict, rules: result.rules, finals: finals, states: result.states,
      notes: result.notes)
  }

  static func text(_ k: RandomKernel) -> String {
    var lines = ["main: " + k.main.map(\.description).joined(separator: "; ")]
    for (i, h) in k.handlers.enumerated() {
      lines.append(
        "irq\(i) ×\(k.arrivals[i]): " + h.map(\.description).joined(separator: "; "))
    }
    return lines.joined(separator: "\n")
  }

  /// `LOCKLAB_SEED` and `LOCKLAB_PROGRAMS` choose where to begin and how many.
  @Test func reductionsAgreeWithTheSearchWithoutThem() throws {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["LOCKLAB_SEED"].flatMap(UInt64.init) ?? 1
    let count = environment["LOCKLAB_PROGRAMS"].flatMap(UInt64.init) ?? 2000
    let sets: [Set<Reduction>] = [Set(Reduction.allCases)] + Reduction.allCases.map { [$0] }
    var broken: [String: Int] = [:]
    for seed in first..<first + count {
      let kernel = RandomKernel(seed: seed)
      let plain = try Self.explore(kernel, [])
      for rule in plain.rules { broken[rule, default: 0] += 1 }
      if plain.verdict == .inconclusive || plain.verdict == .error {
        broken["(\(plain.verdict))", default: 0] += 1
      }
      // Each alone for a part of the programs, all together for every one.
      for set in seed % 4 == 0 ? sets : [sets[0]] {
        let reduced = try Self.explore(kernel, set)
        #expect(
          reduced == plain,
          "seed \(seed), \(set.map(\.rawValue).sorted()):\n\(Self.text(kernel))\nwithout: \(plain)\nwith: \(reduced)"
        )
        if reduced != plain { return }
      }
    }
    let summary = broken.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    print("random kernels \(count) from seed \(first): \(summary.joined(separator: ", "))")
    // A generator that breaks nothing would prove nothing.
    if count >= 500 {
      #expect(broken.count >= 4, "the random kernels break only \(broken)")
    }
  }
}
