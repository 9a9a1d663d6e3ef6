import ArgumentParser
import Database
import Foundation
import Model

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a counterexample: what happened, in lanes, and who waits for whom.",
    discussion: """
      EXAMPLES
        locklab show 3
        locklab show 9c41f0 --format json
        COLUMNS=120 locklab show 3 | less -R
      """)

  @Argument(help: "A counterexample's number, or the start of its fingerprint.") var id: String
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption

  func run() throws {
    let store = try Store(path: database.path, access: .read)
    let stored = try store.counterexample(try store.identifier(of: id))
    switch output.format {
    case .text:
      let page = CounterexamplePage(
        stored: stored, terminal: .output, databaseHint: database.hint)
      for line in page.lines { print(line) }
    case .json: try printJSON(CounterexampleJSON(stored))
    }
  }
}
