import Foundation
import Model
import Testing

@testable import LockLab

/// The published JSON Schema of job files.
@Suite struct SchemaTests {
  private static let published = Reader.root.appendingPathComponent("docs/locklab.schema.json")

  @Test func the_command_prints_what_is_published() throws {
    let outcome = try Workshop().locklab("schema")
    #expect(outcome.status == 0 && outcome.errors == "")
    #expect(outcome.output == (try String(contentsOf: Self.published, encoding: .utf8)))
  }

  /// A validator of others accepts every job of ours, and refuses what LockLab refuses.
  @Test func jobs_keep_to_it() throws {
    let workshop = try Workshop()
    let resources = Reader.root.appendingPathComponent("Sources/LockLab/Resources")
    var files = ["reference.yml", "reference-x86-64.yml"].map {
      resources.appendingPathComponent($0).path
    }
    let examples = Reader.root.appendingPathComponent("Examples")
    if let found = FileManager.default.enumerator(at: examples, includingPropertiesForKeys: nil) {
      for case let file as URL in found where file.lastPathComponent == "locklab.yml" {
        files.append(file.path)
      }
    }
    files.append(
      try workshop.write(
        "calls.yml",
        """
        version: 1
        images: {code: {objects: [a.o, libb.a]}}
        defaults: {stubs: {printk: noop, id: 3, copy: my_copy, jiffies: {data: 8}, f: {returns: -1}}}
        scenarios:
          - name: all
            calls:
              - f
              - [g, {function: h, arguments: [1, table + 8, "&lock"], times: 3}]
              - {cpu: 5, stack: 4K, interrupts: false, call: f}
            convention: regparm
            handlers: [{vector: 128, function: f, arguments: 7, eoi: true}]
            sources: [{name: a, function: f, vector: 40, cpu: 1, arrivals: 2}, {name: n, nmi: true, function: f}]
            until: [f]
            invariants: ["a <= 1"]
            final: a == 2
            observe: {x: "u16(y + 2)"}
            locks:
              - {acquire: l, release: u, try-acquire: t, success: 0, lock: {register: rdi, offset: 8},
                 acquire-shared: rl, release-shared: ru, flags-pointer: 2}
        """))
    let wrong = [
      "version: 2\nimages: {a: {file: b}}\nscenarios: [{name: s}]\n",
      "version: 1\nimages: {a: {file: b, builtin: c}}\nscenarios: [{name: s}]\n",
      "version: 1\nimages: {a: {file: b}}\nscenarios: [{name: s, expects: clean}]\n",
      "version: 1\nimages: {a: {file: b}}\nscenarios: [{name: s, cpus: 9}]\n",
      "version: 1\nimages: {a: {file: b}}\nscenarios: [{name: s, calls: []}]\n",
      "version: 1\nimages: {a: {file: b}}\nscenarios: [{name: s, expect: {violated: [none-such]}}]\n",
      "version: 1\nimages: {a: {file: b}}\nscenarios: [{name: s, locks: [{kind: valeu, release: r}]}]\n",
      "version: 1\nimages: {a: {file: b}}\nscenarios: [{name: s, stubs: {f: {}}}]\n",
    ]
    let bad = try wrong.enumerated().map { try workshop.write("wrong\($0).yml", $1) }
    let read = try #require(
      try Reader.run("read_schema.py", [Self.published.path] + files + bad) as? [Any])
    let verdicts = read.map { $0 as? String }
    #expect(verdicts.count == files.count + bad.count)
    for (file, verdict) in zip(files, verdicts) { #expect(verdict == nil, "\(file)") }
    for verdict in verdicts.dropFirst(files.count) { #expect(verdict != nil) }
  }

  /// Rules, and keys of a scenario, are those that LockLab reads.
  @Test func it_knows_what_the_reader_knows() throws {
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: Self.published)) as? [String: Any])
    let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
    #expect(
      Set(definitions["rule"]?["enum"] as? [String] ?? []) == Set(RuleCatalogue.all.map(\.name)))
    let keys = (definitions["scenario"]?["properties"] as? [String: Any])?.keys
    #expect(Set(keys.map(Array.init) ?? []) == Set(ScenarioReader.readers.keys).union(["name"]))
    let locks = (definitions["lock"]?["properties"] as? [String: Any])?.keys
    #expect(Set(locks.map(Array.init) ?? []) == Set(ScenarioReader.lockKeys))
  }
}
