import ArgumentParser
import Database
import Foundation

struct Triage: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Record what a person decided about a counterexample.",
    discussion: """
      Decisions are added to the counterexample's history; none is ever lost. `locklab show` prints \
      the history.

      EXAMPLES
        locklab triage 3 confirmed --reason 'seen on real hardware'
        locklab triage 4 duplicate --duplicate-of 3 --reason 'same lock'
      """)

  @Argument(help: "A counterexample's number, or the start of its fingerprint.") var id: String
  @Argument(
    help: ArgumentHelp(
      Decision.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "decision"))
  var decision: Decision
  @Option(help: ArgumentHelp("Why.", valueName: "text")) var reason: String
  @Option(help: ArgumentHelp("Who decides (default: the user's name).", valueName: "name"))
  var author: String?
  @Option(help: ArgumentHelp("With the decision duplicate: of which.", valueName: "id"))
  var duplicateOf: String?
  @OptionGroup var database: DatabaseOption

  func validate() throws {
    guard (decision == .duplicate) == (duplicateOf != nil) else {
      throw ValidationError("--duplicate-of goes with the decision duplicate, and only with it.")
    }
    if reason.allSatisfy(\.isWhitespace) { throw ValidationError("--reason must say why.") }
  }

  func run() throws {
    // Nothing to triage where there is no database yet.
    _ = try Store(path: database.path, access: .read)
    let store = try Store(path: database.path, access: .write)
    let number = try store.identifier(of: id)
    let original = try duplicateOf.map { try store.identifier(of: $0) }
    guard original != number else { throw Failure("a counterexample is no duplicate of itself") }
    let name = author ?? NSUserName()
    try store.decide(
      decision, duplicateOf: original, about: number, author: name.isEmpty ? "unknown" : name,
      reason: reason)
    print("\(number): \(decision.rawValue)")
  }
}

extension Decision: ExpressibleByArgument {}
