import Database
import Foundation
import Model

/// `store-writer DATABASE NAME`: stores counterexamples until it is killed, in runs of ten, and writes
/// each one's fingerprint to standard output as soon as it is stored. The tests kill it.
@main
enum StoreWriter {
  static func main() {
    do {
      let (path, name) = (CommandLine.arguments[1], CommandLine.arguments[2])
      let store = try Store(path: path, access: .write)
      let image = ImageRecord(
        digest: Digest.sha256(name), arch: "i386", size: 1, origin: "file:/kernel.elf")
      let scenario = Scenario(name: "writer", image: "kernel")
      for number in 0... {
        let run = try store.beginRun(version: "0", command: name)
        for defect in 0..<10 {
          let counterexample = counterexample("\(name)_\(number)_\(defect)")
          _ = try store.record(counterexample, scenario: scenario, image: image, run: run)
          let line = Array("\(counterexample.identity.fingerprint)\n".utf8)
          _ = write(1, line, line.count)
        }
        var result = ScenarioResult(scenario: scenario, arch: "i386", verdict: .violated)
        result.openEnds = ["It goes on."]
        try store.record(result, image: image, run: run)
        try store.finishRun(run, outcome: 1)
      }
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      exit(3)
    }
  }

  private static func counterexample(_ function: String) -> Counterexample {
    let event = TraceEvent(
      kind: .access, step: 1, cpu: 0, context: "task", text: "something happens", address: 0x10_0000
    )
    return Counterexample(
      rule: "deadlock", title: "\(function) waits.",
      identity: .init(rule: "deadlock", lockClasses: ["lock"], functions: [function]),
      schedule: Schedule(steps: [.init(raise: nil, instructions: 7)]),
      events: Array(repeating: event, count: 20),
      stacks: [ContextStack(context: "task", frames: [])])
  }
}
