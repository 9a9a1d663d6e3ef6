import ArgumentParser
import Database
import Debugger
import Foundation
import Model

struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a counterexample again: is it still there? Or let gdb look into it.",
    discussion: """
      Takes the image from where it was when the counterexample was found, or the one that --image \
      names. On the same image the same rule breaks at the same step. A new build is followed by \
      functions and events, and searched where it goes another way; what comes of it is stored.

      With --gdb, gdb connects and goes through the execution, forwards and backwards.

      EXAMPLES
        locklab replay 3
        locklab replay 3 --image build/kernel.elf --time-limit 5m
        locklab replay 3 --gdb 1234
        gdb build/kernel.elf -ex 'target remote localhost:1234'
        gdb build/kernel.elf -ex 'target remote | locklab replay 3 --gdb -'

      EXIT STATUS
        0   still there: the same rule, broken by the same functions with the same locks
        1   gone: all states were explored without it
        2   not reachable within these bounds, the scenario's or --time-limit
      """)

  @Argument(help: "A counterexample's number, or the start of its fingerprint.") var id: String
  @Option(
    help: ArgumentHelp("Another build of the kernel.", valueName: "file"), completion: .file())
  var image: String?
  @Option(
    help: ArgumentHelp(
      "For searches on a new build, in all: 90, 30s, 5m, 2h.", valueName: "time"))
  var timeLimit = TimeSpan(seconds: 60)
  @Option(help: ArgumentHelp("For a search's own structures: 512M, 8G.", valueName: "bytes"))
  var memoryLimit = ByteCount(bytes: 8 << 30)
  @Option(
    help: ArgumentHelp(
      "Wait for gdb on this port of 127.0.0.1, or ADDRESS:PORT (0: any free port); -: serve it on standard input and output.",
      valueName: "port|-"))
  var gdb: GDBAddress?
  @OptionGroup var database: DatabaseOption
  @OptionGroup var output: FormatOption
  @OptionGroup var progress: ProgressOption

  func validate() throws {
    if gdb != nil, output.format == .json {
      throw ValidationError("--gdb and --format json do not go together.")
    }
  }

  func run() throws {
    let store = try Store(path: database.path, access: .read)
    let stored = try store.counterexample(try store.identifier(of: id))
    let source = try image.map { ImageSource.file($0) } ?? store.source(of: stored.image)
    guard let source else {
      throw Failure("it is not known where the image came from; use --image")
    }
    let loaded = try LoadedImage(
      source, name: stored.scenario.image, disks: stored.scenario.disks ?? [])
    let outcome = try ReplayedCounterexample(
      stored, image: loaded,
      limits: .init(time: timeLimit.seconds, memory: memoryLimit.bytes),
      progress: ProgressReport(progress.progress))
    // A search that somebody broke off has seen nothing.
    if outcome.imageChanged, outcome.counterexample != nil || !Interruption.isRequested {
      record(outcome, of: stored, image: loaded.record)
    }
    if let gdb {
      try debug(outcome, of: stored, image: loaded, at: gdb)
      return
    }
    switch output.format {
    case .json: try printJSON(outcome.json)
    case .text: for line in outcome.lines { print(printable(line)) }
    }
    try outcome.status.exit()
  }

  /// What a new build shows is worth keeping; where that cannot be, it is still worth saying.
  private func record(
    _ outcome: ReplayedCounterexample, of stored: StoredCounterexample, image: ImageRecord
  ) {
    do {
      try Store(path: database.path, access: .write).recordObservation(
        counterexample: stored.id, status: outcome.machineStatus, run: nil,
        reason: outcome.sentence, scenario: stored.scenario.name, image: image)
    } catch {
      complain("what this replay saw is not stored: \(error)")
    }
  }

  private func debug(
    _ outcome: ReplayedCounterexample, of stored: StoredCounterexample, image: LoadedImage,
    at address: GDBAddress
  ) throws {
    guard let counterexample = outcome.counterexample else {
      throw Failure("there is no execution to debug: \(outcome.sentence)")
    }
    let execution = try Execution(
      counterexample, scenario: stored.scenario, image: image.prepared)
    let name = (self.image ?? stored.image.origin).split { $0 == "/" || $0 == ":" }.last
    try GDBServer.serve(
      address,
      announce: { place in
        complain(outcome.sentence)
        complain("gdb can connect now: target remote \(place)")
      },
      session: { channel in
        Session(
          execution, about: .init(id: stored.id, imageName: name.map(String.init) ?? "kernel.elf"),
          channel: channel)
      })
  }
}

extension TimeSpan {
  init(seconds: Double) { self.seconds = seconds }
}

extension ByteCount {
  init(bytes: Int) { self.bytes = bytes }
}
