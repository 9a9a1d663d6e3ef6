import Database
import Foundation
import GRDB
import Model
import Testing

@Suite struct StoreTests {
  let folder: Folder
  init() throws { folder = try Folder() }

  private func recordOnce(_ store: Store, _ counterexample: Counterexample) throws
    -> Store.Recorded
  {
    let run = try store.beginRun(version: "0", command: "check")
    return try store.record(
      counterexample, scenario: Sample.scenario, image: Sample.image, run: run)
  }

  @Test func a_counterexample_comes_back_as_it_was_stored() throws {
    let store = try Store(path: folder.path(), access: .write)
    let recorded = try recordOnce(store, Sample.counterexample())
    #expect(recorded.isNew)
    let stored = try store.counterexample(recorded.id)
    #expect(stored.counterexample == Sample.counterexample())
    #expect(stored.scenario == Sample.scenario)
    #expect(stored.image == Sample.image)
    #expect(stored.machineStatus == "new" && stored.personStatus == "unreviewed")
    #expect(stored.occurrences.count == 1)
  }

  @Test func the_same_defect_twice_is_one_counterexample_with_two_occurrences() throws {
    let store = try Store(path: folder.path(), access: .write)
    let first = try recordOnce(store, Sample.counterexample())
    let second = try recordOnce(store, Sample.counterexample(after: 9))
    #expect(second.id == first.id && !second.isNew)
    let stored = try store.counterexample(first.id)
    #expect(stored.occurrences.map(\.run) == [1, 2])
    #expect(stored.machineStatus == "present")
    // Of two executions, the one with fewer instructions is shown.
    #expect(stored.counterexample.steps == 12)
    let other = try recordOnce(store, Sample.counterexample(function: "flush"))
    #expect(other.isNew && other.id != first.id)
  }

  @Test func the_build_that_was_seen_last_is_shown() throws {
    let store = try Store(path: folder.path(), access: .write)
    let id = try recordOnce(store, Sample.counterexample()).id
    let run = try store.beginRun(version: "0", command: "check")
    var newer = Sample.image
    newer.digest = Digest.sha256("a newer build")
    _ = try store.record(
      Sample.counterexample(after: 100), scenario: Sample.scenario, image: newer, run: run)
    #expect(try store.counterexample(id).image == newer)
    #expect(try store.counterexample(id).counterexample.steps == 105)
  }

  @Test func what_is_fixed_and_comes_back_has_reappeared() throws {
    let store = try Store(path: folder.path(), access: .write)
    let id = try recordOnce(store, Sample.counterexample()).id
    try store.decide(.fixed, about: id, author: "ada", reason: "released earlier")
    _ = try recordOnce(store, Sample.counterexample())
    #expect(try store.counterexample(id).machineStatus == "reappeared")
  }

  @Test func decisions_are_kept_in_order_and_the_last_one_counts() throws {
    let store = try Store(path: folder.path(), access: .write)
    let id = try recordOnce(store, Sample.counterexample()).id
    try store.decide(.confirmed, about: id, author: "ada", reason: "seen")
    try store.decide(.intentional, about: id, author: "grace", reason: "on purpose")
    let stored = try store.counterexample(id)
    #expect(stored.triage.map(\.decision) == [.confirmed, .intentional])
    #expect(stored.triage.map(\.author) == ["ada", "grace"])
    #expect(stored.personStatus == "intentional")
  }

  @Test func the_history_of_decisions_can_only_grow() throws {
    let store = try Store(path: folder.path(), access: .write)
    let id = try recordOnce(store, Sample.counterexample()).id
    try store.decide(.confirmed, about: id, author: "ada", reason: "seen")
    let raw = try DatabaseQueue(path: folder.path())
    for sql in ["UPDATE triage SET reason = ''", "DELETE FROM triage"] {
      #expect(throws: DatabaseError.self) { try raw.write { try $0.execute(sql: sql) } }
    }
  }

  @Test func a_counterexample_is_found_by_number_or_by_the_start_of_its_fingerprint() throws {
    let store = try Store(path: folder.path(), access: .write)
    let counterexample = Sample.counterexample()
    let id = try recordOnce(store, counterexample).id
    let fingerprint = counterexample.identity.fingerprint
    #expect(try store.identifier(of: "\(id)") == id)
    #expect(try store.identifier(of: String(fingerprint.prefix(8))) == id)
    #expect(try store.identifier(of: fingerprint.uppercased()) == id)
    for reference in ["99", "zzzz", "", "-1", "ffffffffffff", "' OR 1"] {
      #expect(throws: StoreError.noCounterexample(reference: reference)) {
        try store.identifier(of: reference)
      }
    }
  }

  @Test func what_was_recorded_is_there_for_another_process_at_once() throws {
    let store = try Store(path: folder.path(), access: .write)
    let id = try recordOnce(store, Sample.counterexample()).id
    // The writer is still open, as it is when a run is killed.
    let reader = try Store(path: folder.path(), access: .read)
    #expect(try reader.counterexample(id).counterexample == Sample.counterexample())
    withExtendedLifetime(store) {}
  }

  @Test func two_writers_and_a_reader_work_at_once() async throws {
    let path = folder.path()
    _ = try Store(path: path, access: .write)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<2 {
        group.addTask {
          let store = try Store(path: path, access: .write)
          let run = try store.beginRun(version: "0", command: "writer \(writer)")
          for number in 0..<50 {
            _ = try store.record(
              Sample.counterexample(function: "f\(number)", after: writer + 1),
              scenario: Sample.scenario, image: Sample.image, run: run)
          }
          try store.finishRun(run, outcome: 0)
        }
      }
      group.addTask {
        for _ in 0..<50 {
          let query = try ReadOnlyQuery(path: path)
          _ = try query.rows(of: "SELECT count(*) FROM occurrence")
        }
      }
      try await group.waitForAll()
    }
    let query = try ReadOnlyQuery(path: path)
    #expect(
      try query.rows(
        of: "SELECT (SELECT count(*) FROM counterexample), (SELECT count(*) FROM occurrence)"
      ).rows == [[.integer(50), .integer(100)]])
  }

  @Test func a_scenarios_outcome_is_kept_with_its_run() throws {
    let store = try Store(path: folder.path(), access: .write)
    let run = try store.beginRun(version: "1.2", command: "check a.yml")
    var result = ScenarioResult(scenario: Sample.scenario, arch: "i386", verdict: .inconclusive)
    result.states = 12
    result.notes = ["The time ran out."]
    try store.record(result, image: Sample.image, run: run)
    try store.finishRun(run, outcome: 2)
    let query = try ReadOnlyQuery(path: folder.path())
    #expect(
      try query.rows(of: "SELECT verdict, met, states, notes FROM result").rows
        == [[.text("inconclusive"), .integer(0), .integer(12), .text("[\"The time ran out.\"]")]])
    #expect(
      try query.rows(of: "SELECT command, outcome, finished IS NULL FROM run").rows
        == [[.text("check a.yml"), .integer(2), .integer(0)]])
  }
}
