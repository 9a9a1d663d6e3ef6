import Database
import Model

/// What `show --format json` writes.
struct CounterexampleJSON: Encodable {
  struct Image: Encodable {
    var name: String
    var arch: String
    var digest: String
    var origin: String
  }

  struct Status: Encodable {
    var machine: String
    var person: String
  }

  var id: Int64
  var rule: String
  var title: String
  var fingerprint: String
  var identity: Counterexample.Identity
  var status: Status
  var scenario: Scenario
  var image: Image
  var injected: [String]
  var steps: Int
  var events: [TraceEvent]
  var stacks: [ContextStack]
  var holders: [String]
  var waiters: [String]
  var schedule: Schedule
  var occurrences: [Occurrence]
  var triage: [TriageEntry]
  var observations: [Observation]

  init(_ stored: StoredCounterexample) {
    let counterexample = stored.counterexample
    id = stored.id
    rule = counterexample.rule
    title = counterexample.title
    fingerprint = stored.fingerprint
    identity = counterexample.identity
    status = Status(machine: stored.machineStatus, person: stored.personStatus)
    scenario = stored.scenario
    image = Image(
      name: stored.scenario.image, arch: stored.image.arch, digest: stored.image.digest,
      origin: stored.image.origin)
    injected = counterexample.injected
    steps = counterexample.steps
    events = counterexample.events
    stacks = counterexample.stacks
    holders = counterexample.holders
    waiters = counterexample.waiters
    schedule = counterexample.schedule
    occurrences = stored.occurrences
    triage = stored.triage
    observations = stored.observations
  }
}
