import ArgumentParser
import Database
import Foundation
import Model

/// What the gate lets pass, on the command line. Flags come before what the policy file says.
struct PolicyFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp("A file of the gate's policy and suppressions.", valueName: "file"),
    completion: .file(extensions: ["yml", "yaml"]))
  var policy: String?

  @Option(
    help: ArgumentHelp("Counterexamples that are accepted for now.", valueName: "file"),
    completion: .file())
  var baseline: String?

  @Option(
    help: ArgumentHelp(
      "Accept what a stored run has found: its number, or last.", valueName: "run"))
  var againstRun: RunReference?

  @Flag(help: "Accept nothing but what scenarios expect and the policy file says.")
  var noBaseline = false

  @Option(help: "Fail on what weighs as much or more: error, warning or note (default: note).")
  var failOn: RuleInfo.Severity?

  @Option(
    help: ArgumentHelp("Let this rule's counterexamples pass; repeatable.", valueName: "rule"))
  var ignoreRule: [String] = []

  @Flag(help: "Let inconclusive scenarios pass; they are still reported.")
  var allowInconclusive = false

  func validate() throws {
    if noBaseline, baseline != nil || againstRun != nil {
      throw ValidationError("--no-baseline goes without --baseline and --against-run.")
    }
    if baseline == nil, againstRun == nil, policy == nil, !noBaseline {
      throw ValidationError(
        "Say what is accepted: --baseline FILE, --against-run RUN, --policy FILE, or --no-baseline."
      )
    }
  }

  /// The policy file with the flags over it.
  func resolved() throws -> Policy {
    var result = try policy.map { try Policy(file: $0) } ?? Policy()
    if let failOn { result.failOn = failOn }
    if allowInconclusive { result.allowsInconclusive = true }
    if noBaseline { result.baseline = nil }
    if let baseline { result.baseline = baseline }
    for name in ignoreRule {
      guard RuleCatalogue.info(name) != nil else {
        let hint = Suggestion.hint(for: name, among: RuleCatalogue.all.map(\.name))
        throw Failure(
          "there is no rule '\(name)'\(hint.isEmpty ? "; `locklab rules` lists them" : hint)")
      }
      result.severities[name] = .some(nil)
    }
    return result
  }
}

extension RuleInfo.Severity: ExpressibleByArgument {}

/// A stored run: its number, or the last one.
enum RunReference: ExpressibleByArgument, Equatable {
  case last
  case number(Int64)

  init?(argument: String) {
    if argument == "last" {
      self = .last
    } else if let number = Int64(argument), number > 0 {
      self = .number(number)
    } else {
      return nil
    }
  }
}
