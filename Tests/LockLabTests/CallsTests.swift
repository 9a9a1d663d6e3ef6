import Foundation
import Testing

/// Scenarios that call functions instead of booting an image.
@Suite struct CallsTests {
  struct Run: Decodable {
    struct Scenario: Decodable {
      struct Outcome: Decodable {
        var values: [String: Int]
        var steps: [String]
      }
      struct Found: Decodable {
        var rule: String
        var title: String
        var id: Int
      }
      var name: String
      var arch: String
      var verdict: String
      var met: Bool
      var notes: [String]
      var outcomes: [Outcome]?
      var counterexamples: [Found]
    }
    var scenarios: [Scenario]
  }

  /// The test's own PATH: linkers are found by it.
  static let environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]

  static func check(
    _ job: String, reduce: String = "all", in workshop: Workshop
  ) throws -> [String: Run.Scenario] {
    try workshop.write("locklab.yml", job)
    let outcome = try workshop.locklab(
      "check", "locklab.yml", "--format", "json", "--progress", "none", "--reduce", reduce,
      environment: environment)
    guard let run = try? JSONDecoder().decode(Run.self, from: Data(outcome.output.utf8)) else {
      Issue.record("no JSON: \(outcome.output) \(outcome.errors)")
      return [:]
    }
    return Dictionary(uniqueKeysWithValues: run.scenarios.map { ($0.name, $0) })
  }

  static func values(_ scenario: Run.Scenario?, _ names: String...) -> Set<[Int]> {
    Set((scenario?.outcomes ?? []).map { o in names.map { o.values[$0] ?? .min } })
  }

  @Test(
    "Litmus tests have exactly the outcomes of sequential consistency",
    arguments: ObjectCode.Target.allCases, ["all", "none", "fuse", "late,stack,reuse"])
  func litmus(target: ObjectCode.Target, reduce: String) throws {
    let workshop = try Workshop()
    try ObjectCode.compile(ObjectCode.common, to: "code", for: target, in: workshop)
    let found = try Self.check(
      """
      version: 1
      images: {code: {objects: code.o}}
      defaults: {atomics: [x, y, data, flag, count]}
      scenarios:
        - {name: buffer, calls: [buffer1, buffer2], observe: [r1, r2],
           final: "r1 == 1 || r2 == 1"}
        - {name: message, calls: [send, receive], observe: [seen, got], final: "seen ==> got == 42"}
        - {name: lost, calls: [increment, increment, increment], observe: {n: count}}
        - {name: interrupted, calls: [increment],
           sources: [{name: timer, function: increment, arrivals: 2}], observe: [count]}
        - {name: locked, calls: [{call: {function: add, arguments: [lock, 1], times: 2}},
                                 {call: {function: add, arguments: ["&lock", 10]}}],
           observe: [count, inside], invariants: ["inside <= 1"]}
      """, reduce: reduce, in: workshop)
    #expect(found.values.allSatisfy { $0.verdict == "clean" && $0.arch == target.arch })
    #expect(Self.values(found["buffer"], "r1", "r2") == [[0, 1], [1, 0], [1, 1]])
    #expect(Self.values(found["message"], "seen", "got") == [[0, 0], [0, 42], [1, 42]])
    #expect(Self.values(found["lost"], "n") == [[1], [2], [3]])
    #expect(Self.values(found["interrupted"], "count") == [[1], [2], [3]])
    #expect(Self.values(found["locked"], "count", "inside") == [[12, 0]])
  }

  @Test("The whole output, with outcomes", arguments: ObjectCode.Target.allCases)
  func output(target: ObjectCode.Target) throws {
    let workshop = try Workshop()
    try ObjectCode.compile(ObjectCode.common, to: "code", for: target, in: workshop)
    try workshop.write(
      "locklab.yml",
      """
      version: 1
      images: {code: {objects: [code.o]}}
      scenarios:
        - {name: soft, calls: [call_soft], observe: {value: soft},
           handlers: [{vector: 128, function: on_soft, arguments: [77]}]}
      """)
    let outcome = try workshop.locklab(
      "check", "locklab.yml", "--progress", "none", environment: Self.environment)
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n").map(String.init)
    #expect(lines.count == 5)
    #expect(lines.dropFirst().first?.hasPrefix(" ✓ soft      clean") == true)
    #expect(Array(lines.dropFirst(2).prefix(2)) == ["     value", "        77"])
    #expect(outcome.errors == "")
  }

  @Test(
    "Arguments, repetitions, NMI, software interrupts, tables",
    arguments: ObjectCode.Target.allCases)
  func kinds(target: ObjectCode.Target) throws {
    let workshop = try Workshop()
    try ObjectCode.compile(ObjectCode.common, to: "code", for: target, in: workshop)
    let found = try Self.check(
      """
      version: 1
      images: {code: {objects: code.o}}
      scenarios:
        - {name: many, observe: [args],
           calls: [{call: {function: many, arguments: [1, 2, 3, 4, 5, 6, 7, -8]}}]}
        - {name: times, calls: [{call: {function: increment, times: 100}}], observe: [count]}
        - {name: nmi, calls: [{call: increment, interrupts: false}], observe: [nmis],
           sources: [{name: button, nmi: true, function: on_nmi, arrivals: 2}]}
        - {name: table, calls: [set_table],
           observe: {a: "table[2]", b: "s16(pair + 2)", c: "u16(pair + 2)", d: "table[table[0]]",
                     e: "&pair == &pair + 0", f: cpus, g: "interrupts(0)"}}
        - {name: until, calls: [increment], until: increment, observe: [count]}
        - {name: woken, calls: [wait], sources: [{name: waker, function: wake}]}
        - {name: stack, calls: [{stack: 256, call: [increment, increment]}], observe: [count]}
      """, in: workshop)
    #expect(found.count == 7 && found.values.allSatisfy { $0.verdict == "clean" })
    #expect(Self.values(found["many"], "args") == [[1]])
    #expect(Self.values(found["times"], "count") == [[100]])
    #expect(Self.values(found["nmi"], "nmis") == [[0], [1], [2]])
    #expect(
      Self.values(found["table"], "a", "b", "c", "d", "e", "f", "g") == [
        [0, -2, 65534, 2, 1, 1, 1]
      ]
    )
    #expect(Self.values(found["until"], "count") == [[0]])
    #expect(Self.values(found["stack"], "count") == [[2]])
  }

  @Test("What never returns is found", arguments: ObjectCode.Target.allCases)
  func stuck(target: ObjectCode.Target) throws {
    let workshop = try Workshop()
    try ObjectCode.compile(ObjectCode.common, to: "code", for: target, in: workshop)
    let found = try Self.check(
      """
      version: 1
      images: {code: {objects: code.o}}
      scenarios:
        - {name: halted, calls: [halt], expect: {violated: lost-wakeup}}
        - {name: spinning, calls: [spin], expect: {violated: deadlock}}
        - {name: late, calls: [wait], sources: [{name: waker, function: wake, arrivals: 1}],
           expect: {violated: lost-wakeup}}
        - {name: other, calls: [spin, halt], expect: {violated: deadlock}}
        - {name: helped, calls: [spin, wake], atomics: [flag]}
        - {name: wrong, calls: [{call: {function: add, arguments: [lock, 1]}}],
           sources: [{name: timer, function: tick}], ignore: [count],
           expect: {violated: deadlock-on-interrupt}}
        - {name: right, calls: [{call: {function: add_irq, arguments: 1}},
                                {call: {function: add_irq, arguments: 2}}],
           sources: [{name: timer, function: tick}], ignore: [count]}
      """, in: workshop)
    #expect(found.count == 7 && found.values.allSatisfy { $0.met })
    #expect(
      found["halted"]?.counterexamples.first?.title.hasPrefix("CPU 0 is halted at `halt+0x") == true
    )
  }

  @Test(
    "Conditions: wrong and right in pairs, whatever the reductions", arguments: ["all", "none"])
  func conditions(reduce: String) throws {
    let workshop = try Workshop()
    try ObjectCode.compile(ObjectCode.common, to: "code", for: .x64, in: workshop)
    let found = try Self.check(
      """
      version: 1
      images: {code: {objects: code.o}}
      defaults: {atomics: [inside, count, x, y]}
      scenarios:
        - {name: without-lock, invariants: ["inside <= 1"], expect: {violated: [assertion, data-race]},
           calls: [{call: {function: add, arguments: [r1, 1]}}, {call: {function: add, arguments: [r2, 1]}}]}
        - {name: with-lock, invariants: ["inside <= 1"],
           calls: [{call: {function: add, arguments: [r1, 1]}}, {call: {function: add, arguments: [r1, 1]}}]}
        - {name: while-off, calls: [{call: {function: add_irq, arguments: 5}}],
           invariants: ["inside == 0"], expect: {violated: assertion}}
        - {name: while-on, calls: [{call: {function: add_irq, arguments: 5}}],
           invariants: ["interrupts(0) ==> inside == 0"]}
        - {name: held, calls: [{call: {function: add, arguments: [lock, 5]}}],
           locks: [{acquire: acquire, release: release, kind: plain}],
           invariants: ["inside ==> held(lock) == 1"]}
        - {name: never-both, calls: [buffer1, buffer2], final: "r1 == 0 || r2 == 0",
           expect: {violated: assertion}}
        - {name: handler, calls: [call_soft], invariants: ["soft == 0"],
           handlers: [{vector: 128, function: on_soft, arguments: [1]}], expect: {violated: assertion}}
        - {name: first, calls: [increment], invariants: ["got != -1"], expect: {violated: assertion}}
        - {name: nothing, calls: [increment], invariants: ["1 / x > 0"]}
        - {name: outside, calls: [increment], final: ["table[x + 4] == 0"]}
      """, reduce: reduce, in: workshop)
    for name in found.keys.sorted() where name != "nothing" && name != "outside" {
      #expect(found[name]?.met == true, "\(name)")
    }
    #expect(
      found["while-off"]?.counterexamples.first?.title.hasPrefix(
        "the invariant `inside == 0` (inside = 1) does not hold after `add+0x") == true)
    #expect(
      found["never-both"]?.counterexamples.map(\.title) == [
        "the final condition `r1 == 0 || r2 == 0` (r1 = 1, r2 = 1) does not hold when all work is done"
      ])
    #expect(found["nothing"]?.verdict == "inconclusive")
    #expect(
      found["nothing"]?.notes == [
        "`1 / x > 0` has no value: division by zero (1 path not followed)."
      ]
    )
    #expect(found["outside"]?.verdict == "inconclusive")
  }

  @Test(
    "Images that are linked high are mapped where they are linked",
    arguments: ObjectCode.Target.allCases)
  func high(target: ObjectCode.Target) throws {
    let workshop = try Workshop()
    try ObjectCode.compile(
      ObjectCode.common, to: "code", for: target,
      options: target == .x64 ? ["-mcmodel=kernel"] : [], in: workshop)
    for (name, at) in [("same", ""), ("low", "AT(0x200000)")] {
      try workshop.write(
        "\(name).ld",
        """
        ENTRY(send)
        SECTIONS {
          . = \(target == .x64 ? "0xffffffff80100000" : "0xc0100000");
          .text : \(at) { *(.text*) }
          .data : { *(.data*) *(.rodata*) }
          .bss : { *(.bss*) *(COMMON) }
          /DISCARD/ : { *(.note*) *(.eh_frame*) }
        }
        """)
      try TinyKernel.run(
        [
          "ld.lld", "-m", target == .x64 ? "elf_x86_64" : "elf_i386", "-T", "\(name).ld", "code.o",
          "-o", "\(name).elf",
        ], in: workshop.folder)
    }
    let found = try Self.check(
      """
      version: 1
      images: {same: {file: same.elf}, low: {file: low.elf}}
      defaults: {calls: [send, receive], observe: [seen, got], atomics: [data, flag]}
      scenarios:
        - {name: same, image: same}
        - {name: low, image: low}
      """, in: workshop)
    for name in ["same", "low"] {
      #expect(found[name]?.verdict == "clean")
      #expect(Self.values(found[name], "seen", "got") == [[0, 0], [0, 42], [1, 42]])
    }
  }

  @Test("Functions that take their arguments in registers")
  func registers() throws {
    let workshop = try Workshop()
    try ObjectCode.compile(
      ObjectCode.common, to: "code", for: .i386, options: ["-mregparm=3"], in: workshop)
    let job = """
      version: 1
      images: {code: {objects: code.o}}
      scenarios:
        - {name: many, observe: [args, soft], CONVENTION
           calls: [{call: [{function: many, arguments: [1, 2, 3, 4, 5, 6, 7, -8]}, call_soft]}],
           handlers: [{vector: 128, function: on_soft, arguments: [9]}]}
      """
    let right = try Self.check(
      job.replacing("CONVENTION", with: "convention: regparm,"), in: workshop)
    #expect(Self.values(right["many"], "args", "soft") == [[1, 9]])
    let wrong = try Self.check(job.replacing("CONVENTION", with: ""), in: workshop)
    #expect(Self.values(wrong["many"], "args", "soft") != [[1, 9]])
  }

  @Test("A counterexample in linked objects replays when the objects are gone")
  func replay() throws {
    let workshop = try Workshop()
    try ObjectCode.compile(ObjectCode.common, to: "code", for: .x64, in: workshop)
    let found = try Self.check(
      """
      version: 1
      images: {code: {objects: code.o}}
      scenarios: [{name: never, calls: [buffer1, buffer2], atomics: [x, y],
                   final: "r1 != r2"}]
      """, in: workshop)
    #expect(found["never"]?.counterexamples.map(\.rule) == ["assertion"])
    try FileManager.default.removeItem(atPath: workshop.path("code.o"))
    let replayed = try workshop.locklab("replay", "1", "--progress", "none")
    #expect(replayed.status == 0)
    #expect(replayed.output.hasPrefix("Same: assertion breaks at instruction "))
  }
}
