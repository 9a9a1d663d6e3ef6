/// What a kernel has programmed for interrupts to come: gates, masks, devices.

/// A device of the machine that raises an ISA line by itself.
public struct InterruptingDevice: Sendable {
  public let name: String
  public let line: Int
  /// Why it cannot raise its line as it is programmed; nil: it can.
  public var obstacle: String?
}

extension Machine {
  /// Devices behind ISA lines, in the order of the lines.
  public var interruptingDevices: [InterruptingDevice] {
    var devices = [
      InterruptingDevice(name: "timer", line: 0),
      InterruptingDevice(name: "keyboard", line: 1, obstacle: keyboardObstacle),
      InterruptingDevice(name: "serial2", line: 3, obstacle: serialObstacle(second: true)),
      InterruptingDevice(name: "serial", line: 4, obstacle: serialObstacle(second: false)),
      InterruptingDevice(name: "clock", line: 8, obstacle: clockObstacle),
      InterruptingDevice(name: "mouse", line: 12, obstacle: mouseObstacle),
    ]
    if hasDisk { devices.append(InterruptingDevice(name: "disk", line: 14)) }
    return devices
  }

  /// The processor's way from a line to a handler.
  public struct InterruptPath: Sendable, Equatable {
    public var vector: Int
    public var cpu: Int
    /// Whether the I/O APIC has it, and not the 8259 pair.
    public var isThroughIOAPIC: Bool
  }

  /// Where a line's interrupts go: through the controllers that let it pass to CPUs which have a gate
  /// for it.
  public func paths(ofLine line: Int) -> [InterruptPath] {
    var paths: [InterruptPath] = []
    if let route = route(ofLine: line), !route.isNMI {
      paths += route.cpus.map {
        InterruptPath(vector: route.vector, cpu: $0, isThroughIOAPIC: true)
      }
    }
    if !isMaskedAtPair(line) {
      let vector = Int(picState(slave: line >= 8).base) + (line & 7)
      paths += cpus.indices.filter { apic($0).takesExternalController }
        .map { InterruptPath(vector: vector, cpu: $0, isThroughIOAPIC: false) }
    }
    return paths
  }

  private func isMaskedAtPair(_ line: Int) -> Bool {
    let master = picState(slave: false)
    if line < 8 { return master.mask >> UInt8(line) & 1 != 0 }
    return picState(slave: true).mask >> UInt8(line - 8) & 1 != 0 || master.mask & 4 != 0
  }

  /// Whether a CPU's descriptor table of interrupts has a present gate for a vector. Intel SDM Vol. 3A §6.11,
  /// §6.14.1.
  public func hasGate(cpu: Int, vector: Int) -> Bool {
    let c = cpus[cpu]
    if isReal(cpu) { return false }
    let size: UInt64 = c.isLongMode ? 16 : 8
    let offset = UInt64(vector) * size
    guard offset + size - 1 <= c[CPU.Word.idtrLimit],
      let rights = peek(cpu, linear: c[CPU.Word.idtrBase] &+ offset &+ 5, size: 1)
    else { return false }
    switch rights & 0x1F {
    case 0x0E, 0x0F: return rights & 0x80 != 0
    case 0x05, 0x06, 0x07: return rights & 0x80 != 0 && !c.isLongMode
    default: return false
    }
  }
}
