import Database
import Foundation
import Model

/// What became of a stored counterexample on an image, and how that is said.
struct ReplayedCounterexample {
  struct JSON: Encodable {
    var id: Int64
    var rule: String
    var imageChanged: Bool
    /// `same` on the same image; else `present`, `gone` or `not-reachable-in-these-bounds`.
    var outcome: String
    var step: Int?
    var reason: String?
    /// What decided: `schedule`, `events`, `around`, `same-interrupts` or `scenario`.
    var method: String
    var followedEvents: Int
    var events: Int
    var divergence: String?
    var states: Int
  }

  let imageChanged: Bool
  /// The execution that shows the defect on this image; nil where there is none.
  let counterexample: Counterexample?
  let json: JSON
  let status: ExitStatus
  /// The verdict in a sentence.
  let sentence: String
  let machineStatus: MachineStatus
  /// All that is to be said.
  let lines: [String]

  init(
    _ stored: StoredCounterexample, image: LoadedImage, limits: Reexamination.Limits,
    progress: ProgressReport
  ) throws {
    let c = stored.counterexample
    imageChanged = image.record.digest != stored.image.digest
    var head: [String] = []
    if imageChanged {
      head.append(
        "The image has changed since (\(stored.image.digest.prefix(12)) then, "
          + "\(image.record.digest.prefix(12)) now).")
    } else {
      let outcome = try Model.replay(c, scenario: stored.scenario, image: image.prepared)
      if case .same(let step) = outcome {
        counterexample = c
        status = .met
        machineStatus = .present
        sentence =
          step == c.steps
          ? "Same: \(c.rule) breaks at instruction \(grouped(step))."
          : "Same rule: \(c.rule) breaks at instruction \(grouped(step)), "
            + "where it was \(grouped(c.steps))."
        lines = [sentence]
        json = JSON(
          id: stored.id, rule: c.rule, imageChanged: false, outcome: "same", step: step,
          method: Reexamination.Method.schedule.rawValue, followedEvents: c.events.count,
          events: c.events.count, states: 0)
        return
      }
      head.append(
        "The image is the same, but this LockLab executes it differently: "
          + Self.describe(outcome, c))
    }
    Interruption.listen()
    let result = try reexamine(
      c, scenario: stored.scenario, image: image.prepared, limits: limits,
      progress: { progress.update($0, scenario: stored.scenario.name, ordinal: 1, of: 1) },
      interrupted: { Interruption.isRequested })
    progress.clear()
    counterexample = result.counterexample
    let step = result.counterexample?.steps
    switch result.verdict {
    case .present:
      status = .met
      machineStatus = .present
      sentence =
        "Still there: \(c.rule) breaks at instruction \(grouped(step ?? 0)); \(result.reason)."
    case .gone:
      status = .unmet
      machineStatus = .gone
      sentence = "Gone: \(result.reason)."
    case .notReachable:
      status = .inconclusive
      machineStatus = .notReachable
      sentence = "Not reachable within these bounds, which is no proof: \(result.reason)"
    }
    if let divergence = result.divergence {
      head.append("Its way parts from the stored one \(divergence).")
    }
    lines = head + [sentence]
    json = JSON(
      id: stored.id, rule: c.rule, imageChanged: imageChanged, outcome: result.verdict.rawValue,
      step: step, reason: result.reason, method: result.method.rawValue,
      followedEvents: result.followed, events: result.events, divergence: result.divergence,
      states: result.states)
  }

  private static func describe(_ outcome: ReplayOutcome, _ c: Counterexample) -> String {
    switch outcome {
    case .same(let step): "\(c.rule) breaks at instruction \(grouped(step))."
    case .differentRule(let rule, let step):
      "\(rule) breaks at instruction \(grouped(step)), not \(c.rule)."
    case .diverged(let step, let reason): "it diverges at instruction \(grouped(step)): \(reason)."
    case .noViolation(let steps):
      "the schedule runs to its end, \(grouped(steps)) instructions, and no rule breaks."
    }
  }
}
