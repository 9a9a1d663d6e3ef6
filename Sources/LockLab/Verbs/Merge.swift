import ArgumentParser
import Database
import Foundation

struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take over what other databases have: runs, counterexamples, decisions.",
    discussion: """
      A defect that both know is one counterexample afterwards, with the sightings, decisions and \
      observations of both. Merging the same database again changes nothing. The database is made \
      if there is none.

      EXAMPLES
        locklab merge shard-1.db shard-2.db --db joined.db
        locklab merge colleague.db
      """)

  @Argument(help: "Databases to read.", completion: .file(extensions: ["db"]))
  var others: [String]
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption

  private struct Report: Encodable {
    var database: String
    var added: Added
  }

  func run() throws {
    // Each is looked at before anything is written.
    let sources = try others.map { try Store(path: $0, access: .read) }
    let store = try Store(path: database.path, access: .write)
    var reports: [Report] = []
    for source in sources {
      let added = try store.merge(source)
      reports.append(Report(database: source.path, added: added))
      if output.format == .text { print("\(printable(source.path)): \(added.inWords)") }
    }
    if output.format == .json { try printJSON(reports) }
  }
}

extension Added {
  var inWords: String {
    func count(_ number: Int, _ one: String, _ several: String? = nil) -> String? {
      number == 0 ? nil : "\(grouped(number)) \(number == 1 ? one : several ?? one + "s")"
    }
    let parts = [
      count(runs, "run"), count(counterexamples, "counterexample"),
      count(occurrences, "occurrence"), count(decisions, "decision"),
      count(observations, "observation"),
    ].compactMap { $0 }
    return parts.isEmpty ? "nothing new" : "new: \(parts.joined(separator: ", "))"
  }
}
