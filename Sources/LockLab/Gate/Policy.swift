import Foundation
import Model

/// What the gate lets pass.
struct Policy {
  /// What weighs less than this does not fail the gate.
  var failOn = RuleInfo.Severity.note
  /// In place of the rules' own severities; `.some(nil)`: the rule is ignored.
  var severities: [String: RuleInfo.Severity?] = [:]
  var allowsInconclusive = false
  /// Whether the decisions `intentional` and `false-positive` in the database let a counterexample
  /// pass.
  var acceptsDecisions = true
  var suppressions: [Suppression] = []
  /// The baseline file, as a path from here.
  var baseline: String?

  /// How bad a broken rule is here; nil: it is ignored.
  func severity(of rule: String) -> RuleInfo.Severity? {
    if let own = severities[rule] { return own }
    return RuleCatalogue.info(rule)?.severity ?? .error
  }
}

extension Policy {
  /// Reads a policy file. It is read as strictly as a job file.
  init(file: String) throws {
    let root = try JobNode(
      yaml: try readText(file, what: "policy file"), file: file, what: "policy file")
    let fields = try root.fields(
      [
        "version", "baseline", "fail-on", "inconclusive", "decisions", "severities", "suppressions",
      ], of: "a policy file")
    guard let version = fields["version"] else { throw root.error("the key 'version' is missing") }
    guard try version.number(0...Int.max) == 1 else {
      throw version.error("this LockLab reads policy files of version 1")
    }
    if let node = fields["baseline"] {
      let path = try node.text()
      let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
      baseline =
        path.hasPrefix("/") || !file.contains("/")
        ? path : folder.appendingPathComponent(path).relativePath
    }
    if let node = fields["fail-on"] {
      failOn = RuleInfo.Severity(
        rawValue: try node.choice(RuleInfo.Severity.allCases.map(\.rawValue), what: "severity"))!
    }
    if let node = fields["inconclusive"] {
      allowsInconclusive = try node.choice(["fail", "pass"], what: "way out") == "pass"
    }
    if let node = fields["decisions"] {
      acceptsDecisions = try node.choice(["accept", "ignore"], what: "way out") == "accept"
    }
    for (key, value) in try fields["severities"]?.entries() ?? [] {
      let names = RuleInfo.Severity.allCases.map(\.rawValue) + ["ignore"]
      severities[try Self.rule(key)] = .some(
        RuleInfo.Severity(rawValue: try value.choice(names, what: "severity")))
    }
    suppressions = try fields["suppressions"]?.list().map(Self.suppression) ?? []
  }

  private static func suppression(_ node: JobNode) throws -> Suppression {
    let fields = try node.fields(
      ["fingerprint", "rule", "function", "reason", "expires"], of: "a suppression")
    let target: Suppression.Target
    switch (fields["fingerprint"], fields["rule"], fields["function"]) {
    case (let fingerprint?, nil, nil):
      let digits = try fingerprint.characters().lowercased()
      guard digits.count == 32, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
        throw fingerprint.error(
          "a fingerprint has 32 hexadecimal digits, as `locklab show` prints it")
      }
      target = .fingerprint(digits)
    case (nil, let rule?, let function?):
      target = .function(try function.text(), rule: try Self.rule(rule))
    default:
      throw node.error("a suppression has either a `fingerprint`, or a `rule` and a `function`")
    }
    guard let reason = fields["reason"] else {
      throw node.error("a suppression needs a `reason`")
    }
    guard let expires = fields["expires"] else {
      throw node.error("a suppression needs `expires`: a day as in 2026-12-31, or never")
    }
    let sentence = try reason.text()
    guard !sentence.allSatisfy(\.isWhitespace) else {
      throw reason.error("the `reason` must say why")
    }
    return Suppression(
      target: target, reason: sentence, expiry: try expiry(expires), file: node.file,
      place: node.node.place)
  }

  private static func expiry(_ node: JobNode) throws -> Suppression.Expiry {
    let text = try node.characters()
    if text == "never" { return .never }
    guard let parts = text.wholeMatch(of: /(\d{4})-(\d\d)-(\d\d)/)?.output,
      DateComponents(
        calendar: Calendar(identifier: .gregorian), year: Int(parts.1), month: Int(parts.2),
        day: Int(parts.3)
      ).isValidDate
    else { throw node.error("'\(text)' is not a day; write it as in 2026-12-31, or never") }
    return .after(text)
  }

  private static func rule(_ node: JobNode) throws -> String {
    let name = try node.text()
    guard RuleCatalogue.info(name) != nil else {
      let hint = Suggestion.hint(for: name, among: RuleCatalogue.all.map(\.name))
      throw node.error(
        "there is no rule '\(name)'\(hint.isEmpty ? "; `locklab rules` lists them" : hint)")
    }
    return name
  }
}
