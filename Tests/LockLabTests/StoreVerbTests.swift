import Database
import Foundation
import Model
import Testing

/// The verbs that work on the database, run as a user runs them.
@Suite struct StoreVerbTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  private func check(_ arguments: String...) throws -> Outcome {
    try workshop.run(
      workshop.process(["check", "locklab.yml", "--progress", "none"] + arguments))
  }

  /// A job of one scenario, `kernel`, whose image is this one.
  private func writeJob(_ kernel: TinyKernel) throws {
    _ = try kernel.build(in: workshop, name: "kernel")
    try workshop.write(
      "locklab.yml",
      """
      version: 1
      images: {kernel: {file: kernel.elf}}
      scenarios: [{name: kernel, start: {symbol: \(kernel)}, sources: []}]

      """)
  }

  private func status() throws -> String {
    try workshop.locklab(
      "query", "SELECT machine_status || ' ' || person_status AS s FROM counterexample",
      "--format", "csv"
    ).output.replacing("s\r\n", with: "").replacing("\r\n", with: "")
  }

  @Test func the_story_of_a_defect_that_is_fixed_and_comes_back() throws {
    // Both kernels have the symbol from which exploration begins.
    func write(_ body: String) throws {
      try TinyKernel.write(body: "start:\n\(body)", to: "kernel", in: workshop)
      try workshop.write(
        "locklab.yml",
        """
        version: 1
        images: {kernel: {file: kernel.elf}}
        scenarios: [{name: kernel, start: {symbol: start}, sources: []}]

        """)
    }
    let (broken, right) = ("  cli\n1: hlt\n  jmp 1b", "  sti\n1: hlt\n  jmp 1b")
    try write(broken)
    #expect(try check().status == 1)
    #expect(try status() == "new unreviewed")
    #expect(try check().status == 1)
    #expect(try status() == "present unreviewed")
    // No time at all: nothing is explored, and nothing is said.
    #expect(try check("--time-limit", "0").status == 2)
    #expect(try status() == "present unreviewed")
    try write(right)
    #expect(try check().status == 0)
    #expect(try status() == "gone unreviewed")
    let triage = try workshop.locklab(
      "triage", "1", "fixed", "--reason", "interrupts are on", "--author", "ada")
    #expect(triage.status == 0)
    // It comes back, elsewhere in the code.
    try write("  nop\n  nop\n" + broken)
    #expect(try check().status == 1)
    #expect(try status() == "reappeared fixed")

    let history = try workshop.locklab("history", "1", environment: ["COLUMNS": "200"])
    #expect(history.status == 0 && history.errors == "")
    let lines = history.output.split(separator: "\n").map(String.init)
    #expect(lines.count == 6)
    for (line, words) in zip(
      lines.dropFirst(),
      [
        ["machine", "new", "kernel", "Found."], ["machine", "present"],
        ["machine", "gone", "Every reachable state was examined"],
        ["person", "fixed", "ada", "interrupts are on"], ["machine", "reappeared"],
      ])
    {
      for word in words { #expect(line.contains(word), "\(line)") }
    }
    let json = try workshop.locklab("history", "1", "--format", "json").output
    #expect(json.contains("\"outcome\" : \"not-found\""))

    let diff = try workshop.locklab("diff", "1", "4")
    #expect(diff.status == 0)
    #expect(diff.output.contains("\nGone since run 1: 1\n"))
    #expect(
      diff.output.contains(/earlier  run 1, 20\S+ \S+, 1 scenario, ended with 1: locklab check/))
    let back = try workshop.locklab("diff", "previous", "last", "--format", "json")
    #expect(back.output.contains("\"new\" : 1,"))
    let open = try workshop.locklab("diff", "1", "3")
    #expect(open.output.contains("\nNot found by run 3, nor excluded by it: 1\n"))
    #expect(
      try workshop.locklab("query", "--status", "reappeared", "--format", "csv").output.contains(
        "\r\n1,"))
    #expect(
      try workshop.locklab("query", "--status", "fixed", "--status", "gone").output.hasSuffix(
        "(none)\n"))
    #expect(try workshop.locklab("query", "--saved", "open").output.contains("reappeared"))
  }

  @Test func an_exported_counterexample_replays_where_there_is_nothing_else() throws {
    try writeJob(.broken)
    #expect(try check().status == 1)
    let exported = try workshop.locklab("export", "1", "--output", "one.locklab")
    #expect(
      exported
        == Outcome(status: 0, output: "1 counterexample written to one.locklab\n", errors: ""))
    try workshop.expectFailure(
      "export", "1", "--output", "one.locklab",
      says: "one.locklab: exists already; name another file, or say --overwrite")

    let elsewhere = try Workshop()
    try FileManager.default.copyItem(
      atPath: workshop.path("one.locklab"), toPath: elsewhere.path("one.locklab"))
    let imported = try elsewhere.locklab("import", "one.locklab")
    #expect(imported.status == 0)
    #expect(
      imported.output.hasPrefix(
        "one.locklab: new: 1 run, 1 counterexample, 1 occurrence, 1 observation\n  1  interrupts-lost: "
      ))
    let replayed = try elsewhere.locklab("replay", "1")
    #expect(replayed.status == 0)
    #expect(replayed.output.hasPrefix("Same: interrupts-lost breaks at instruction "))
    #expect(try elsewhere.locklab("show", "1").output.contains("imported:kernel.elf"))
    #expect(
      try elsewhere.locklab("import", "one.locklab").output.hasPrefix("one.locklab: nothing new\n"))
    // And on from there.
    #expect(try elsewhere.locklab("export", "1", "-o", "two.locklab").status == 0)

    // The image has been overwritten since: its bytes are nowhere.
    try writeJob(.idle)
    let refused = try workshop.locklab("export", "1", "--output", "two.locklab")
    #expect(refused.status == 3 && refused.output == "")
    #expect(refused.errors.contains("name it with --image"))
    #expect(!FileManager.default.fileExists(atPath: workshop.path("two.locklab")))
    try workshop.write("bad.locklab", "{\"locklabCounterexamples\": 1}")
    try workshop.expectFailure(
      "import", "bad.locklab",
      says: "bad.locklab: not a file of counterexamples that can be imported: "
        + "'version' is missing in the file")
  }

  @Test func databases_are_merged_backed_up_and_pruned() throws {
    try StoredSample.write(to: workshop)
    let other = try Workshop()
    try StoredSample.write(to: other)
    let merged = try workshop.locklab("merge", other.path("locklab.db"), "--db", "joined.db")
    #expect(merged.status == 0)
    #expect(
      merged.output.hasSuffix(": new: 1 run, 1 counterexample, 1 occurrence, 1 observation\n"))
    #expect(
      try workshop.locklab("merge", other.path("locklab.db"), "--db", "joined.db").output
        .hasSuffix(": nothing new\n"))
    try workshop.expectFailure(
      "merge", "none.db", says: "none.db: no such database; `locklab check --db none.db` makes one")

    #expect(
      try workshop.locklab("backup", "copy.db")
        == Outcome(status: 0, output: "locklab.db copied to copy.db\n", errors: ""))
    try workshop.expectFailure(
      "backup", "copy.db", says: "copy.db: exists already; name another file, or say --overwrite")
    #expect(try workshop.locklab("backup", "copy.db", "--overwrite").status == 0)
    #expect(try workshop.locklab("show", "1", "--db", "copy.db").status == 0)

    #expect(
      try workshop.locklab("prune", "--before", "2999-01-01", "--dry-run").output
        == "would remove 0 runs, 0 occurrences, 0 executions, 0 counterexamples\n")
    let wrong = try workshop.locklab("prune", "--before", "1d", "--counterexamples")
    #expect(wrong.status == 64)
  }

  @Test func strings_from_an_image_do_nothing_to_a_terminal_or_to_sql() throws {
    let evil = "\u{1B}]0;x\u{7}\u{9B}31m\u{202E}'; DROP TABLE run; --<script>]]>\r\n\"&\u{2028}end"
    let file = SourceLocation(file: "\(evil).c", line: 1)
    var bad = StoredSample.deadlock
    bad.title = evil
    bad.identity.lockClasses = [evil]
    bad.identity.functions = [evil, evil]
    bad.injected = [evil]
    bad.holders = [evil]
    bad.waiters = [evil]
    for index in bad.events.indices {
      bad.events[index].text = evil
      bad.events[index].context = evil
      bad.events[index].function = evil
      bad.events[index].disassembly = evil
      bad.events[index].inlined = [evil]
      bad.events[index].held = [evil]
      bad.events[index].location = file
    }
    bad.stacks = [
      ContextStack(
        context: evil,
        frames: [StackFrame(address: 1, function: evil, location: file, inlined: [evil])])
    ]
    try StoredSample.write(to: workshop, bad)
    let store = try Store(path: workshop.path("locklab.db"), access: .write)
    #expect(try store.counterexample(1).counterexample == bad)
    try store.decide(.confirmed, about: 1, author: evil, reason: evil)
    try store.recordObservation(counterexample: 1, status: .gone, run: 1, reason: evil)
    for arguments in [
      ["query"], ["query", "--format", "json"], ["query", "--text", "DROP TABLE"], ["show", "1"],
      ["show", "1", "--format", "json"], ["history", "1"], ["history", "1", "--format", "json"],
      ["diff", "1", "1"], ["diff", "1", "1", "--format", "json"], ["query", "--text", evil],
      ["query", "SELECT * FROM triage"], ["query", "SELECT '\u{1B}[31m' AS \"\u{9B}31m\""],
      ["query", "--rule", evil], ["show", evil], ["diff", evil, "1"], ["query", "--saved", evil],
      ["query", "SELECT '\(evil)'"],
    ] {
      let outcome = try workshop.run(workshop.process(arguments))
      for text in [outcome.output, outcome.errors] {
        let hostile = text.unicodeScalars.filter { scalar in
          switch scalar.properties.generalCategory {
          case .control, .format, .lineSeparator, .paragraphSeparator: scalar != "\n"
          default: false
          }
        }
        #expect(hostile.isEmpty, "\(arguments): \(hostile.map(\.value))")
      }
      #expect(outcome.status == 0 || outcome.errors.split(separator: "\n").count == 1)
    }
    #expect(try store.counterexample(1).counterexample == bad)
  }

  @Test func a_nul_ends_no_page() throws {
    var bad = StoredSample.deadlock
    bad.identity.functions = ["a\u{0}b", "c"]
    bad.holders = ["held\u{0}by"]
    try StoredSample.write(to: workshop, bad)
    let page = try workshop.locklab("show", "1")
    #expect(page.status == 0 && page.output.contains("a\\x00b → c"))
    #expect(page.output.contains("held\\x00by"))
    #expect(
      try workshop.locklab("query", "SELECT 'x' || char(0) || 'y' AS v").output.contains("x\\x00y"))
  }

  @Test func a_full_disk_is_one_error_of_a_run_and_what_was_found_before_stays() throws {
    try writeJob(.broken)
    let disk = workshop.path("disk")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
    func mount(_ arguments: String...) throws -> Bool {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = arguments
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      return process.terminationStatus == 0
    }
    // Only the superuser can make a disk that is full.
    guard try mount("mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", disk) else { return }
    defer { _ = try? mount("umount", "-l", disk) }
    #expect(try check("--db", "disk/locklab.db").status == 1)
    #expect(FileManager.default.createFile(atPath: disk + "/filler", contents: nil))
    let filler = try FileHandle(forWritingTo: URL(fileURLWithPath: disk + "/filler"))
    while (try? filler.write(contentsOf: Data(count: 4096))) != nil {}
    let full = try check("--db", "disk/locklab.db")
    #expect(full.status == 3)
    #expect(
      full.errors
        == "locklab: disk/locklab.db: the disk is full; free some space or name a file on another "
        + "disk with --db\n")
    try filler.close()
    try FileManager.default.removeItem(atPath: disk + "/filler")
    #expect(try workshop.locklab("show", "1", "--db", "disk/locklab.db").status == 0)
    #expect(try check("--db", "disk/locklab.db").status == 1)
  }

  @Test(arguments: [
    "history", "diff", "merge", "export", "import", "backup", "prune", "query", "markers", "schema",
  ])
  func every_verb_shows_examples(verb: String) throws {
    let help = try workshop.locklab(verb, "--help")
    #expect(help.status == 0)
    #expect(help.output.contains("EXAMPLES\n"))
    #expect(help.output.contains("  locklab \(verb)"))
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completion_knows_the_verbs(shell: String) throws {
    let script = try workshop.locklab("--generate-completion-script", shell)
    #expect(script.status == 0)
    let missing = [
      "history", "diff", "merge", "prune", "markers", "schema", "not-reachable-in-these-bounds",
    ].filter {
      !script.output.contains($0)
    }
    #expect(missing.isEmpty)
  }
}
