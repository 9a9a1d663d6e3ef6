import Foundation
import Testing

/// One clear line for each kind of bad input, and status 3.
@Suite struct BadInputTests {
  let workshop: Workshop
  init() throws { workshop = try Workshop() }

  // MARK: Images

  /// Status 3, nothing on standard output, one line that names the file.
  private func expectRefusal(of image: String, sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    let outcome = try workshop.locklab("check", "--image", image, "--progress", "none")
    #expect(outcome.status == 3, sourceLocation: sourceLocation)
    #expect(outcome.output == "", sourceLocation: sourceLocation)
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.count == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(
      outcome.errors.hasPrefix("locklab: \(image): "), "\(outcome.errors)",
      sourceLocation: sourceLocation)
    #expect(
      !FileManager.default.fileExists(atPath: workshop.path("locklab.db")),
      sourceLocation: sourceLocation)
  }

  @Test func no_such_file() throws {
    try workshop.expectFailure("check", "--image", "no.elf", says: "no.elf: no such file")
    try workshop.expectFailure("check", "no.yml", says: "no.yml: no such file")
  }

  @Test func an_image_that_is_not_built_yet() throws {
    func job(_ image: String) -> String {
      "version: 1\nimages: {k: {\(image)}}\nscenarios: [{name: s, image: k}]\n"
    }
    try workshop.write("hint.yml", job("file: build/k.elf, build: make kernel"))
    try workshop.expectFailure(
      "check", "hint.yml", says: "build/k.elf: no such file; this builds it: make kernel")
    try workshop.write("plain.yml", job("file: build/k.elf"))
    try workshop.expectFailure(
      "check", "plain.yml",
      says: "build/k.elf: no such file; it is the image 'k' of plain.yml, to be built first")
    try workshop.write("wrong.yml", job("builtin: core-i386, build: make kernel"))
    try workshop.expectFailure(
      "check", "wrong.yml", says: "wrong.yml:2:41: 'build' says how a {file: PATH} or {objects: [PATH]} is made")
  }

  @Test func a_folder_or_a_device_is_no_image() throws {
    try workshop.expectFailure("check", "--image", ".", says: ".: is a folder, not a file")
    try workshop.expectFailure(
      "check", "--image", "/dev/zero", says: "/dev/zero: is not a regular file")
  }

  @Test func not_an_elf_file() throws {
    try workshop.write("kernel.elf", "#!/bin/sh\necho I am a script\n")
    try expectRefusal(of: "kernel.elf")
    try workshop.write("empty.elf", "")
    try expectRefusal(of: "empty.elf")
  }

  @Test func an_elf_file_for_another_machine() throws {
    let path = try TinyKernel.idle.build(in: workshop, name: "kernel")
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[18] = 0xB7  // AArch64
    try workshop.write("kernel.elf", bytes: bytes)
    try expectRefusal(of: "kernel.elf")
  }

  @Test func a_truncated_elf_file() throws {
    let path = try TinyKernel.idle.build(in: workshop, name: "kernel")
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    for count in [4, 20, 51] {
      try workshop.write("kernel.elf", bytes: Array(bytes[..<count]))
      try expectRefusal(of: "kernel.elf")
    }
  }

  @Test func an_image_that_lacks_a_symbol() throws {
    _ = try TinyKernel.broken.build(in: workshop, name: "kernel")
    try workshop.expectFailure(
      "check", "--image", "kernel.elf", "--from", "brokne",
      says: "kernel.elf: the image 'kernel.elf' has no symbol 'brokne'; did you mean 'broken'?")
  }

  // MARK: Databases

  @Test func a_database_that_is_none() throws {
    try workshop.writeJob([(.idle, "clean")])
    try workshop.write("locklab.db", String(repeating: "not a database\n", count: 100))
    try workshop.expectFailure(
      "check", "locklab.yml",
      says: "locklab.db: not an SQLite database; name another file with --db")
    try workshop.expectFailure(
      "query", says: "locklab.db: not an SQLite database; name another file with --db")
  }

  @Test func a_database_that_is_not_there() throws {
    for verb in [["query"], ["show", "1"], ["replay", "1"]] {
      let outcome = try workshop.run(workshop.process(verb))
      #expect(
        outcome
          == Outcome(
            status: 3, output: "",
            errors: "locklab: locklab.db: no such database; "
              + "`locklab check --db locklab.db` makes one\n"))
    }
  }

  @Test func a_database_of_a_newer_schema() throws {
    try workshop.writeJob([(.idle, "clean")])
    _ = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    // The schema's number is in the file's header, at offset 60 (big-endian).
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: workshop.path("locklab.db"))))
    bytes[63] = 77
    try workshop.write("locklab.db", bytes: bytes)
    try workshop.expectFailure(
      "check", "locklab.yml",
      says: "locklab.db: written by a newer LockLab (schema 77, this one knows 2); "
        + "update LockLab or name another file with --db")
  }

  @Test func a_folder_that_cannot_be_written() throws {
    try workshop.writeJob([(.idle, "clean")])
    try workshop.expectFailure(
      "check", "locklab.yml", "--db", "/proc/locklab.db",
      says: "/proc/locklab.db: cannot be written; make the file and its folder writable, "
        + "or name another file with --db")
    try workshop.expectFailure(
      "check", "locklab.yml", "--db", "none/locklab.db",
      says: "none/locklab.db: its folder does not exist; "
        + "make the folder or name another file with --db")
    try workshop.write("file", "")
    try workshop.expectFailure(
      "check", "locklab.yml", "--db", "file/locklab.db",
      says: "file/locklab.db: its folder does not exist; "
        + "make the folder or name another file with --db")
  }

  // MARK: Names

  @Test func a_scenario_that_does_not_exist() throws {
    try workshop.writeJob([(.idle, "clean"), (.broken, "clean")])
    try workshop.expectFailure(
      "check", "locklab.yml", "--scenario", "brokne",
      says: "no scenario 'brokne'; did you mean 'broken'?")
    try workshop.expectFailure(
      "list", "locklab.yml", "--scenario", "mouse-*",
      says: "no scenario 'mouse-*'; there are: idle, broken")
  }

  @Test func a_rule_that_does_not_exist() throws {
    try workshop.expectFailure(
      "rules", "stak-reuse", says: "there is no rule 'stak-reuse'; did you mean 'stack-reuse'?")
  }

  @Test func a_counterexample_that_does_not_exist() throws {
    try workshop.writeJob([(.idle, "clean")])
    _ = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    try workshop.expectFailure(
      "show", "7", says: "no counterexample '7'; `locklab query` lists them")
  }

  // MARK: Wrong use

  @Test(arguments: [
    ["check", "--bogus"], ["frobnicate"], ["show"], ["check", "--reduce", "magic"],
    ["check", "--time-limit", "soon"], ["check", "a.yml", "--image", "b.elf"],
    ["check", "--from", "main"], ["check", "--workers", "0"], ["query", "--limit", "0"],
    ["query", "--since", "yesterday"], ["query", "SELECT 1", "--rule", "x"], ["gate"],
    ["triage", "1", "confirmed"], ["triage", "1", "duplicate", "--reason", "x"],
    ["check", "--format", "xml"], ["check", "--max-interrupts", "-1"],
  ])
  func wrong_use_ends_with_64(arguments: [String]) throws {
    let outcome = try workshop.run(workshop.process(arguments))
    #expect(outcome.status == 64)
    #expect(outcome.output == "")
    #expect(outcome.errors.hasPrefix("Error: "))
  }
}
