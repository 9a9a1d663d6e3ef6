import Database
import Foundation
import Model
import Testing

@Suite struct MergeTests {
  let folder: Folder
  init() throws { folder = try Folder() }

  private func image(_ name: String) -> ImageRecord {
    ImageRecord(digest: Digest.sha256(name), arch: "i386", size: 1, origin: "file:/\(name)")
  }

  /// A run of one scenario in a database of its own or not.
  private func run(
    _ store: Store, _ scenario: String, on image: String, finding found: [Counterexample]
  ) throws {
    let run = try store.beginRun(version: "0", command: "check \(scenario)")
    let scenario = Scenario(name: scenario, image: "kernel")
    for one in found {
      _ = try store.record(one, scenario: scenario, image: self.image(image), run: run)
    }
    var result = ScenarioResult(
      scenario: scenario, arch: "i386", verdict: found.isEmpty ? .clean : .violated)
    result.openEnds = []
    try store.record(result, image: self.image(image), run: run)
    try store.finishRun(run, outcome: found.isEmpty ? 0 : 1)
  }

  private func store(_ name: String) throws -> Store {
    try Store(path: folder.path(name), access: .write)
  }

  /// What the joined database says, without its own numbers.
  private func statuses(_ store: Store) throws -> [String] {
    let query = try ReadOnlyQuery(path: store.path)
    return try query.rows(
      of: """
        SELECT fingerprint || ' ' || machine_status || ' ' || person_status || ' ' || occurrences
          || ' ' || last_seen FROM counterexample ORDER BY 1
        """
    ).rows.map { row in
      guard case .text(let text) = row[0] else { return "" }
      return text
    }
  }

  @Test func shards_are_joined_and_a_second_time_changes_nothing() throws {
    let (one, two) = (try store("1.db"), try store("2.db"))
    let common = Sample.counterexample()
    try run(one, "a", on: "x", finding: [common, Sample.counterexample(function: "f")])
    try run(two, "b", on: "x", finding: [common, Sample.counterexample(function: "g")])
    try two.decide(.confirmed, about: 1, author: "ada", reason: "seen")
    try two.decide(.duplicate, duplicateOf: 1, about: 2, author: "bob", reason: "same lock")
    let joined = try store("joined.db")
    let first = try joined.merge(one)
    #expect(first.runs == 1 && first.counterexamples == 2 && first.occurrences == 2)
    let second = try joined.merge(two)
    #expect(second.runs == 1 && second.counterexamples == 1 && second.occurrences == 2)
    #expect(second.decisions == 2 && second.observations == 2)
    let stored = try joined.counterexample(1)
    #expect(stored.counterexample == common)
    #expect(stored.occurrences.map(\.scenario) == ["a", "b"])
    #expect(stored.personStatus == "confirmed")
    let duplicate = try joined.counterexample(3)
    #expect(duplicate.triage.map(\.duplicateOf) == [1])
    let before = try Store.dump(joined.path)
    #expect(try joined.merge(one).isNothing)
    #expect(try joined.merge(two).isNothing)
    #expect(try Store.dump(joined.path) == before)
  }

  @Test func in_whichever_order_they_are_merged_statuses_are_the_same() throws {
    let (one, two) = (try store("1.db"), try store("2.db"))
    let (common, other) = (Sample.counterexample(), Sample.counterexample(function: "f"))
    try run(one, "a", on: "x", finding: [common, other])
    try run(two, "b", on: "x", finding: [common])
    // The one's scenario is rid of both, the other's has one of them still.
    try run(one, "a", on: "y", finding: [])
    try one.decide(.fixed, about: 2, author: "ada", reason: "done")
    try two.decide(.intentional, about: 1, author: "bob", reason: "so be it")
    #expect(try one.counterexample(1).machineStatus == "gone")
    let (forth, back) = (try store("forth.db"), try store("back.db"))
    for source in [one, two] { _ = try forth.merge(source) }
    for source in [two, one] { _ = try back.merge(source) }
    #expect(try statuses(forth) == statuses(back))
    #expect(
      try Set(
        statuses(forth).map {
          $0.split(separator: " ").dropFirst().prefix(2).joined(separator: " ")
        })
        == ["present intentional", "gone fixed"])
    // A run goes on in the one: only what is new comes along.
    try run(one, "a", on: "z", finding: [other])
    let added = try forth.merge(one)
    #expect(added.runs == 1 && added.counterexamples == 0 && added.occurrences == 1)
    #expect(try statuses(forth).contains { $0.contains(" reappeared fixed ") })
  }

  @Test func what_was_decided_later_counts_whatever_was_merged_last() throws {
    let (one, two) = (try store("1.db"), try store("2.db"))
    try run(one, "a", on: "x", finding: [Sample.counterexample()])
    _ = try two.merge(one)
    try one.decide(.confirmed, about: 1, author: "ada", reason: "first")
    try two.decide(.intentional, about: 1, author: "bob", reason: "second")
    _ = try two.merge(one)
    #expect(try two.counterexample(1).personStatus == "intentional")
    #expect(try two.counterexample(1).triage.map(\.author) == ["ada", "bob"])
    _ = try one.merge(two)
    #expect(try one.counterexample(1).personStatus == "intentional")
  }

  @Test func a_database_is_not_merged_into_itself() throws {
    let one = try store("1.db")
    let other = try Store(path: folder.path("1.db"), access: .read)
    #expect(
      throws: StoreError.other(
        path: other.path, detail: "is the database that it is to be merged into")
    ) { try one.merge(other) }
  }

  @Test func a_backup_is_the_database_and_overwrites_nothing_unless_told() throws {
    let one = try store("1.db")
    try run(one, "a", on: "x", finding: [Sample.counterexample()])
    let copy = folder.path("copy.db")
    try one.backUp(to: copy, overwrite: false)
    #expect(try Store.dump(copy) == Store.dump(one.path))
    #expect(
      try Store(path: copy, access: .read).counterexample(1).counterexample
        == Sample.counterexample())
    try run(one, "a", on: "y", finding: [Sample.counterexample(function: "f")])
    #expect(throws: StoreError.exists(path: copy)) { try one.backUp(to: copy, overwrite: false) }
    #expect(throws: StoreError.self) { try one.backUp(to: one.path, overwrite: true) }
    #expect(throws: StoreError.noFolder(path: folder.path("no/copy.db"))) {
      try one.backUp(to: folder.path("no/copy.db"), overwrite: false)
    }
    try one.backUp(to: copy, overwrite: true)
    #expect(try Store.dump(copy) == Store.dump(one.path))
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(!left.contains { $0.hasPrefix(".copy") })
  }

  @Test func two_runs_compared() throws {
    let one = try store("1.db")
    let found = ["f", "g", "h"].map { Sample.counterexample(rule: "stack-reuse", function: $0) }
    try run(one, "a", on: "x", finding: [found[0], found[1]])
    try run(one, "b", on: "x", finding: [found[2]])
    try run(one, "a", on: "y", finding: [found[1], Sample.counterexample()])
    let difference = try one.difference(from: 1, to: 3)
    #expect(difference.new == [4] && difference.gone == [1] && difference.present == [2])
    #expect(difference.open.isEmpty)
    // The third run has not explored the second's scenario: it says nothing of it.
    #expect(try one.difference(from: 2, to: 3).open == [3])
    #expect(try one.difference(from: 2, to: 3).gone.isEmpty)
    #expect(try one.run(of: "last") == 3 && one.run(of: "previous") == 2)
    #expect(throws: StoreError.noRun(reference: "9")) { try one.run(of: "9") }
    #expect(throws: StoreError.noRun(reference: "x")) { try one.run(of: "x") }
  }

  // MARK: Prune

  private let never = "2999-01-01"

  @Test func pruning_keeps_the_last_sighting_of_everything() throws {
    let one = try store("1.db")
    let found = ["f", "g"].map { Sample.counterexample(function: $0) }
    try run(one, "a", on: "x", finding: found)
    try run(
      one, "a", on: "x", finding: [found[0], Sample.counterexample(function: "f", after: 99)])
    try run(one, "a", on: "x", finding: found)
    try run(one, "b", on: "x", finding: [])
    let before = try Store.dump(one.path)
    var pruning = Pruning(before: never)
    pruning.isRehearsal = true
    let rehearsed = try one.prune(pruning)
    #expect(try Store.dump(one.path) == before)
    pruning.isRehearsal = false
    let pruned = try one.prune(pruning)
    #expect(pruned == rehearsed)
    #expect(pruned.runs == [1, 2] && pruned.occurrences == 4 && pruned.executions == 1)
    // The second run missed one on the image that has it.
    for (id, count) in [(Int64(1), 2), (2, 3)] {
      let stored = try one.counterexample(id)
      #expect(stored.occurrences.map(\.run) == [3])
      #expect(!stored.counterexample.events.isEmpty && stored.observations.count == count)
    }
    #expect(try one.prune(pruning) == Pruned())
    try one.compact()
    #expect(try RawDatabase(one.path).text("PRAGMA integrity_check") == "ok")
  }

  @Test func pruning_removes_what_is_gone_only_if_asked_and_if_nobody_cares() throws {
    let one = try store("1.db")
    let names = ["plain", "decided", "accepted", "original", "copy", "present"]
    // Rules that nothing can hide.
    let found = names.map { Sample.counterexample(rule: "stack-reuse", function: $0) }
    try run(one, "a", on: "x", finding: found)
    try one.decide(.confirmed, about: 2, author: "ada", reason: "seen")
    try one.decide(.duplicate, duplicateOf: 4, about: 5, author: "ada", reason: "same")
    try run(one, "a", on: "y", finding: [found[5]])
    var pruning = Pruning(before: never)
    pruning.kept = [found[2].identity.fingerprint]
    #expect(try one.prune(pruning).counterexamples.isEmpty)
    pruning.counterexamples = true
    var early = pruning
    early.before = "2020-01-01"
    #expect(try one.prune(early).counterexamples.isEmpty)
    #expect(try one.prune(pruning).counterexamples.map(\.id) == [1])
    #expect(throws: StoreError.noCounterexample(reference: "1")) { try one.counterexample(1) }
    // Asked for what was decided too: the original stays as long as there is a duplicate of it.
    pruning.triaged = true
    #expect(try one.prune(pruning).counterexamples.map(\.id) == [2, 5])
    #expect(try one.prune(pruning).counterexamples.map(\.id) == [4])
    #expect(try RawDatabase(one.path).text("SELECT group_concat(id) FROM counterexample") == "3,6")
    #expect(try RawDatabase(one.path).text("PRAGMA integrity_check") == "ok")
    #expect(try RawDatabase(one.path).text("PRAGMA foreign_key_check") == nil)
    // The histories of the rest are as safe as before.
    #expect(throws: (any Error).self) {
      try RawDatabase(one.path).execute("DELETE FROM observation")
    }
  }
}
