import ArgumentParser
import Database
import Foundation
import Model

struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a counterexample's schedule again and say whether the same rule breaks.",
    discussion: """
      Takes the image from where it was when the counterexample was found, or the one that --image \
      names. Ends with 0 if the same rule breaks, at the same step or another, with 1 if not.

      EXAMPLES
        locklab replay 3
        locklab replay 3 --image build/kernel.elf
      """)

  @Argument(help: "A counterexample's number, or the start of its fingerprint.") var id: String
  @Option(
    help: ArgumentHelp("Another build of the kernel.", valueName: "file"), completion: .file())
  var image: String?
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption

  private struct Report: Encodable {
    var id: Int64
    var rule: String
    var imageChanged: Bool
    var outcome: String
    var step: Int
    var reason: String?
  }

  func run() throws {
    let store = try Store(path: database.path, access: .read)
    let stored = try store.counterexample(try store.identifier(of: id))
    let source = try image.map { ImageSource.file($0) } ?? store.source(of: stored.image)
    guard let source else {
      throw Failure("it is not known where the image came from; use --image")
    }
    let loaded = try LoadedImage(source, name: stored.scenario.image)
    let isChanged = loaded.record.digest != stored.image.digest
    let outcome = try Model.replay(
      stored.counterexample, scenario: stored.scenario, image: loaded.prepared)
    let (name, step, sentence, reason) = Self.describe(outcome, stored.counterexample)
    switch output.format {
    case .json:
      try printJSON(
        Report(
          id: stored.id, rule: stored.counterexample.rule, imageChanged: isChanged, outcome: name,
          step: step, reason: reason))
    case .text:
      if isChanged {
        print(
          "The image has changed since (\(stored.image.digest.prefix(12)) then, "
            + "\(loaded.record.digest.prefix(12)) now).")
      }
      print(printable(sentence))
    }
    if case .same = outcome { return }
    throw ExitCode(ExitStatus.unmet.rawValue)
  }

  private static func describe(
    _ outcome: ReplayOutcome, _ counterexample: Counterexample
  ) -> (name: String, step: Int, sentence: String, reason: String?) {
    switch outcome {
    case .same(let step) where step == counterexample.steps:
      ("same", step, "Same: \(counterexample.rule) breaks at instruction \(grouped(step)).", nil)
    case .same(let step):
      (
        "same", step,
        "Same rule: \(counterexample.rule) breaks at instruction \(grouped(step)), "
          + "where it was \(grouped(counterexample.steps)).", nil
      )
    case .differentRule(let rule, let step):
      (
        "different-rule", step,
        "Another rule: \(rule) breaks at instruction \(grouped(step)), not \(counterexample.rule).",
        rule
      )
    case .diverged(let step, let reason):
      ("diverged", step, "Diverged at instruction \(grouped(step)): \(reason)", reason)
    case .noViolation(let steps):
      (
        "no-violation", steps,
        "Gone: the schedule runs to its end, \(grouped(steps)) instructions, and no rule breaks.",
        nil
      )
    }
  }
}
