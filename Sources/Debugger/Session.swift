import Emulator
import Model

/// A connection to gdb: takes its packets, answers them, and moves the execution as they say.
///
/// GDB manual, appendix E. Nothing that comes in can end the session but its end; packets that are not
/// known get the empty answer, as the protocol has it, and wrong ones an error.
public final class Session {
  /// Where bytes go and come from.
  public protocol Channel: AnyObject {
    /// The next byte, or nil at the end of the connection.
    func read() -> UInt8?
    /// A byte that has come in already, if any; does not wait.
    func poll() -> UInt8?
    func write(_ bytes: [UInt8])
  }

  /// What may be said about the execution.
  public struct About {
    /// Number of the counterexample in its database.
    public var id: Int64
    /// How `info files` and the like name the image.
    public var imageName: String
    public init(id: Int64, imageName: String) {
      self.id = id
      self.imageName = imageName
    }
  }

  let travel: TimeTravel
  let about: About
  let registers: Registers
  private let channel: any Channel
  private var reader = PacketReader()
  private var acknowledges = true
  private var latest: [UInt8] = []
  var isOver = false

  /// CPU that registers and memory are read of; `Hg`.
  var cpu = 0
  /// CPU that `s`, `bs` move; `Hc`.
  var movingCPU: Int?
  var lastStop = StopReason.stepped(cpu: 0)
  /// What gdb can make of a stop reply.
  var knowsSoftwareBreakpoints = false
  var knowsHardwareBreakpoints = false
  /// Whether the file of the image is open, for gdb to read.
  var imageIsOpen = false

  public init(_ execution: Execution, about: About, channel: any Channel) {
    travel = TimeTravel(execution)
    self.about = about
    self.channel = channel
    registers = Registers(is64Bit: execution.image.elf.is64Bit)
    travel.isInterrupted = { [unowned self] in self.takesInterrupt() }
  }

  var machine: Machine { travel.machine }
  var execution: Execution { travel.execution }

  /// Serves until gdb detaches, kills or hangs up.
  public func serve() {
    while !isOver, let byte = channel.read() {
      switch reader.take(byte) {
      // Ctrl-C while nothing runs: the stop that it asks for has been told.
      case nil, .interrupt: continue
      case .damaged: if acknowledges { channel.write([UInt8(ascii: "-")]) }
      case .again: channel.write(latest)
      case .packet(let data):
        if acknowledges { channel.write([UInt8(ascii: "+")]) }
        if let reply = answer(data) { send(reply) }
      }
    }
  }

  func send(_ data: [UInt8]) {
    latest = framed(data)
    channel.write(latest)
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// Text for gdb's user, while the execution runs.
  func tell(_ text: String) { send("O" + Hex.encode(text.utf8)) }

  func stopAcknowledging() { acknowledges = false }

  /// Whether gdb asks the running execution to stop.
  private func takesInterrupt() -> Bool {
    while let byte = channel.poll() {
      if reader.take(byte) == .interrupt { return true }
    }
    return false
  }

  // MARK: Answers

  static let ok = Array("OK".utf8)
  static let unknown: [UInt8] = []

  /// `E.` and a sentence, which gdb shows where it shows anything.
  static func error(_ what: String) -> [UInt8] { Array("E.\(what)".utf8) }
  /// Errno EINVAL, where gdb takes a number only.
  static let invalid = Array("E16".utf8)
  /// EFAULT: nothing is mapped there.
  static let fault = Array("E0e".utf8)
  static let readOnly = error(
    "a recorded execution cannot be changed: registers and memory are read-only")

  /// - Returns: the reply, or nil where there is to be none.
  private func answer(_ data: [UInt8]) -> [UInt8]? {
    let text = String(decoding: data, as: UTF8.self)
    guard let first = text.first else { return Self.unknown }
    let rest = text.dropFirst()
    switch first {
    case "?": return stopReply(lastStop)
    case "g":
      return Array(
        registers.all.indices.map { registers.text($0, of: machine.cpus[cpu]) }.joined().utf8)
    case "p": return readRegister(rest)
    case "m": return readMemory(rest)
    case "G", "P", "M", "X": return Self.readOnly
    case "Z": return setCondition(rest, inserted: true)
    case "z": return setCondition(rest, inserted: false)
    case "H": return selectThread(rest)
    case "T": return thread(rest) == nil ? Self.invalid : Self.ok
    case "c", "s", "C", "S": return resume(first, rest)
    case "b": return resumeBackward(rest)
    case "v": return answerVerbose(text)
    case "q", "Q": return answerQuery(text)
    case "D":
      isOver = true
      return Self.ok
    case "k":
      isOver = true
      return nil
    default: return Self.unknown
    }
  }

  private func selectThread(_ text: Substring) -> [UInt8] {
    guard let operation = text.first else { return Self.invalid }
    let name = text.dropFirst()
    // -1: all; 0: any.
    let any = name == "-1" || name == "0"
    guard any || thread(name) != nil else { return Self.invalid }
    switch operation {
    case "g": if !any { cpu = thread(name)! }
    case "c": movingCPU = any ? nil : thread(name)
    default: return Self.invalid
    }
    return Self.ok
  }

  /// The CPU that a thread stands for: thread 1 is CPU 0.
  func thread(_ name: some StringProtocol) -> Int? {
    guard let number = Hex.number(name), number >= 1, number <= UInt64(machine.cpus.count) else {
      return nil
    }
    return Int(number) - 1
  }

  private func readRegister(_ text: Substring) -> [UInt8] {
    guard let number = Hex.number(text), number < UInt64(registers.all.count) else {
      return Self.invalid
    }
    return Array(registers.text(Int(number), of: machine.cpus[cpu]).utf8)
  }

  /// As much as is mapped from the address on, by the page tables of the CPU that is looked at.
  private func readMemory(_ text: Substring) -> [UInt8] {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = Hex.number(parts[0]), let size = Hex.number(parts[1])
    else { return Self.invalid }
    var bytes: [UInt8] = []
    for i in 0..<min(size, UInt64(PacketReader.limit / 2)) {
      guard let byte = machine.peek(cpu, linear: address &+ i, size: 1) else { break }
      bytes.append(UInt8(byte))
    }
    return bytes.isEmpty && size > 0 ? Self.fault : Array(Hex.encode(bytes).utf8)
  }

  private func setCondition(_ text: Substring, inserted: Bool) -> [UInt8] {
    // Conditions and commands after a `;` were not offered.
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == 3, let address = Hex.number(parts[1]), let size = Hex.number(parts[2])
    else {
      return Self.invalid
    }
    func breakpoint(_ kind: StopConditions.BreakpointKind) -> [UInt8] {
      if inserted {
        travel.conditions.insert(kind, at: address)
      } else {
        travel.conditions.remove(kind, at: address)
      }
      return Self.ok
    }
    func watch(_ kind: StopConditions.WatchKind) -> [UInt8] {
      guard (1...4096).contains(size) else { return Self.invalid }
      let watch = StopConditions.Watch(kind: kind, address: address, size: Int(size))
      if inserted {
        travel.conditions.insert(watch, machine: machine, cpu: cpu)
      } else {
        travel.conditions.remove(watch)
      }
      return Self.ok
    }
    switch parts[0] {
    case "0": return breakpoint(.software)
    case "1": return breakpoint(.hardware)
    case "2": return watch(.write)
    case "3": return watch(.read)
    case "4": return watch(.access)
    default: return Self.unknown
    }
  }
}
