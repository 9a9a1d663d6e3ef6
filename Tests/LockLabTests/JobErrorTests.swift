import Foundation
import Testing

/// A job file with a mistake in it, and the one line that says where it is.
struct JobMistake: CustomTestStringConvertible {
  var name: String
  var job: String
  var says: String
  var testDescription: String { name }

  init(_ name: String, _ job: String, says: String) {
    self.name = name
    self.job = job
    self.says = says
  }

  /// A job whose one scenario has these lines besides its name; the first is line 5.
  static func scenario(_ name: String, _ lines: String, says: String) -> JobMistake {
    let indented = lines.split(separator: "\n").map { "    \($0)\n" }.joined()
    return JobMistake(
      name, "version: 1\nimages: {kernel: {file: idle.elf}}\nscenarios:\n  - name: s\n" + indented,
      says: says)
  }

  static let all: [JobMistake] = [
    .init("an empty file", "", says: "locklab.yml: the job file is empty"),
    .init(
      "a list", "- 1\n",
      says: "locklab.yml:1:1: a job file is a mapping with the keys "
        + "version, images, defaults, scenarios"),
    .init(
      "no YAML", "version: 1\nimages: [\n",
      says: "locklab.yml:3:1: not YAML: "
        + "did not find expected node content"),
    .init(
      "a key twice", "version: 1\nversion: 1\n",
      says: "locklab.yml:1:1: given twice in one mapping: version"),
    .init(
      "no version", "images: {}\nscenarios: []\n",
      says: "locklab.yml:1:1: the key 'version' is missing"),
    .init(
      "a later version", "version: 2\n",
      says: "locklab.yml:1:10: this LockLab reads job files of version 1"),
    .init(
      "a misspelt key of the job", "version: 1\nscenario: []\n",
      says: "locklab.yml:2:1: unknown key 'scenario' in a job file; did you mean 'scenarios'?"),
    .init(
      "no scenario", "version: 1\nimages: {k: {file: idle.elf}}\nscenarios: []\n",
      says: "locklab.yml:3:12: there is no scenario"),
    .init(
      "an image of two kinds", "version: 1\nimages: {k: {file: a, builtin: b}}\nscenarios: []\n",
      says:
        "locklab.yml:2:13: an image is one of {builtin: NAME}, {file: PATH} and {objects: [a.o, libb.a]}"
    ),
    .init(
      "a scenario twice",
      "version: 1\nimages: {k: {file: idle.elf}}\nscenarios:\n  - name: s\n  - name: s\n",
      says: "locklab.yml:5:11: there is a scenario 's' already in line 4"),
    .init(
      "an unknown image",
      "version: 1\nimages: {kernel: {file: idle.elf}}\nscenarios:\n  - name: s\n    image: kernal\n",
      says: "locklab.yml:5:12: there is no image 'kernal' under `images`; did you mean 'kernel'?"),
    .scenario(
      "a misspelt key", "expects: clean",
      says: "locklab.yml:5:5: unknown key 'expects' in a scenario; did you mean 'expect'?"),
    .scenario(
      "a text for a number", "cpus: two",
      says: "locklab.yml:5:11: expected a number, found 'two'"),
    .scenario(
      "a number for a text", "command-line: 7",
      says: "locklab.yml:5:19: expected a text, found the number 7; "
        + "put it in quotes if that is meant"),
    .scenario(
      "a number out of range", "cpus: 0", says: "locklab.yml:5:11: 0 is out of range: 1 to 8"),
    .scenario(
      "an enormous number", "cpus: 99999999999999999999",
      says: "locklab.yml:5:11: 99999999999999999999 is out of range: 1 to 8"),
    .scenario(
      "a list for a mapping", "start: [a]",
      says: "locklab.yml:5:12: expected a mapping, found a list"),
    .scenario(
      "no such size", "memory: lots",
      says: "locklab.yml:5:13: 'lots' is not a size; write bytes, or 64K, 32M, 1G"),
    .scenario(
      "a source without line", "sources: [{name: timer}]",
      says:
        "locklab.yml:5:15: a source has either a `line` from 0 to 15 or one of `nmi: true`, `machine-check: true`, `local-timer: true`"
    ),
    .scenario(
      "two sources of one name", "sources: [{name: a, line: 0}, {name: a, line: 1}]",
      says: "locklab.yml:5:14: two sources are called 'a'"),
    .scenario(
      "arrivals that are no number", "sources: [{name: a, line: 0, arrivals: often}]",
      says: "locklab.yml:5:44: expected a number or 'unlimited', found 'often'"),
    .scenario(
      "an unknown kind of lock", "locks: [{kind: valeu, acquire: a, release: b}]",
      says: "locklab.yml:5:20: 'valeu' is no kind of lock; did you mean 'value'? "
        + "(value, count, field, plain, sleeping)"),
    .scenario(
      "a lock without release", "locks: [{acquire: a}]",
      says: "locklab.yml:5:13: a lock needs the functions that `acquire` and `release` it"),
    .scenario(
      "an unknown rule", "expect: {violated: [interupts-lost]}",
      says: "locklab.yml:5:25: there is no rule 'interupts-lost'; did you mean 'interrupts-lost'?"),
    .scenario(
      "an unknown expectation", "expect: dirty",
      says: "locklab.yml:5:13: expected `clean` or {violated: [RULES]}"),
    .scenario(
      "an unknown mechanism", "covers: [M36]",
      says: "locklab.yml:5:14: 'M36' is neither a rule nor one of M1 to M35 and H1 to H13"
        + "; did you mean 'M16', 'M26' or 'M3'?"),
    .scenario(
      "a patch without action", "patches: [{symbol: _start, instruction: cli}]",
      says: "locklab.yml:5:15: a patch has either `drop: true` or `replace: \"hex bytes\"`"),
    .scenario(
      "a patch with odd bytes", "patches: [{symbol: _start, instruction: cli, replace: \"9\"}]",
      says: "locklab.yml:5:59: expected bytes in hexadecimal, as in \"90 90\""),
    .scenario(
      "a symbol that the image lacks", "ends: [_strat]",
      says: "locklab.yml:5:12: the image 'kernel' has no symbol '_strat'; did you mean '_start'?"),
    .scenario(
      "an alias to nothing", "ends: *nowhere",
      says: "locklab.yml:5:11: not YAML: found undefined alias"),
  ]
}

@Suite struct JobErrorTests {
  @Test(arguments: JobMistake.all)
  func a_mistake_is_shown_with_its_place(mistake: JobMistake) throws {
    let workshop = try Workshop()
    _ = try TinyKernel.idle.build(in: workshop)
    try workshop.write("locklab.yml", mistake.job)
    let outcome = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    #expect(
      outcome == Outcome(status: 3, output: "", errors: "locklab: \(mistake.says)\n"))
  }

  @Test func aliases_of_aliases_do_not_explode() throws {
    let workshop = try Workshop()
    var job = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
      let items = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      job += "a\(level): &a\(level) [\(items)]\n"
    }
    try workshop.write("values.yml", job)
    try workshop.expectFailure(
      "list", "values.yml",
      says: "values.yml:2:1: unknown key 'a0' in a job file "
        + "(known: defaults, images, scenarios, version)")
    for key in ["? *a12\n: 1\n", "*a12 : 1\n", "{*a12 : 1}\n", "[*a12]: 1\n"] {
      try workshop.write("keys.yml", job + key)
      let outcome = try workshop.locklab("list", "keys.yml")
      #expect(outcome.status == 3 && outcome.errors.hasPrefix("locklab: keys.yml:15:"))
      #expect(outcome.errors.hasSuffix(": a key is a plain name: no alias, list or mapping\n"))
    }
  }

  @Test func a_job_that_is_no_text_is_refused() throws {
    let workshop = try Workshop()
    try workshop.write("locklab.yml", bytes: [0xFF, 0xFE, 0x00, 0x80])
    try workshop.expectFailure(
      "check", "locklab.yml", says: "locklab.yml: not a job file: it is not UTF-8 text")
  }

  @Test func defaults_are_merged_and_lists_are_replaced() throws {
    let workshop = try Workshop()
    _ = try TinyKernel.idle.build(in: workshop)
    try workshop.write(
      "locklab.yml",
      """
      version: 1
      images: {kernel: {file: idle.elf}}
      defaults:
        start: {symbol: idle, hits: 2}
        sources: [{name: timer, line: 0, arrivals: 3}, {name: panel, nmi: true}]
        max-interrupts: 4
        covers: [M1, M2]
      scenarios:
        - name: as-is
        - name: changed
          sources: [{name: keyboard, line: 1, data: "1e 9e"}]
          max-interrupts: unlimited
          covers: [data-race]
          ignore: [{symbol: counter, size: 4}]

      """)
    let outcome = try workshop.locklab("list", "locklab.yml", "--format", "json")
    #expect(outcome.errors == "")
    let list = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    let scenarios = try #require(list?["scenarios"] as? [[String: Any]])
    func words(_ index: Int, _ key: String) -> [String] {
      (scenarios[index]["environment"] as? [String: Any])?[key] as? [String] ?? []
    }
    #expect(words(0, "sources") == ["timer: line 0, 3 times", "panel: NMI, unlimited"])
    #expect(words(0, "bounds") == ["at most 4 interrupts in all"])
    #expect(scenarios[0]["covers"] as? [String] == ["M1", "M2"])
    #expect(words(1, "sources") == ["keyboard: line 1, unlimited"])
    #expect(words(1, "bounds") == ["counter is not part of the state"])
    #expect(scenarios[1]["covers"] as? [String] == ["data-race"])
    #expect(
      Set(scenarios[0].keys) == [
        "name", "image", "arch", "expected", "environment", "covers", "notes",
      ])
  }
}
