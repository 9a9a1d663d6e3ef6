import ArgumentParser
import Database
import Foundation
import KernelCore

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write counterexamples to one file that can be replayed elsewhere.",
    discussion: """
      The file carries the image's bytes, the scenario's definition, the schedule with its evidence, \
      and the decisions. It needs the image on which the counterexample was found: where it was \
      then, or where --image says.

      EXAMPLES
        locklab export 3 --output deadlock.locklab
        locklab export 3 7 9c41f0 --output for-ada.locklab --image old/kernel.elf
        locklab import deadlock.locklab && locklab replay 1
      """)

  @Argument(help: "Counterexamples: numbers, or starts of fingerprints.") var ids: [String]
  @Option(
    name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"),
    completion: .file())
  var output: String
  @Option(
    help: ArgumentHelp("Where an image is now; can be given more than once.", valueName: "file"),
    completion: .file())
  var image: [String] = []
  @Flag(help: "Replace the file if there is one.") var overwrite = false
  @OptionGroup var database: DatabaseOption

  func run() throws {
    let store = try Store(path: database.path, access: .read)
    let stored = try ids.map { try store.counterexample(try store.identifier(of: $0)) }
    var named: [String: [UInt8]] = [:]
    for path in image {
      let bytes = try readFile(path, limit: 1 << 30)
      named[Digest.sha256(bytes)] = bytes
    }
    let file = try ExportFile(stored, version: LockLab.version) { stored in
      if let bytes = try named[stored.image.digest] ?? store.bytes(of: stored.image) {
        return bytes
      }
      throw Failure(
        "counterexample \(stored.id): its image \(stored.image.digest.prefix(12)) is not at "
          + "\(stored.image.origin) any more; name it with --image")
    }
    if !overwrite, FileManager.default.fileExists(atPath: output) {
      throw StoreError.exists(path: output)
    }
    let text = try file.text
    try writeFile(output, text)
    print(
      "\(stored.count) counterexample\(stored.count == 1 ? "" : "s") written to \(printable(output))"
    )
  }
}
