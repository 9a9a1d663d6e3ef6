import ArgumentParser
import Database
import Foundation

struct Backup: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copy the database to another file while it is in use.",
    discussion: """
      The copy is complete and consistent, whatever runs are at work meanwhile; it is checked before \
      it takes its place.

      EXAMPLES
        locklab backup locklab-$(date +%F).db
        locklab backup --overwrite /backup/locklab.db
      """)

  @Argument(help: "The file to write.", completion: .file()) var file: String
  @Flag(help: "Replace the file if there is one.") var overwrite = false
  @OptionGroup var database: DatabaseOption

  func run() throws {
    let store = try Store(path: database.path, access: .read)
    try store.backUp(to: file, overwrite: overwrite)
    print("\(printable(database.path)) copied to \(printable(file))")
  }
}
