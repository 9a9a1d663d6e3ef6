import ArgumentParser
import Database
import Foundation

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take over the counterexamples of a file that `export` wrote.",
    discussion: """
      Everything in the file is checked before anything is stored. The same file again changes \
      nothing. The images come along, so that `replay` needs no other file.

      EXAMPLES
        locklab import deadlock.locklab
        locklab import deadlock.locklab --db scratch.db
      """)

  @Argument(help: "The file.", completion: .file()) var file: String
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption

  private struct Report: Encodable {
    var counterexamples: [Int64]
    var added: Added
  }

  func run() throws {
    let bytes = try readFile(file, limit: 1 << 30)
    let export = try ExportFile(bytes: bytes, path: file)
    let store = try Store(path: database.path, access: .write)
    let (added, ids) = try store.take(
      export, digest: Digest.sha256(bytes), version: LockLab.version,
      command: "import \(URL(fileURLWithPath: file).lastPathComponent)")
    if output.format == .json { return try printJSON(Report(counterexamples: ids, added: added)) }
    print("\(printable(file)): \(added.inWords)")
    for line in try store.lines(of: ids) {
      print(printable("  \(line.id)  \(line.rule): \(line.title)"))
    }
  }
}
