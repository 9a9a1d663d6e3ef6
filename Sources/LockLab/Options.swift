import ArgumentParser
import Emulator
import Foundation
import Model

extension BootProtocol: ExpressibleByArgument {}

/// `--db`, or what the environment says.
struct DatabaseOption: ParsableArguments {
  @Option(
    name: .customLong("db"),
    help: ArgumentHelp(
      "The database (default: $LOCKLAB_DB, else locklab.db).", valueName: "file"),
    completion: .file(extensions: ["db"]))
  var file: String?

  static let standard = "locklab.db"

  var path: String {
    if let file { return file }
    let named = ProcessInfo.processInfo.environment["LOCKLAB_DB"] ?? ""
    return named.isEmpty ? Self.standard : named
  }

  /// ` --db FILE` for a command that is shown, where the database is not the one it would take.
  var hint: String {
    guard let file else { return "" }
    let isPlain = file.allSatisfy { $0.isLetter || $0.isNumber || "/._-+".contains($0) }
    return " --db " + (isPlain ? file : "'\(file.replacing("'", with: "'\\''"))'")
  }
}

/// Which scenarios.
struct JobOptions: ParsableArguments {
  @Argument(
    help: "Job files; without any, the job of the reference kernel core.",
    completion: .file(extensions: ["yml", "yaml"]))
  var jobs: [String] = []

  @Option(
    help: ArgumentHelp(
      "Only scenarios whose name fits; can be given more than once.", valueName: "glob"))
  var scenario: [String] = []

  @Option(
    help: ArgumentHelp(
      "Check this ELF image without a job file; the sources are what it has programmed.",
      valueName: "file"),
    completion: .file())
  var image: String?

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp(
      "With --image: explore from where boot reaches this symbol.", valueName: "symbol"))
  var start: String?

  @Option(
    help: ArgumentHelp("With --from: when it is reached for the N-th time.", valueName: "n"))
  var hits: Int?

  @Option(
    name: .customLong("from-text"),
    help: ArgumentHelp(
      "With --image: explore from where boot has printed this (before --from, with both).",
      valueName: "text"))
  var startText: String?

  @Option(
    help: ArgumentHelp(
      "With --image: executions end at this symbol; can be given more than once.",
      valueName: "symbol"))
  var until: [String] = []

  @Option(
    help: ArgumentHelp(
      "With --image: how it is booted: "
        + BootProtocol.allCases.map(\.rawValue).joined(separator: ", ")
        + " (default: by its headers; with --disk, from the disk).", valueName: "protocol"))
  var boot: BootProtocol?

  @Option(
    help: ArgumentHelp(
      "With --image: file of an IDE disk; twice for two disks.", valueName: "file"),
    completion: .file())
  var disk: [String] = []

  @Option(help: ArgumentHelp("With --image: CPUs, 1 to 8 (default: 1).", valueName: "n"))
  var cpus: Int?

  @Option(help: ArgumentHelp("With --image: RAM (default: 256M).", valueName: "bytes"))
  var memory: ByteCount?

  @Option(
    help: ArgumentHelp("With --image: the kernel's command line.", valueName: "text"))
  var commandLine: String?

  @Option(
    help: ArgumentHelp(
      "Only the K-th of N parts of the scenarios, for a matrix of machines.", valueName: "k/n"))
  var shard: Shard?

  /// Whether scenarios are left out.
  var isPartial: Bool { shard != nil || !scenario.isEmpty }

  func isChosen(_ name: String) -> Bool {
    (scenario.isEmpty || scenario.contains { fnmatch($0, name, 0) == 0 })
      && shard?.contains(name) ?? true
  }

  func validate() throws {
    if image != nil, !jobs.isEmpty {
      throw ValidationError("Give job files or --image, not both.")
    }
    if start != nil, image == nil {
      throw ValidationError("--from needs --image; in a job file, write `start: {symbol: …}`.")
    }
    if image == nil,
      let flag = [
        ("--hits", hits != nil), ("--from-text", startText != nil), ("--until", !until.isEmpty),
        ("--boot", boot != nil), ("--disk", !disk.isEmpty), ("--cpus", cpus != nil),
        ("--memory", memory != nil), ("--command-line", commandLine != nil),
      ].first(where: \.1)?.0
    {
      throw ValidationError("\(flag) needs --image; in a job file, the scenario says it.")
    }
    if hits != nil, start == nil { throw ValidationError("--hits needs --from.") }
    if let hits, hits < 1 { throw ValidationError("--hits is a number from 1.") }
    if let cpus, !(1...8).contains(cpus) { throw ValidationError("--cpus is from 1 to 8.") }
    if disk.count > 2 { throw ValidationError("There are at most two disks.") }
    if startText == "" { throw ValidationError("--from-text needs a text.") }
  }
}

/// How scenarios are explored.
struct ExplorationFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Threads that explore (default: as many as the machine has cores). The results are the same.",
      valueName: "n"))
  var workers: Int?

  @Option(
    help: ArgumentHelp(
      "For the whole run, shared fairly among its scenarios: 90, 30s, 5m, 2h.",
      valueName: "time"))
  var timeLimit: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "For the search's own structures: 512M, 8G (default: 8G).", valueName: "bytes")
  )
  var memoryLimit: ByteCount?

  @Option(
    help: ArgumentHelp(
      "Bound on injected interrupts, in place of each scenario's own.", valueName: "n|unlimited"))
  var maxInterrupts: Bound?

  @Option(
    help: ArgumentHelp(
      "Reductions of the search: all, none, or some of "
        + Reduction.allCases.map(\.rawValue).joined(separator: ",") + " (default: all).",
      valueName: "names"))
  var reduce: Reductions?

  @Flag(
    name: .customLong("no-boot-cache"),
    help: "Neither use nor keep checkpoints of boots in $XDG_CACHE_HOME/locklab.")
  var withoutBootCache = false

  func validate() throws {
    if withoutBootCache { BootCache.shared.turnOff() }
    guard (1...1024).contains(workers ?? 1) else {
      throw ValidationError("--workers is a number from 1 to 1024.")
    }
  }

  var options: ExplorationOptions {
    var options = ExplorationOptions()
    options.workers = workers ?? ProcessInfo.processInfo.activeProcessorCount
    if let reduce { options.reductions = reduce.set }
    if let memoryLimit { options.memoryLimit = memoryLimit.bytes }
    if let maxInterrupts { options.maxInterrupts = .some(maxInterrupts.limit) }
    return options
  }
}

/// How a run is written down while it is under way.
struct CheckpointFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where a run under way is written down (default: beside the database, FILE.checkpoint).",
      valueName: "file"),
    completion: .file())
  var checkpoint: String?

  @Option(
    help: ArgumentHelp(
      "How often a search is written down: 30s, 5m (default: 30s).", valueName: "time"))
  var checkpointEvery: TimeSpan?

  @Flag(help: "Go on with the run that was killed while it wrote the checkpoint.")
  var resume = false

  static let standardInterval = 30.0
}

enum Format: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

struct FormatOption: ParsableArguments {
  @Option(help: "How results are written: text or json.")
  var format = Format.text
}

extension ProgressReport.Mode: ExpressibleByArgument {}

struct ProgressOption: ParsableArguments {
  @Option(help: "Progress on standard error: auto, plain or none.")
  var progress = ProgressReport.Mode.auto
}
