import Foundation

/// The machine code of `Peers` searched by LockLab, beside SPIN on the models of `spin`, in turn.
struct Peers {
  /// The folder Benchmarks.
  let benchmarks: URL
  let search: Search
  let runs: Int

  /// A job for both.
  struct Pair {
    var name: String
    var scenario: String
    /// Arguments of `spin/check`: model and defines.
    var model: [String]
    /// Whether SPIN's search without partial-order reduction ends in a few seconds.
    var hasUnreduced = true
  }

  static let b = ["kernel.pml", "-DCPUS=2", "-DTASKS=2", "-DDEVICES=1"]
  static let pairs = [
    Pair(
      name: "a: 1 CPU, 3 tasks, PAD=4", scenario: "model-a",
      model: ["kernel.pml", "-DTASKS=3", "-DPAD=4"]),
    Pair(name: "b: 2 CPUs with 2 tasks, a timer and a device each", scenario: "model-b", model: b),
    Pair(
      name: "b, no steps in the model's regions", scenario: "model-b", model: b + ["-DNO_REGIONS"]),
    Pair(
      name: "b padded (SPIN: PAD=1; ours: 4)", scenario: "model-b-padded", model: b + ["-DPAD=1"],
      hasUnreduced: false),
    Pair(
      name: "c: 4 CPUs with a task and a timer each", scenario: "model-c",
      model: ["kernel.pml", "-DCPUS=4"]),
    Pair(
      name: "c, no steps in the model's regions", scenario: "model-c",
      model: ["kernel.pml", "-DCPUS=4", "-DNO_REGIONS"]),
    Pair(name: "ticket lock, 8 CPUs", scenario: "ticket-8", model: ["ticket.pml"]),
    Pair(name: "MCS lock, 4 CPUs", scenario: "mcs-4", model: ["mcs.pml"]),
  ]
  static let bugs = [
    Pair(
      name: "a: STI in the inner release", scenario: "model-a-bug",
      model: ["kernel.pml", "-DTASKS=3", "-DPAD=4", "-DWRONG=1"]),
    Pair(
      name: "b: the device's lock with IF=1", scenario: "model-b-bug", model: b + ["-DWRONG=2"]),
    Pair(
      name: "c, 3 CPUs: B before A", scenario: "model-c-abba",
      model: ["kernel.pml", "-DCPUS=3", "-DWRONG=3"]),
  ]

  var job: String { benchmarks.appending(path: "peers.yml").path }

  // MARK: SPIN

  struct Figures {
    var errors: Int
    var states: Int
    var seconds: Double
    var bytesPerState: Double
    /// Steps of the processes in the trail of an error.
    var trail: Int
  }

  func spin(_ model: [String], compiler: [String] = []) throws -> Figures {
    let arguments = model + (compiler.isEmpty ? [] : ["--gcc"] + compiler)
    let text = try output(benchmarks.appending(path: "spin/check").path, arguments)
    let fields = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
    guard fields.count == 7 else {
      throw Failure("spin/check \(arguments.joined(separator: " ")): \"\(text)\" is not 7 figures")
    }
    return Figures(
      errors: Int(fields[0]), states: Int(fields[1]), seconds: fields[4],
      bytesPerState: fields[3], trail: Int(fields[6]))
  }

  private func output(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let output = Pipe()
    let errors = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    do { try process.run() } catch { throw Failure("\(program) does not start: \(error)") }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    let complaints = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let line = String(decoding: complaints.prefix(300), as: UTF8.self)
      throw Failure("\(program) \(arguments.joined(separator: " ")): \(line)")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Builds the images of `peers.yml`, or one image of another kind into a folder.
  func build(_ arguments: [String] = []) throws {
    _ = try output(benchmarks.appending(path: "build-peers").path, arguments)
  }

  // MARK: Tables

  func compare() throws {
    print("### Beside SPIN\n")
    print(
      "Machine code here, a model of it there: see `spin/README.md`. \(runs) runs of what takes less "
        + "than 5 s: medians. POR: SPIN's partial-order reduction.\n")
    print(
      "| job | verdict | states | s | bytes a state | SPIN, POR: states | s | bytes a state "
        + "| SPIN, no POR: states | s | time of SPIN, POR / ours | command |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    for pair in Self.pairs {
      var ours: [SearchCost] = []
      var theirs: [Figures] = []
      var unreduced: [Figures] = []
      // In turn, so that what else the machine does falls on both.
      for _ in 0..<runs {
        if ours.last.map({ $0.seconds < 5 }) ?? true { ours.append(try check(pair.scenario)) }
        if theirs.last.map({ $0.seconds < 5 }) ?? true { theirs.append(try spin(pair.model)) }
        if pair.hasUnreduced, unreduced.isEmpty {
          unreduced.append(try spin(pair.model, compiler: ["-DNOREDUCE"]))
        }
      }
      let seconds = Spread(ours.map(\.seconds))
      let spins = Spread(theirs.map(\.seconds))
      let one = ours[0]
      let ratio =
        one.verdict == "inconclusive" ? "–" : (spins.median / seconds.median).rounded(to: 2)
      let cells =
        [
          pair.name, one.verdict, one.states.grouped,
          (one.verdict == "inconclusive" ? "> " : "") + seconds.median.rounded(to: 2),
          perState(one), theirs[0].states.grouped, spins.median.rounded(to: 2),
          theirs[0].bytesPerState.rounded(to: 0),
        ]
        + (unreduced.first.map { [$0.states.grouped, $0.seconds.rounded(to: 2)] } ?? ["–", "–"])
        + [ratio, "`\(command(pair.scenario))`"]
      print("| " + cells.joined(separator: " | ") + " |")
    }
    print("")
  }

  func findBugs() throws {
    print("### Seeded bugs\n")
    print(
      "*visible steps*: choices on the way to the broken rule, as the search takes them; of them "
        + "*interrupts*. SPIN's trail is that of its breadth-first search without POR, the shortest.\n"
    )
    print(
      "| bug | rules broken | s | shortest: rule | visible steps | SPIN's trail | s | command |")
    print("|---|---|---:|---|---:|---:|---:|---|")
    for bug in Self.bugs {
      let ours = try check(bug.scenario)
      let theirs = try spin(bug.model, compiler: ["-DBFS", "-DNOREDUCE"])
      let shortest = ours.visibleSteps.min { ($0.value, $0.key) < ($1.value, $1.key) }
      let cells = [
        bug.name, ours.rules.joined(separator: ", "), ours.seconds.rounded(to: 2),
        shortest?.key ?? "–", shortest.map { $0.value.grouped } ?? "–",
        theirs.errors > 0 ? theirs.trail.grouped : "none", theirs.seconds.rounded(to: 2),
        "`\(command(bug.scenario))`",
      ]
      print("| " + cells.joined(separator: " | ") + " |")
    }
    print("")
  }

  /// Visible steps a second, with one worker and with two, and what a state costs.
  func rates() throws {
    print("### Visible steps a second\n")
    print("| scenario | workers | visible steps | s | M steps/s | bytes a state, peak |")
    print("|---|---:|---:|---:|---:|---:|")
    for scenario in ["model-b", "model-c"] {
      for workers in [1, 2] {
        let costs = try (0..<runs).map { _ in
          try check(scenario, ["--workers", "\(workers)"])
        }
        let cells = [
          scenario, "\(workers)", costs[0].transitions.grouped,
          Spread(costs.map(\.seconds)).text(places: 2),
          Spread(costs.map { Double($0.transitions) / $0.seconds }).text(1e6, places: 2),
          perState(costs[0]),
        ]
        print("| " + cells.joined(separator: " | ") + " |")
      }
    }
    print("")
  }

  static let limit = ["--time-limit", "60"]

  private func command(_ scenario: String) -> String {
    "locklab check Benchmarks/peers.yml --scenario \(scenario)"
  }

  private func check(_ scenario: String, _ options: [String] = []) throws -> SearchCost {
    try search.run(scenario, options: [job] + Peers.limit + options)
  }

  private func perState(_ cost: SearchCost) -> String {
    (Double(cost.peakMemoryBytes) / Double(max(cost.states, 1))).rounded(to: 0)
  }
}
