import Foundation
import Testing

/// A policy file with a mistake in it, and the one line that says where it is.
struct PolicyMistake: CustomTestStringConvertible {
  var name: String
  var policy: String
  var says: String
  var testDescription: String { name }

  static let fingerprint = String(repeating: "0a", count: 16)

  static func suppression(_ name: String, _ fields: String, says: String) -> PolicyMistake {
    PolicyMistake(name: name, policy: "version: 1\nsuppressions:\n  - {\(fields)}\n", says: says)
  }

  static let all: [PolicyMistake] = [
    .init(name: "an empty file", policy: "", says: "gate.yml: the policy file is empty"),
    .init(
      name: "no version", policy: "fail-on: error\n",
      says: "gate.yml:1:1: the key 'version' is missing"),
    .init(
      name: "a later version", policy: "version: 2\n",
      says: "gate.yml:1:10: this LockLab reads policy files of version 1"),
    .init(
      name: "a misspelt key", policy: "version: 1\nsupressions: []\n",
      says: "gate.yml:2:1: unknown key 'supressions' in a policy file; "
        + "did you mean 'suppressions'?"),
    .init(
      name: "no severity", policy: "version: 1\nfail-on: fatal\n",
      says: "gate.yml:2:10: 'fatal' is no severity (note, warning, error)"),
    .init(
      name: "a severity of no rule", policy: "version: 1\nseverities: {dead-lock: note}\n",
      says: "gate.yml:2:14: there is no rule 'dead-lock'; did you mean 'deadlock'?"),
    .init(
      name: "inconclusive, neither way", policy: "version: 1\ninconclusive: maybe\n",
      says: "gate.yml:2:15: 'maybe' is no way out (fail, pass)"),
    .suppression(
      "no reason", "rule: deadlock, function: f, expires: never",
      says: "gate.yml:3:5: a suppression needs a `reason`"),
    .suppression(
      "an empty reason", "rule: deadlock, function: f, expires: never, reason: ' '",
      says: "gate.yml:3:59: the `reason` must say why"),
    .suppression(
      "no day", "rule: deadlock, function: f, reason: known",
      says: "gate.yml:3:5: a suppression needs `expires`: a day as in 2026-12-31, or never"),
    .suppression(
      "a day that is none", "rule: deadlock, function: f, reason: known, expires: 2026-02-30",
      says: "gate.yml:3:59: '2026-02-30' is not a day; write it as in 2026-12-31, or never"),
    .suppression(
      "half a target", "rule: deadlock, reason: known, expires: never",
      says: "gate.yml:3:5: a suppression has either a `fingerprint`, or a `rule` and a `function`"),
    .suppression(
      "both targets",
      "fingerprint: \(fingerprint), rule: deadlock, function: f, reason: known, expires: never",
      says: "gate.yml:3:5: a suppression has either a `fingerprint`, or a `rule` and a `function`"),
    .suppression(
      "a fingerprint that is cut", "fingerprint: 0a0a0a, reason: known, expires: never",
      says: "gate.yml:3:19: a fingerprint has 32 hexadecimal digits, as `locklab show` prints it"),
    .init(
      name: "no YAML", policy: "version: 1\nsuppressions: [\n",
      says: "gate.yml:3:1: not YAML: did not find expected node content"),
  ]
}

@Suite struct PolicyFileTests {
  @Test(arguments: PolicyMistake.all)
  func a_mistake_is_said_with_its_place(mistake: PolicyMistake) throws {
    let workshop = try Workshop()
    try workshop.write("gate.yml", mistake.policy)
    try workshop.expectFailure("gate", "--policy", "gate.yml", says: mistake.says)
  }

  @Test func what_is_missing_is_said_before_anything_runs() throws {
    let workshop = try Workshop()
    try workshop.expectFailure("gate", "--policy", "no.yml", says: "no.yml: no such file")
    try workshop.write("gate.yml", "version: 1\nbaseline: ci/base.txt\n")
    try workshop.expectFailure(
      "gate", "--policy", "gate.yml",
      says: "ci/base.txt: no such baseline file; --write-baseline makes it")
    try workshop.expectFailure(
      "gate", "--no-baseline", "--ignore-rule", "dead-lock",
      says: "there is no rule 'dead-lock'; did you mean 'deadlock'?")
    #expect(!FileManager.default.fileExists(atPath: workshop.path("locklab.db")))
  }
}
