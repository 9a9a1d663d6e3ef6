import ArgumentParser
import Emulator
import Foundation
import KernelCore

/// Measures what Benchmarks/README.md states, and prints its tables in Markdown.
@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "locklab-bench",
    abstract: """
      Times the emulator beside Bochs, the search on scenarios of the reference job and beside SPIN, \
      and questions to a large database.
      """)

  @Option(help: "The folder that Benchmarks/build-guests filled.")
  var guests: String
  @Option(help: "The locklab to measure the search with.")
  var locklab: String
  @Option(help: "Runs of each measurement.")
  var runs = 5
  @Option(help: "Millions of instructions of the reference core.")
  var millions: UInt64 = 200
  @Option(help: "The SQL that fills a database; without it, the store is left out.")
  var store: String?
  @Option(help: "The folder Benchmarks; without it, what is beside SPIN, and growth, are left out.")
  var benchmarks: String?
  @Option(help: "Only: \(Bench.parts.joined(separator: ", ")).")
  var only: String?
  @Option(help: "Keep disks, configurations and logs in this folder.")
  var keep: String?
  @Option(help: "Only the guests whose name contains this.")
  var guest = ""
  @Flag(help: "Leave Bochs out.")
  var alone = false

  static let parts = ["speed", "search", "peers", "growth", "store"]
  static let scenarios = ["writer-and-reader", "writers", "computers"]
  static let workloads = ["payer,payee", "yielder,locker", "compute,compute"]

  func validate() throws {
    guard runs > 0, millions > 0 else { throw ValidationError("--runs and --millions: 1 or more") }
    if let only, !Bench.parts.contains(only) {
      throw ValidationError("--only: one of \(Bench.parts.joined(separator: ", "))")
    }
  }

  func run() throws {
    let folder =
      keep.map { URL(filePath: $0) }
      ?? FileManager.default.temporaryDirectory
      .appending(path: "locklab-bench-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { if keep == nil { try? FileManager.default.removeItem(at: folder) } }
    do {
      if only ?? "speed" == "speed" { try speed(folder) }
      if only ?? "search" == "search" { try search(folder) }
      if let benchmarks {
        let peers = Peers(
          benchmarks: URL(filePath: benchmarks), search: Search(locklab: locklab, folder: folder),
          runs: min(runs, 3))
        if only ?? "peers" == "peers" {
          try peers.build()
          try peers.compare()
          try peers.findBugs()
          try peers.rates()
        }
        if only ?? "growth" == "growth" {
          try Growth(peers: peers, folder: folder)
            .measure(picture: peers.benchmarks.appending(path: "growth.svg"))
        }
      }
      if only ?? "store" == "store", let store { try ask(store, folder) }
    } catch let failure as Failure {
      FileHandle.standardError.write(Data("locklab-bench: \(failure.message)\n".utf8))
      throw ExitCode(3)
    }
  }

  // MARK: Emulated instructions

  private func speed(_ folder: URL) throws {
    let bochs = Bochs(folder: folder, bootSector: try read("boot-sector"))
    print("### Emulated instructions a second, one core\n")
    print("M/s: million instructions a second. \(runs) runs: median (least–greatest).\n")
    print(
      "| guest | instructions | LockLab, s | Bochs, s | LockLab, M/s | Bochs, M/s | ratio | command |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    let guests = try allGuests()
    var boot: UInt64 = 0
    if !alone { _ = try guests[0].timeThere(bochs, boot: &boot) }
    for guest in guests where guest.name.contains(self.guest) || self.guest.isEmpty {
      var here: [Timing] = []
      var there: [Timing] = []
      // In turn, so that what else the machine does falls on both.
      for _ in 0..<runs {
        if !alone { there.append(try guest.timeThere(bochs, boot: &boot)) }
        here.append(
          try guest.timeHere(count: guest.instructions == nil ? nil : there.last?.instructions))
      }
      if let one = there.first, one.result != here[0].result {
        throw Failure(
          "\(guest.name): the results differ: \(here[0].result) here, \(one.result) in Bochs")
      }
      print(row(guest, here, there))
    }
    print("")
  }

  private func row(_ guest: Guest, _ here: [Timing], _ there: [Timing]) -> String {
    let rate = Spread(here.map(\.rate))
    var cells = [
      guest.name, here[0].instructions.grouped, Spread(here.map(\.seconds)).text(places: 2),
    ]
    if there.isEmpty {
      cells += ["–", rate.text(1e6, places: 1), "–", "–"]
    } else {
      cells += [
        Spread(there.map(\.seconds)).text(places: 2), rate.text(1e6, places: 1),
        Spread(there.map(\.rate)).text(1e6, places: 1),
        Spread(zip(here, there).map { $0.rate / $1.rate }).text(places: 2),
      ]
    }
    let part =
      !guest.commandLine.isEmpty
      ? "'\(guest.name)'" : guest.image.is64Bit ? "64-bit" : "loop"
    cells.append("`Benchmarks/run -- --only speed --guest \(part)`")
    return "| " + cells.joined(separator: " | ") + " |"
  }

  private func allGuests() throws -> [Guest] {
    func core(_ name: String) throws -> ELFImage {
      guard let core = KernelImages.image(named: name) else {
        throw Failure("there is no image \(name) in the build")
      }
      return try ELFImage(core)
    }
    let compute = try ELFImage(try read("compute"))
    let long = try ELFImage(try read("compute64"))
    return try [
      Guest(name: "compute loop", image: compute, commandLine: "", instructions: nil),
      Guest(name: "compute loop, 64-bit", image: long, commandLine: "", instructions: nil),
    ]
      + ["core-i386", "core-x86-64"].flatMap { name in
        let image = try core(name)
        return Bench.workloads.map {
          Guest(
            name: "\(name), tasks=\($0)", image: image, commandLine: "tasks=\($0)",
            instructions: millions * 1_000_000)
        }
      }
  }

  private func read(_ name: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: guests + "/" + name) else {
      throw Failure("\(guests)/\(name) cannot be read; run Benchmarks/build-guests \(guests)")
    }
    return [UInt8](data)
  }

  // MARK: Search

  private func search(_ folder: URL) throws {
    let search = Search(locklab: locklab, folder: folder)
    print("### Search\n")
    print("\(runs) runs: median (least–greatest).\n")
    print(
      "| scenario | verdict | states | states/s | M instructions/s | seconds | bytes a state "
        + "| resident, MB | command |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---|")
    for scenario in Bench.scenarios {
      let costs = try (0..<runs).map { _ in try search.run(scenario) }
      let one = costs[0]
      let cells = [
        scenario, one.verdict, one.states.grouped,
        Spread(costs.map { Double($0.states) / $0.seconds }).text(places: 0),
        Spread(costs.map { Double($0.instructions) / $0.seconds }).text(1e6, places: 1),
        Spread(costs.map(\.seconds)).text(places: 2),
        Spread(costs.map { Double($0.peakMemoryBytes) / Double($0.states) }).text(places: 0),
        Spread(costs.map { Double($0.residentBytes) }).text(1e6, places: 0),
        "`\(Search.command(scenario))`",
      ]
      print("| " + cells.joined(separator: " | ") + " |")
    }
    print("")
  }
}

extension Bench {
  // MARK: Store

  private func ask(_ filling: String, _ folder: URL) throws {
    let times = StoreTimes(locklab: locklab, folder: folder, filling: filling)
    let database = try times.prepare()
    let size =
      try FileManager.default.attributesOfItem(atPath: database)[.size] as? Int ?? 0
    print("### Store\n")
    print(
      "\(StoreTimes.count.grouped) counterexamples, \(size >> 20) MB. Each a process of its own, "
        + "\(runs) runs: median (least–greatest).\n")
    print("| command | ms |")
    print("|---|---:|")
    for question in StoreTimes.questions {
      let spread = Spread(try (0..<runs).map { _ in try times.time(question, database) })
      print(
        "| `locklab \(question.joined(separator: " "))` | \(spread.text(1e-3, places: 0)) |")
    }
    print("")
  }
}

/// What went wrong, to be said in one line.
struct Failure: Error {
  let message: String
  init(_ message: String) { self.message = message }
}
