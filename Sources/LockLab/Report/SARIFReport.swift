import Foundation
import Model

/// SARIF 2.1.0 (OASIS): what code scanning reads. One run, its rules with help, a result for each
/// counterexample with its interleaving as code flows, and notifications for what is open.
///
/// What scenarios expect to be broken is no result: wrong builds are there to be caught.
struct SARIFReport {
  private let report: RunReport
  /// Rules in the order in which results refer to them.
  private let rules = RuleCatalogue.all.filter(\.isChecked)
  /// Stands for the folder that paths are relative to. Where that is on a machine is not said.
  static let base = "SRCROOT"

  init(_ report: RunReport) { self.report = report }

  func text() throws -> String { try prettyJSON(log) }

  private var log: SARIF.Log {
    let driver = SARIF.Driver(
      name: "LockLab", version: LockLab.version, semanticVersion: LockLab.version,
      rules: rules.map(descriptor), notifications: Notification.allCases.map(\.descriptor))
    return SARIF.Log(runs: [
      SARIF.Run(
        tool: .init(driver: driver), invocations: [invocation],
        originalUriBaseIds: [
          Self.base: .init(description: .init(text: "The folder of the sources."))
        ],
        results: report.findings.map(result), columnKind: "unicodeCodePoints",
        properties: [
          "runs": .numbers(report.runs.map(Int.init)),
          "scenarios": .texts(report.outcomes.map { inert($0.result.scenario.name) }),
        ])
    ])
  }

  // MARK: Rules

  private func descriptor(_ rule: RuleInfo) -> SARIF.Descriptor {
    SARIF.Descriptor(
      id: rule.name, shortDescription: .init(text: SARIF.message(rule.summary)),
      fullDescription: .init(text: SARIF.message(rule.explanation)),
      help: .init(
        text: SARIF.message(
          "\(rule.explanation)\nSeverity: \(rule.severity.rawValue), because \(rule.severityReason)."
        ),
        markdown: "\(rule.explanation)\n\n**\(rule.severity.rawValue)**: \(rule.severityReason)."),
      defaultConfiguration: .init(level: rule.severity.rawValue),
      properties: [
        "tags": .texts(["concurrency", rule.group.rawValue]), "precision": .text("very-high"),
        "problem.severity": .text(
          rule.severity == .note ? "recommendation" : rule.severity.rawValue),
      ])
  }

  // MARK: Results

  private func result(_ item: Judgement.Item) -> SARIF.Result {
    let counterexample = item.finding.counterexample
    let flow = SARIFFlow(item, report)
    var suppressions: [SARIF.Suppression] = []
    switch item.standing {
    case .suppressed(let suppression):
      let location = report.paths.relative(suppression.file).map {
        SARIF.Location(
          physicalLocation: .init(
            artifactLocation: .init(path: $0),
            region: suppression.place.map { .init(startLine: $0.line) }))
      }
      suppressions = [
        .init(
          kind: "external", status: "accepted",
          justification: inert("\(suppression.reason) (\(suppression.expiryInWords))"),
          location: location)
      ]
    case .decided(let entry):
      suppressions = [
        .init(
          kind: "external", status: "accepted",
          justification: inert("\(entry.decision.rawValue), says \(entry.author): \(entry.reason)"))
      ]
    case .new, .light, .ignored, .inBaseline, .expected: break
    }
    return SARIF.Result(
      ruleId: counterexample.rule,
      ruleIndex: rules.firstIndex { $0.name == counterexample.rule } ?? -1,
      level: item.severity.rawValue, message: .init(text: SARIF.message(counterexample.title)),
      locations: [flow.primary], codeFlows: flow.codeFlows, stacks: flow.stacks,
      partialFingerprints: [
        "lockLabIdentity/v\(counterexample.identity.version)": counterexample.identity.fingerprint
      ],
      suppressions: suppressions,
      baselineState: report.hasBaseline ? (item.isKnown ? "unchanged" : "new") : nil,
      properties: [
        "scenarios": .texts(item.scenarios.map(inert)),
        "locks": .texts(counterexample.identity.lockClasses.map(inert)),
        "functions": .texts(counterexample.identity.functions.map(inert)),
        "injected": .texts(counterexample.injected.map(inert)),
        "holders": .texts(counterexample.holders.map(inert)),
        "waiters": .texts(counterexample.waiters.map(inert)),
        "machineStatus": .text(item.machineStatus), "counterexample": .number(Int(item.finding.id)),
      ])
  }

  // MARK: The run

  private enum Notification: String, CaseIterable {
    case inconclusive, error
    case missing = "expected-counterexample-missing"
    case expired = "suppression-expired"
    case unused = "suppression-unused"
    case stale = "baseline-line-unused"

    var summary: String {
      switch self {
      case .inconclusive: "A scenario was not examined to its end."
      case .error: "A scenario could not be explored."
      case .missing: "A scenario was to break a rule and did not."
      case .expired: "A suppression is past its last day."
      case .unused: "A suppression fits nothing that was found."
      case .stale: "A line of the baseline fits nothing that was found."
      }
    }

    var descriptor: SARIF.Descriptor {
      .init(id: rawValue, shortDescription: .init(text: summary))
    }
  }

  private var invocation: SARIF.Invocation {
    let judgement = report.judgement
    let isFailed = report.status == .failure
    var execution = judgement.inconclusive.map { open in
      notification(
        .inconclusive, judgement.policy.allowsInconclusive ? "note" : "warning",
        "\(open.scenario): \(open.reason)", at: report.place(of: open.outcome))
    }
    for outcome in report.outcomes {
      let name = outcome.result.scenario.name
      if outcome.result.verdict == .error {
        execution.append(
          notification(
            .error, "error", "\(name): \(outcome.result.notes.first ?? "")",
            at: report.place(of: outcome)))
      }
      execution += report.missing(in: outcome).map {
        notification(.missing, "error", "\(name): \($0)", at: report.place(of: outcome))
      }
    }
    func line(_ kind: Notification, _ suppression: Suppression) -> SARIF.Notification {
      notification(
        kind, "warning",
        "\(suppression.targetInWords), \(suppression.expiryInWords): \(suppression.reason)",
        at: report.paths.relative(suppression.file).map { ($0, suppression.place?.line) })
    }
    let configuration =
      judgement.expired.map { line(.expired, $0) } + judgement.unused.map { line(.unused, $0) }
      + judgement.stale.map { notification(.stale, "note", $0, at: nil) }
    return SARIF.Invocation(
      executionSuccessful: !isFailed, exitCode: Int(report.status.rawValue),
      startTimeUtc: SARIF.time(report.began), endTimeUtc: SARIF.time(report.ended),
      toolExecutionNotifications: execution, toolConfigurationNotifications: configuration)
  }

  private func notification(
    _ kind: Notification, _ level: String, _ text: String, at place: (path: String, line: Int?)?
  ) -> SARIF.Notification {
    .init(
      descriptor: .init(
        id: kind.rawValue, index: Notification.allCases.firstIndex(of: kind)!), level: level,
      message: .init(text: SARIF.message(text)),
      locations: place.map {
        [
          .init(
            physicalLocation: .init(
              artifactLocation: .init(path: $0.path), region: $0.line.map { .init(startLine: $0) }))
        ]
      } ?? [])
  }

  private func inert(_ text: String) -> String { printable(text) }
}
