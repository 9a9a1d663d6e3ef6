import Foundation
import Testing

/// Runs that are ended by `kill -9` and gone on with.
@Suite struct ResumeTests {
  private static let command = [
    "check", "--scenario", "one-key", "--scenario", "small-stacks", "--format", "json",
    "--progress", "none", "--workers", "2", "--checkpoint-every", "100ms",
  ]

  /// What must be the same: verdicts, rules, states, counterexamples, notes.
  private static func figures(_ output: String) throws -> [String] {
    let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
    let scenarios = object?["scenarios"] as? [[String: Any]] ?? []
    return scenarios.map { s in
      let found = (s["counterexamples"] as? [[String: Any]] ?? []).map {
        "\($0["fingerprint"] ?? "") \($0["title"] ?? "")"
      }
      return
        "\(s["name"] ?? "") \(s["verdict"] ?? "") \(s["states"] ?? "") \(s["rules"] ?? "") \(found) \(s["notes"] ?? "")"
    }
  }

  @Test func aKilledRunGoesOnToTheSameEnd() throws {
    let whole = try Workshop()
    let expected = try whole.run(whole.process(Self.command))
    #expect(expected.status == 0, "\(expected.errors)")
    let workshop = try Workshop()
    let checkpoint = workshop.path("locklab.db.checkpoint")
    var kills = 0
    var last: Outcome?
    for attempt in 0..<8 {
      let process = workshop.process(Self.command + (attempt == 0 ? [] : ["--resume"]))
      let outcome = try workshop.run(process) { process in
        guard attempt < 4 else { return }
        // Not before this process has written a checkpoint of its own.
        let begun = Date()
        func size() -> Int {
          (try? FileManager.default.attributesOfItem(atPath: checkpoint)[.modificationDate] as? Date)
            .map { $0 > begun ? 1 : 0 } ?? 0
        }
        while process.isRunning && size() == 0 { usleep(20_000) }
        usleep(300_000)
        kill(process.processIdentifier, SIGKILL)
      }
      if outcome.status == -1 {
        kills += 1
        continue
      }
      last = outcome
      break
    }
    let end = try #require(last)
    #expect(kills > 0)
    #expect(end.status == 0, "\(end.errors)")
    #expect(try Self.figures(end.output) == Self.figures(expected.output))
    // One run, finished; no checkpoint is left.
    #expect(!FileManager.default.fileExists(atPath: checkpoint))
    let again = try workshop.run(workshop.process(Self.command + ["--resume"]))
    #expect(again.status == 3)
    #expect(again.errors.contains("no checkpoint to resume from"))
  }

  @Test func foreignAndDamagedCheckpointsAreRefused() throws {
    let workshop = try Workshop()
    let file = workshop.path("it.checkpoint")
    let process = workshop.process(Self.command + ["--checkpoint", file])
    _ = try workshop.run(process) { process in
      while process.isRunning && !FileManager.default.fileExists(atPath: file) { usleep(5_000) }
      usleep(100_000)
      kill(process.processIdentifier, SIGKILL)
    }
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
    let other = try workshop.locklab(
      "check", "--scenario", "one-key", "--checkpoint", file, "--resume", "--progress", "none")
    #expect(other.status == 3)
    #expect(other.errors.contains("is of another run"))
    for broken in [Array(bytes.dropLast(3)), Array("something else".utf8), []] {
      try Data(broken).write(to: URL(fileURLWithPath: file))
      let outcome = try workshop.run(
        workshop.process(Self.command + ["--checkpoint", file, "--resume"]))
      #expect(outcome.status == 3)
      #expect(outcome.errors.contains("is no checkpoint, or is damaged or cut off"))
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }
}
