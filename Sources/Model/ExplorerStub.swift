import Emulator

public struct PreparedImage {
  let bytes: [UInt8]
  public init(bytes: [UInt8], name: String, symbols: Symbolizer) throws {
    func bad(_ text: String) -> StubError { StubError(description: text) }
    guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { throw bad("not an ELF file") }
    guard bytes.count >= 52 else { throw bad("truncated ELF file") }
    guard bytes[18] == 3 || bytes[18] == 62 else { throw bad("an ELF file for another machine") }
    self.bytes = bytes
  }
}

struct StubError: Error, CustomStringConvertible { var description: String }

public final class Explorer {
  let scenario: Scenario
  let options: ExplorationOptions
  /// Called with each counterexample as soon as it is known to replay.
  public var found: ((Counterexample) -> Void)?

  public init(scenario: Scenario, image: PreparedImage, options: ExplorationOptions) throws {
    self.scenario = scenario
    self.options = options
  }

  public func run(progress: (SearchProgress) -> Void, interrupted: () -> Bool) -> ScenarioResult {
    var result = ScenarioResult(scenario: scenario, arch: "i386", verdict: .clean)
    var p = SearchProgress()
    for i in 0..<5 {
      p.states = i * 1000
      p.seconds = Double(i) / 10
      progress(p)
      if interrupted() {
        result.verdict = .inconclusive
        result.notes = ["interrupted"]
        return result
      }
    }
    result.states = 5000
    result.instructions = 123456
    result.seconds = 0.5
    result.peakMemoryBytes = 1 << 20
    if case .violated(let rules) = scenario.expect {
      result.verdict = .violated
      result.counterexamples = rules.map { StubData.counterexample(rule: $0) }
      for c in result.counterexamples { found?(c) }
    }
    return result
  }
}

public enum ReplayOutcome {
  case same(step: Int)
  case differentRule(String, step: Int)
  case diverged(step: Int, reason: String)
  case noViolation(steps: Int)
}

public func replay(_ c: Counterexample, scenario: Scenario, image: PreparedImage) throws
  -> ReplayOutcome
{ .same(step: c.steps) }

enum StubData {
  static func counterexample(rule: String) -> Counterexample {
    Counterexample(
      rule: rule, title: "canned \(rule)",
      identity: .init(rule: rule, lockClasses: ["stub_lock"], functions: ["stub_function"]),
      schedule: Schedule(steps: [.init(raise: 0, instructions: 12)]))
  }
}
