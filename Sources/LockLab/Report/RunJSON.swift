import Database
import Foundation
import Model

/// What `check --format json` writes.
struct RunJSON: Encodable {
  var run: Int64
  var scenarios: [ScenarioJSON]

  init(run: Int64, outcomes: [Examination.Outcome]) {
    self.run = run
    scenarios = outcomes.map { ScenarioJSON($0) }
  }
}

/// What `list --format json` writes: the same, without what only a run can know.
struct ListJSON: Encodable {
  var scenarios: [ScenarioJSON]

  init(_ plan: Plan) { scenarios = plan.items.map { ScenarioJSON($0) } }
}

struct ScenarioJSON: Encodable {
  struct Found: Encodable {
    var id: Int64
    var rule: String
    var fingerprint: String
    var title: String
    var visibleSteps: Int?
  }

  struct Environment: Encodable {
    var cpus: Int
    var sources: [String]
    var bounds: [String]
  }

  /// What was observed where all work was done.
  struct Outcome: Encodable {
    var values: [String: Int64]
    /// What each step of a schedule that leads to it does.
    var steps: [String]
    var schedule: Schedule
  }

  var name: String
  var image: String
  var arch: String
  var expected: String
  var environment: Environment
  var covers: [String]
  var notes: [String]

  // What only a run can know.
  var verdict: String?
  var met: Bool?
  var rules: [String]?
  var counterexamples: [Found]?
  var outcomes: [Outcome]?
  var states: Int?
  /// Steps between states.
  var transitions: Int?
  var instructions: UInt64?
  var seconds: Double?
  var statesPerSecond: Double?
  var peakMemoryBytes: Int?

  init(_ item: Plan.Item) {
    self.init(item.scenario, arch: item.image.record.arch)
    environment.sources = item.scenario.sourcesInWords
    environment.bounds = item.scenario.boundsInWords(maxInterrupts: item.scenario.maxInterrupts)
    notes = item.job.notes
  }

  init(_ outcome: Examination.Outcome) {
    let result = outcome.result
    // For benchmarks; the rest of the object is what every reader can count on.
    let isMeasured = ProcessInfo.processInfo.environment["LOCKLAB_FIGURES"] != nil
    self.init(result.scenario, arch: outcome.image.arch)
    environment.sources = result.sources
    environment.bounds = result.bounds
    notes = result.notes
    verdict = result.verdict.rawValue
    met = result.met
    rules = result.rules
    counterexamples = outcome.findings.map {
      Found(
        id: $0.id, rule: $0.counterexample.rule,
        fingerprint: $0.counterexample.identity.fingerprint, title: $0.counterexample.title,
        visibleSteps: isMeasured
          ? result.visibleSteps[$0.counterexample.identity.fingerprint] : nil)
    }
    outcomes = result.outcomes?.map { outcome in
      let names = (result.scenario.observe ?? []).map(\.name)
      return Outcome(
        values: Dictionary(zip(names, outcome.values)) { $1 }, steps: outcome.steps,
        schedule: outcome.schedule)
    }
    states = result.states
    transitions = isMeasured ? result.transitions : nil
    instructions = result.instructions
    seconds = result.seconds
    statesPerSecond = result.seconds > 0 ? Double(result.states) / result.seconds : 0
    peakMemoryBytes = result.peakMemoryBytes
  }

  private init(_ scenario: Scenario, arch: String) {
    name = scenario.name
    image = scenario.image
    self.arch = arch
    expected = scenario.expected
    environment = Environment(cpus: scenario.cpus, sources: [], bounds: [])
    covers = scenario.covers
    notes = []
  }
}

/// One JSON value and a line end.
func prettyJSON(_ value: any Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return printableJSON(String(decoding: try encoder.encode(value), as: UTF8.self)) + "\n"
}

/// Writes one JSON value and a line end to standard output.
func printJSON(_ value: any Encodable) throws { print(try prettyJSON(value), terminator: "") }
