import Emulator

/// From an image to the machine at which exploration begins: by executing the boot, or from a checkpoint of it.
extension World {
  /// Brings the machine to the scenario's start.
  func boot() throws {
    let name = checkpointName
    if isBooted && harness == nil {
      let isRestored = image.boots.own(name).map(machine.restore) ?? restoreStored(name)
      if !isRestored {
        try bootAfresh()
        // As a restored machine has them: whoever comes to this state has the same frames.
        machine.compactMemoryIfLarge()
        if machine.instructions >= BootCheckpoints.worthKeeping {
          image.boots.keep(machine.checkpoint(), name, storing: true)
        }
      }
    } else {
      try bootAfresh()
    }
    machine.timersRun = false
    if scenario.sourcesFromImage == true { takeProgrammedSources() }
    if !image.disks.isEmpty { addDiskSource() }
    beginObserving()
  }

  /// Whether instructions are executed before exploration begins.
  var isBooted: Bool { scenario.start.symbol != nil || scenario.start.serial != nil }

  /// What a boot is a function of: image, disks, and what the scenario makes of them.
  private var checkpointName: String {
    let parts = [
      image.digest, image.disks.map(Checkpoint.digest).joined(separator: ","),
      scenario.commandLine, "\(scenario.cpus)", "\(scenario.memory)",
      scenario.boot?.rawValue ?? "", scenario.start.symbol ?? "", "\(scenario.start.hits)",
      scenario.start.serial ?? "", "\(scenario.patches)", "\(scenario.stubs ?? [])",
    ]
    return Checkpoint.digest(Array(parts.map { "\($0.utf8.count):\($0)" }.joined().utf8))
  }

  private func restoreStored(_ name: String) -> Bool {
    guard let (checkpoint, place) = image.boots.stored(name) else { return false }
    guard machine.restore(checkpoint) else {
      bootNotes.append("The checkpoint of the boot was damaged and is made again: \(place).")
      return false
    }
    image.boots.keep(checkpoint, name, storing: false)
    let instructions = grouped(checkpoint.instructions)
    bootNotes.append(
      "Started from a checkpoint of the boot (\(instructions) instructions): \(place).")
    return true
  }

  private func bootAfresh() throws {
    if let harness {
      harness.install(in: machine)
    } else {
      try loadImage()
    }
    try Patcher.apply(
      scenario.patches, scenario: scenario.name, image: image, to: machine,
      onDisk: scenario.boot == .disk)
    try Patcher.replace(
      scenario.stubs ?? [], scenario: scenario.name, image: image, in: machine)
    if isBooted { try runToStart() }
  }

  private func loadImage() throws {
    do {
      try machine.load(image.elf, by: scenario.boot, commandLine: scenario.commandLine)
    } catch {
      throw ScenarioError("scenario `\(scenario.name)`: image `\(image.name)`: \(error)")
    }
  }

  private func failure(_ message: String) -> ScenarioError {
    ScenarioError("scenario `\(scenario.name)`: \(message)")
  }

  /// Runs until the serial text was sent, and from there to the symbol's how many-th hit.
  private func runToStart() throws {
    machine.timersRun = true
    if let text = scenario.start.serial {
      machine.stopText = Array(text.utf8)
      try run(to: "the serial output `\(printable(text))`") { stop in stop == .event }
      machine.stopText = []
    }
    guard let symbol = scenario.start.symbol else { return }
    let target = try address(of: symbol, for: "start")
    var hits = 0
    machine.setHook(linear: target)
    defer { machine.clearHooks() }
    try run(to: "`\(symbol)`") { stop in
      guard stop == .visible else { return false }
      hits += 1
      if hits == scenario.start.hits { return true }
      machine.clearHooks()
      _ = machine.run(cpu: bootCPU, limit: 1)
      machine.setHook(linear: target)
      return false
    }
  }

  /// Executes the boot until `isThere` says so of why a run ended.
  private func run(to what: String, isThere: (Stop) -> Bool) throws {
    let limit = scenario.start.limit
    while machine.instructions < UInt64(limit) {
      let (stop, index) = machine.runAll(limit: limit - Int(machine.instructions))
      bootCPU = index
      if isThere(stop) { return }
      let rip = machine.cpus[index].rip
      switch stop {
      case .visible, .limit, .event: continue
      case .halted:
        throw failure(
          "the kernel halted with nothing to wake it before it reached \(what)\(lastOutput)")
      case .shutdown:
        throw failure(
          "triple fault at \(image.symbols.describe(rip)) before \(what) was reached\(lastOutput)")
      case .unmodelled:
        throw failure(
          "the boot came to what is \(notModelled(at: machine.cpus[index].linearIP))\(lastOutput)"
        )
      case .exit:
        throw failure("the kernel ended the run before it reached \(what)\(lastOutput)")
      }
    }
    throw failure(
      "\(what) was not reached within \(limit) instructions of boot; raise `start: limit:` or name another symbol\(lastOutput)"
    )
  }

  /// The last line that the kernel printed, which often says why it went no further.
  private var lastOutput: String {
    let output = machine.serialOutput.isEmpty ? machine.debugOutput : machine.serialOutput
    let lines = String(decoding: output.suffix(400), as: UTF8.self)
      .split(whereSeparator: \.isNewline)
    guard let last = lines.last(where: { !$0.allSatisfy(\.isWhitespace) }) else { return "" }
    return "; its last line of output was `\(printable(String(last.suffix(120))))`"
  }

  private func printable(_ text: String) -> String {
    String(
      text.unicodeScalars.map { s in
        s.value < 32 || s.value == 127 ? Character("·") : Character(s)
      })
  }

  private func grouped(_ number: UInt64) -> String {
    var digits = Array(String(number))
    var place = digits.count - 3
    while place > 0 {
      digits.insert(",", at: place)
      place -= 3
    }
    return String(digits)
  }
}

extension Explorer {
  /// What is to be said of how the start was come to, and of the sources found there.
  public var bootNotes: [String] { world.bootNotes }

  /// The scenario as it is explored: with the sources that the image had programmed.
  public var explored: Scenario { world.scenario }
}
