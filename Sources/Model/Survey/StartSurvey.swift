import Emulator

/// What an image has set up where exploration would begin.
public struct StartSurvey: Sendable {
  public struct Gate: Sendable {
    public var vector: Int
    public var target: UInt64
    /// The symbol that has the target; nil: none.
    public var name: String?
  }

  public struct Line: Sendable {
    public var line: Int
    public var vector: Int
    public var handler: String?
  }

  public var gates: [Gate] = []
  /// ISA lines that are open and whose vector has a gate.
  public var lines: [Line] = []
  /// CPUs whose local APIC's timer runs.
  public var timers: [Int] = []
  public var stackPointer: UInt64 = 0
  /// The object that the stack pointer is in.
  public var stack: String?
  public var interruptsOn = false
  public var instructions: UInt64 = 0

  /// Boots a scenario's image to its start and looks around.
  /// - Throws: `ScenarioError`.
  public init(_ scenario: Scenario, image: PreparedImage) throws {
    let world = try World(scenario: scenario, image: image, reductions: [])
    let machine = world.machine
    let cpu = machine.cpus[0]
    func name(_ address: UInt64) -> String? { image.symbols.symbol(containing: address)?.name }
    instructions = machine.instructions
    stackPointer = cpu.rsp
    stack = name(cpu.rsp &- 1)
    interruptsOn = cpu.interruptsEnabled
    let size: UInt64 = cpu.isLongMode ? 16 : 8
    let base = cpu[CPU.Word.idtrBase]
    let count = Int(min((cpu[CPU.Word.idtrLimit] + 1) / size, 256))
    for vector in 0..<count {
      let at = base + UInt64(vector) * size
      // Intel SDM Vol. 3A §6.11, §6.14.1: the offset is in bits 0–15 and 48–63, and 64–95.
      guard let low = machine.peek(0, linear: at, size: 8), low >> 47 & 1 != 0 else { continue }
      var target = low & 0xFFFF | low >> 32 & 0xFFFF_0000
      if size == 16 { target |= (machine.peek(0, linear: at + 8, size: 4) ?? 0) << 32 }
      gates.append(Gate(vector: vector, target: target, name: name(target)))
    }
    let known = Dictionary(gates.map { ($0.vector, $0) }) { first, _ in first }
    for line in 0..<16 where line != 2 {
      let vector = machine.vector(ofLine: line)
      let pair = machine.picState(slave: line >= 8)
      // By another vector than the 8259's: the I/O APIC has an open entry.
      let isOpen =
        vector != Int(pair.base) + (line & 7) || pair.mask >> UInt8(line & 7) & 1 == 0
      guard isOpen, let gate = known[vector], vector >= 32 else { continue }
      lines.append(Line(line: line, vector: vector, handler: gate.name))
    }
    timers = machine.cpus.indices.filter {
      machine.isTimerRunning(cpu: $0) && !machine.isTimerMasked(cpu: $0)
    }
  }
}
