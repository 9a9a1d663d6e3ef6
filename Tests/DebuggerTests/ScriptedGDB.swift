import DebugInfo
import Emulator
import KernelCore
import Model
import Testing

@testable import Debugger

/// The reference kernel's long write, whose counterexample one mouse interrupt leads to, and a session
/// over it that is fed packets.
enum ScriptedGDB {
  private struct Found {
    var scenario: Scenario
    var image: PreparedImage
    var counterexample: Counterexample
  }

  nonisolated(unsafe) private static let found: Found = {
    let bytes = KernelImages.image(named: "core-i386-long-write")!
    let image = try! PreparedImage(
      bytes: bytes, name: "long-write", symbols: ImageSymbols(bytes: bytes))
    var scenario = Scenario(name: "long-write", image: "long-write")
    scenario.memory = 4 << 20
    scenario.commandLine = "tasks=writer,compute"
    scenario.start.symbol = "exploration_start"
    var mouse = Source(name: "mouse", line: 12)
    mouse.data = [1]
    scenario.sources = [mouse]
    scenario.locks = [LockDiscipline(acquire: ["spin_acquire"], release: ["spin_release"])]
    scenario.switches = ["context_switch"]
    scenario.ends = ["task_exit"]
    scenario.stacks = ["task0_kernel_stack", "task1_kernel_stack", "idle_stack"].map {
      StackLimit(symbol: $0)
    }
    let result = try! Explorer(scenario: scenario, image: image, options: ExplorationOptions())
      .run()
    return Found(
      scenario: scenario, image: image,
      counterexample: result.counterexamples.first { $0.rule == "deadlock-on-interrupt" }!)
  }()

  static var counterexample: Counterexample { found.counterexample }
  static var image: PreparedImage { found.image }

  static func execution() throws -> Execution {
    try Execution(found.counterexample, scenario: found.scenario, image: found.image)
  }

  /// The data of each packet that comes back, for bytes that go in.
  static func replies(to bytes: [UInt8]) throws -> [String] {
    let channel = Script(bytes)
    Session(try execution(), about: .init(id: 7, imageName: "kernel.elf"), channel: channel).serve()
    var reader = PacketReader()
    return channel.output.compactMap {
      if case .packet(let data) = reader.take($0) {
        String(decoding: data, as: UTF8.self)
      } else {
        nil
      }
    }
  }

  static func replies(to packets: String...) throws -> [String] {
    try replies(to: packets.flatMap { framed(Array($0.utf8)) })
  }

  private final class Script: Session.Channel {
    private var input: ArraySlice<UInt8>
    var output: [UInt8] = []
    init(_ bytes: [UInt8]) { input = bytes[...] }
    func read() -> UInt8? { input.popFirst() }
    func poll() -> UInt8? { nil }
    func write(_ bytes: [UInt8]) { output += bytes }
  }
}
