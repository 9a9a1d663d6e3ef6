import Foundation
import Testing

/// `replay` on other builds of a kernel than the one on which a counterexample was found.
@Suite struct NewBuildTests {
  let workshop: Workshop

  /// The first build: acquiring a lock leaves interrupts on, and the timer wants the lock too.
  init() throws {
    workshop = try Workshop()
    _ = try Self.build("first", in: workshop)
    try workshop.write(
      "locklab.yml",
      """
      version: 1
      images:
        kernel: {file: first.elf}
      scenarios:
        - name: timer-and-main
          image: kernel
          memory: 2097152
          start: {symbol: begin}
          sources: [{name: timer, line: 0}]
          locks: [{kind: value, acquire: [acquire], release: [release]}]
      """)
    _ = try workshop.locklab("check", "locklab.yml", "--progress", "none")
  }

  /// - Parameters:
  ///   - padding: instructions in the functions, so that all places move.
  ///   - isFixed: acquiring turns interrupts off.
  ///   - burdened: something that has nothing to do with it makes the state space endless.
  @discardableResult
  private static func build(
    _ name: String, padding: Int = 0, isFixed: Bool = false, burdened: Bool = false,
    in workshop: Workshop
  ) throws -> String {
    let nops = String(repeating: "  nop\n", count: padding)
    return try TinyKernel.write(
      body: """
          jmp begin
        .type release, @function
        release:
        \(nops)  movl 4(%esp), %edx
          movl $0, (%edx)
          pushl 8(%esp)
          popfl
          ret
        .size release, . - release
        .type acquire, @function
        acquire:
        \(nops)  pushfl
          popl %eax
        \(isFixed ? "  cli\n" : "")  movl 4(%esp), %edx
        1: movl $1, %ecx
          xchgl %ecx, (%edx)
          testl %ecx, %ecx
          jnz 1b
          ret
        .size acquire, . - acquire
        .globl begin, acquire, release, work
        .type begin, @function
        begin:
          sti
          call work
        2: hlt
          jmp 2b
        .size begin, . - begin
        .type work, @function
        work:
        \(nops)  pushl $lock
          call acquire
        \(nops)  pushl %eax
          pushl $lock
          call release
          addl $12, %esp
          ret
        .size work, . - work
        .type timer, @function
        .size timer, 64
        .data
        .balign 4
        .globl lock
        .type lock, @object
        lock: .long 0
        .size lock, 4
        ticks: .long 0
        .text
        """,
      handler: """
          pushl %ecx
          pushl %edx
          pushl $lock
          call acquire
          \(burdened ? "incl ticks" : "nop")
          pushl %eax
          pushl $lock
          call release
          addl $12, %esp
          popl %edx
          popl %ecx
        """, to: name, in: workshop)
  }

  private func id(of rule: String) throws -> String {
    let found = try workshop.locklab(
      "query", "SELECT id FROM counterexample WHERE rule = '\(rule)'", "--format", "csv")
    return try #require(
      found.output.split(whereSeparator: \.isNewline).dropFirst().first.map(String.init))
  }

  private func status(of id: String) throws -> String {
    let found = try workshop.locklab(
      "query", "SELECT machine_status FROM counterexample WHERE id = \(id)", "--format", "csv")
    return String(found.output.split(whereSeparator: \.isNewline).last ?? "")
  }

  @Test(arguments: ["deadlock-on-interrupt", "lock-held-with-interrupts-on", "irq-unsafe-lock"])
  func still_there_when_every_place_has_moved(rule: String) throws {
    let id = try id(of: rule)
    try Self.build("second", padding: 3, in: workshop)
    let outcome = try workshop.locklab("replay", id, "--image", "second.elf")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.contains("\nStill there: \(rule) breaks at instruction "), "\(outcome)")
    #expect(try status(of: id) == "present")
  }

  @Test func gone_when_the_whole_scenario_has_no_such_thing() throws {
    let id = try id(of: "deadlock-on-interrupt")
    try Self.build("second", padding: 1, isFixed: true, in: workshop)
    let outcome = try workshop.locklab("replay", id, "--image", "second.elf")
    #expect(outcome.status == 1, "\(outcome)")
    #expect(outcome.output.contains("\nGone: "), "\(outcome)")
    #expect(try status(of: id) == "gone")
    // What is back has reappeared.
    try Self.build("third", padding: 2, in: workshop)
    #expect(try workshop.locklab("replay", id, "--image", "third.elf").status == 0)
    #expect(try status(of: id) == "reappeared")
  }

  @Test func not_reachable_when_the_search_was_cut_short() throws {
    let id = try id(of: "deadlock-on-interrupt")
    try Self.build("second", isFixed: true, burdened: true, in: workshop)
    let outcome = try workshop.locklab(
      "replay", id, "--image", "second.elf", "--time-limit", "1", "--format", "json",
      "--progress", "none")
    #expect(outcome.status == 2, "\(outcome)")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(object["outcome"] as? String == "not-reachable-in-these-bounds")
    #expect(object["imageChanged"] as? Bool == true)
    #expect((object["reason"] as? String)?.contains("time limit") == true)
    #expect(try status(of: id) == "not-reachable-in-these-bounds")
  }

  /// The same file, built anew in its place.
  @Test func an_image_that_changed_in_its_place_is_a_new_build() throws {
    let id = try id(of: "deadlock-on-interrupt")
    try Self.build("first", padding: 2, in: workshop)
    let outcome = try workshop.locklab("replay", id)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.hasPrefix("The image has changed since ("))
  }

  @Test func a_new_build_without_the_scenarios_symbols_is_an_error() throws {
    let id = try id(of: "deadlock-on-interrupt")
    _ = try TinyKernel.idle.build(in: workshop)
    let outcome = try workshop.locklab("replay", id, "--image", "idle.elf")
    #expect(outcome.status == 3)
    #expect(outcome.errors.contains("has no symbol `"), "\(outcome)")
  }

  @Test func the_json_says_what_decided() throws {
    let id = try id(of: "deadlock-on-interrupt")
    try Self.build("second", padding: 3, in: workshop)
    let result = try workshop.locklab("replay", id, "--image", "second.elf", "--format", "json")
    #expect(result.status == 0)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(object["outcome"] as? String == "present")
    #expect(["events", "around"].contains(object["method"] as? String))
    #expect(object["followedEvents"] as? Int == object["events"] as? Int)
  }

  @Test func wrong_use_of_gdb_is_told() throws {
    let id = try id(of: "deadlock-on-interrupt")
    for port in ["x", "70000", "1:2:3"] {
      #expect(try workshop.locklab("replay", id, "--gdb", port).status == 64)
    }
    let outcome = try workshop.locklab("replay", id, "--gdb", "nowhere.example:1")
    #expect(outcome.status == 3)
    #expect(outcome.errors.contains("is no IPv4 address; give PORT, or ADDRESS:PORT"))
  }
}
