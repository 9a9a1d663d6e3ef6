import Database
import Foundation
import Model
import Testing

/// What runs say about a counterexample that they find, or do not find any more.
@Suite struct MachineStatusTests {
  let folder: Folder
  let store: Store

  init() throws {
    folder = try Folder()
    store = try Store(path: folder.path(), access: .write)
  }

  private func image(_ name: String) -> ImageRecord {
    ImageRecord(digest: Digest.sha256(name), arch: "i386", size: 1, origin: "file:/\(name)")
  }

  private func scenario(_ name: String = "reader") -> Scenario {
    var scenario = Scenario(name: name, image: "kernel")
    scenario.sources = [Source(name: "keyboard", line: 1)]
    return scenario
  }

  /// One scenario of a run: what it finds, and why what it does not find could be there (nil: it
  /// was not explored).
  private func explore(
    _ scenario: Scenario, on image: String, in run: Int64? = nil,
    finding found: [Counterexample] = [], openEnds: [String]? = []
  ) throws {
    let run = try run ?? store.beginRun(version: "0", command: "check")
    let image = self.image(image)
    for one in found { _ = try store.record(one, scenario: scenario, image: image, run: run) }
    var result = ScenarioResult(
      scenario: scenario, arch: "i386", verdict: found.isEmpty ? .clean : .violated)
    result.counterexamples = found
    result.openEnds = openEnds
    try store.record(result, image: image, run: run)
  }

  private func status(_ id: Int64 = 1) throws -> String {
    try store.counterexample(id).machineStatus
  }

  private let defect = Sample.counterexample()

  @Test func new_then_present_then_gone_then_reappeared() throws {
    try explore(scenario(), on: "a", finding: [defect])
    #expect(try status() == "new")
    try explore(scenario(), on: "b", finding: [defect])
    #expect(try status() == "present")
    try explore(scenario(), on: "c")
    #expect(try status() == "gone")
    try explore(scenario(), on: "d", finding: [defect])
    #expect(try status() == "reappeared")
    // It stays so until somebody has looked at it.
    try explore(scenario(), on: "e", finding: [defect])
    #expect(try status() == "reappeared")
    try store.decide(.confirmed, about: 1, author: "ada", reason: "seen")
    try explore(scenario(), on: "f", finding: [defect])
    #expect(try status() == "present")
    let history = try store.observations(of: 1)
    #expect(
      history.map(\.status) == [.new, .present, .gone, .reappeared, .present])
    #expect(history.map(\.run) == [1, 2, 3, 4, 6])
    #expect(history[2].image == image("c").digest && history[2].outcome == .notFound)
  }

  @Test func found_by_two_scenarios_of_its_first_run_it_is_still_new() throws {
    let run = try store.beginRun(version: "0", command: "check")
    try explore(scenario("one"), on: "a", in: run, finding: [defect])
    try explore(scenario("two"), on: "a", in: run, finding: [defect])
    #expect(try status() == "new")
    #expect(try store.counterexample(1).occurrences.map(\.scenario) == ["one", "two"])
  }

  @Test func a_search_that_was_cut_short_excludes_nothing() throws {
    try explore(scenario(), on: "a", finding: [defect])
    try explore(scenario(), on: "b", openEnds: ["The time limit was reached."])
    #expect(try status() == "not-reachable-in-these-bounds")
    #expect(
      try store.observations(of: 1).last?.reason
        == "Not found, but not excluded: The time limit was reached.")
    // It was never gone: it is no comeback.
    try explore(scenario(), on: "c", finding: [defect])
    #expect(try status() == "present")
  }

  @Test func what_was_gone_and_then_uncertain_has_reappeared_when_it_is_found() throws {
    try explore(scenario(), on: "a", finding: [defect])
    try explore(scenario(), on: "b")
    try explore(scenario(), on: "c", openEnds: ["Cut."])
    #expect(try status() == "not-reachable-in-these-bounds")
    try explore(scenario(), on: "d", finding: [defect])
    #expect(try status() == "reappeared")
  }

  @Test func a_scenario_that_is_not_explored_says_nothing() throws {
    try explore(scenario("one"), on: "a", finding: [defect])
    try explore(scenario("two"), on: "b")
    try explore(scenario("one"), on: "b", openEnds: nil)
    #expect(try status() == "new")
    #expect(try store.observations(of: 1).count == 1)
  }

  @Test func of_two_scenarios_both_must_say_that_it_is_gone() throws {
    let run = try store.beginRun(version: "0", command: "check")
    try explore(scenario("one"), on: "a", in: run, finding: [defect])
    try explore(scenario("two"), on: "a", in: run, finding: [defect])
    try explore(scenario("one"), on: "b")
    #expect(try status() == "new")
    try explore(scenario("two"), on: "b", openEnds: ["Cut."])
    #expect(try status() == "not-reachable-in-these-bounds")
    try explore(scenario("two"), on: "c")
    #expect(try status() == "gone")
    try explore(scenario("one"), on: "d", finding: [defect])
    #expect(try status() == "reappeared")
  }

  @Test func the_image_that_has_it_still_has_it() throws {
    try explore(scenario(), on: "a", finding: [defect])
    // Stopped early: nothing speaks against the execution that is stored.
    try explore(scenario(), on: "a", openEnds: ["Interrupted."])
    #expect(try status() == "new")
    // Explored to the end, on the same code: something else has changed.
    try explore(scenario(), on: "a")
    #expect(try status() == "not-reachable-in-these-bounds")
    #expect(
      try store.observations(of: 1).last?.reason.contains("one on which it was found") == true)
    try explore(scenario(), on: "b")
    #expect(try status() == "gone")
    // Back on the old image, and stopped early: it cannot be gone there.
    try explore(scenario(), on: "a", openEnds: ["Interrupted."])
    #expect(try status() == "not-reachable-in-these-bounds")
  }

  @Test func a_narrower_scenario_excludes_nothing_a_wider_one_does() throws {
    var bounded = scenario()
    bounded.maxInterrupts = 2
    try explore(bounded, on: "a", finding: [defect])
    bounded.maxInterrupts = 1
    try explore(bounded, on: "b")
    #expect(try status() == "not-reachable-in-these-bounds")
    bounded.maxInterrupts = nil
    bounded.sources.append(Source(name: "mouse", line: 12))
    bounded.summary = "with a mouse"
    try explore(bounded, on: "b")
    #expect(try status() == "gone")
  }

  @Test func which_scenarios_are_as_wide_as_which() {
    let base = scenario()
    func changed(_ change: (inout Scenario) -> Void) -> Scenario {
      var other = base
      change(&other)
      return other
    }
    let wider: [(inout Scenario) -> Void] = [
      { $0.summary = "x" }, { $0.expect = .violated(rules: ["deadlock"]) }, { $0.covers = ["M1"] },
      { $0.sources.append(Source(name: "timer", line: 0)) },
    ]
    for change in wider { #expect(changed(change).isAtLeastAsWide(as: base)) }
    let narrower: [(inout Scenario) -> Void] = [
      { $0.sources = [] }, { $0.sources[0].arrivals = 3 }, { $0.sources[0].line = 3 },
      { $0.sources[0].data = [1] }, { $0.maxInterrupts = 9 }, { $0.commandLine = "tasks=one" },
      { $0.image = "other" }, { $0.cpus = 2 }, { $0.start.symbol = "main" },
      { $0.ignore = [MemoryRange(symbol: "ticks")] }, { $0.ends = ["exit"] },
      { $0.locks = [LockDiscipline(acquire: ["a"], release: ["b"])] },
      { $0.patches = [Patch(symbol: "f", instruction: "cli", action: .drop)] },
    ]
    for change in narrower { #expect(!changed(change).isAtLeastAsWide(as: base)) }
  }

  @Test func what_hangs_in_the_same_place_may_hide_another() throws {
    let other = Sample.counterexample(function: "flush")
    try explore(scenario(), on: "a", finding: [defect, other])
    // Both wait in the keyboard's handler.
    try explore(scenario(), on: "b", finding: [other])
    #expect(try status(1) == "not-reachable-in-these-bounds")
    #expect(try status(2) == "present")
    try explore(scenario(), on: "c")
    #expect(try status(1) == "gone")
    #expect(try status(2) == "gone")
  }

  @Test func what_was_fixed_and_is_found_has_reappeared_every_time() throws {
    try explore(scenario(), on: "a", finding: [defect])
    try store.decide(.fixed, about: 1, author: "ada", reason: "in 1f3a")
    try explore(scenario(), on: "b", finding: [defect])
    #expect(try status() == "reappeared")
    try store.decide(.fixed, about: 1, author: "ada", reason: "really")
    try explore(scenario(), on: "c", finding: [defect])
    #expect(try status() == "reappeared")
    #expect(try store.observations(of: 1).map(\.status) == [.new, .reappeared, .reappeared])
  }

  @Test func a_replay_is_the_word_of_its_scenario() throws {
    let run = try store.beginRun(version: "0", command: "check")
    try explore(scenario("one"), on: "a", in: run, finding: [defect])
    #expect(
      try store.recordObservation(
        counterexample: 1, status: .gone, run: nil, reason: "The schedule runs to its end.")
        == .gone)
    #expect(
      try store.recordObservation(
        counterexample: 1, status: .present, run: nil, reason: "Replayed.") == .reappeared)
    try explore(scenario("two"), on: "a", in: run, finding: [defect])
    // Two scenarios have it: one word is not enough.
    #expect(
      try store.recordObservation(
        counterexample: 1, status: .gone, run: nil, reason: "Not on this build.", scenario: "one",
        image: image("b")) == .reappeared)
    #expect(throws: StoreError.noCounterexample(reference: "9")) {
      try store.recordObservation(counterexample: 9, status: .gone, run: nil, reason: "")
    }
  }

  @Test func a_rename_of_its_file_or_another_line_is_no_other_defect() throws {
    var moved = Sample.counterexample(after: 70)
    for index in moved.events.indices {
      moved.events[index].location = SourceLocation(file: "renamed/terminal.swift", line: 977)
      moved.events[index].address += 0x4000
    }
    try explore(scenario(), on: "a", finding: [defect])
    try explore(scenario(), on: "b", finding: [moved])
    #expect(try status() == "present")
    #expect(try store.counterexample(1).occurrences.count == 2)
  }

  @Test func identities_leave_out_what_changes_from_build_to_build() {
    let hash = String(repeating: "A1", count: 16)
    let names = Counterexample.Identity(
      rule: "deadlock", lockClasses: ["table+0x40", "0xc0ffee", "lock"],
      functions: [
        "write.isra.0", "flush.constprop.0.cold", "read", "core.(put in _\(hash))()",
        "$s4core3put33_\(hash)LLyyF", "0x100000", "a.b",
      ])
    #expect(names.lockClasses == ["table", "unnamed", "lock"])
    #expect(
      names.functions
        == ["write", "flush", "read", "core.(put)()", "$s4core3putyyF", "0x100000", "a.b"])
  }

  @Test func the_history_of_observations_can_only_grow() throws {
    try explore(scenario(), on: "a", finding: [defect])
    let raw = try RawDatabase(folder.path())
    for sql in ["UPDATE observation SET reason = ''", "DELETE FROM observation"] {
      #expect(throws: (any Error).self) { try raw.execute(sql) }
    }
  }
}
