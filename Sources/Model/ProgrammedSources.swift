import Emulator

/// The interrupt sources that an image has set up by the start: lines that a controller lets pass to a CPU with
/// a gate for them, where there is a device behind them, and local timers.
extension World {
  /// The sources, and what is to be said of them.
  func programmedSources() -> (sources: [Source], notes: [String]) {
    var sources: [Source] = []
    var ways: [String] = []
    var left: [String] = []
    let devices = machine.interruptingDevices
    for line in 0..<16 where line != 2 {
      let paths = machine.paths(ofLine: line)
      if paths.isEmpty { continue }
      guard let device = devices.first(where: { $0.line == line }) else {
        left.append("line \(line) (no device is behind it)")
        continue
      }
      guard let path = paths.first(where: { machine.hasGate(cpu: $0.cpu, vector: $0.vector) })
      else {
        left.append("\(device.name) (line \(line): vector \(paths[0].vector) has no gate)")
        continue
      }
      if let obstacle = device.obstacle {
        left.append("\(device.name) (line \(line): \(obstacle))")
        continue
      }
      var source = Source(name: device.name, line: line)
      source.data = Self.data(ofLine: line)
      sources.append(source)
      ways.append(
        "\(device.name) (line \(line), vector \(path.vector)\(path.isThroughIOAPIC ? " through the I/O APIC" : ""))"
      )
    }
    for cpu in machine.cpus.indices {
      let vector = machine.timerVector(cpu: cpu)
      guard machine.isTimerRunning(cpu: cpu) || !machine.isTimerMasked(cpu: cpu) else { continue }
      let name = machine.cpus.count > 1 ? "local-timer-\(cpu)" : "local-timer"
      guard vector >= 16, machine.hasGate(cpu: cpu, vector: vector) else {
        left.append("\(name) (vector \(vector) has no gate)")
        continue
      }
      guard sources.count < Choice.sourceLimit else { break }
      var source = Source(name: name, line: nil)
      source.localTimer = true
      source.cpu = cpu
      sources.append(source)
      ways.append("\(name) (vector \(vector))")
    }
    var notes = [
      "Sources, as the image has programmed them: "
        + (ways.isEmpty ? "none" : ways.joined(separator: ", ")) + "; each without limit."
    ]
    if !left.isEmpty { notes.append("No sources: \(left.joined(separator: ", ")).") }
    return (sources, notes)
  }

  /// What a device delivers with its interrupts: a key down and up, a letter, a mouse's packet.
  private static func data(ofLine line: Int) -> [UInt8] {
    switch line {
    case 1: [0x1E, 0x9E]
    case 3, 4: [0x61]
    case 12: [0x08, 0x01, 0x00]
    default: []
    }
  }
}
