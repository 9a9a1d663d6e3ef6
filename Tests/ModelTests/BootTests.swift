import Emulator
import Synchronization
import Testing

@testable import Model

/// How exploration comes to its start, and what it finds there.
@Suite struct BootTests {
  private static func out(_ a: inout Assembler, _ port: UInt16, _ value: UInt8) {
    a.bytes([0x66, 0xBA, UInt8(port & 0xFF), UInt8(port >> 8), 0xB0, value, 0xEE])
  }

  private static func result(
    _ kernel: TinyKernel, disks: [[UInt8]] = [], _ change: (inout Scenario) -> Void = { _ in }
  ) throws -> ScenarioResult {
    var scenario = kernel.scenario(arrivals: [])
    change(&scenario)
    let image = try PreparedImage(
      bytes: kernel.image, name: "tiny", symbols: kernel.symbols, disks: disks)
    return try Explorer(scenario: scenario, image: image, options: ExplorationOptions()).run()
  }

  @Test func executions_end_at_until() throws {
    let kernel = TinyKernel(
      main: { a in
        a.bytes([0xFB, 0x90, 0x90])
        a.label("half")
        a.bytes([0xFA, 0xF4])  // cli; hlt
      }, handlers: [{ _ in }])
    #expect(try Self.result(kernel).verdict == .violated)
    #expect(try Self.result(kernel) { $0.until = ["half"] }.verdict == .clean)
    #expect(
      throws: ScenarioError.self, performing: { try Self.result(kernel) { $0.until = ["halve"] } })
  }

  /// A symbol at which exploration begins and ends: it comes by there once more.
  @Test func until_the_start_comes_again() throws {
    let kernel = TinyKernel(
      main: { a in
        a.label("again")
        a.bytes([0xFF, 0x05])  // inc dword [variables]
        a.word(UInt32(TinyKernel.variables))
        a.bytes([0xFB, 0x90, 0xFA])
        a.jump(to: "again")
      }, handlers: [{ _ in }])
    let result = try Self.result(kernel) {
      $0.start.symbol = "again"
      $0.until = ["again"]
      $0.sources = [Source(name: "timer", line: 0)]
    }
    #expect(result.verdict == .clean)
    #expect(result.states < 20)
  }

  @Test func begins_behind_a_text() throws {
    let kernel = TinyKernel(
      main: { a in
        for byte in "go OK".utf8 { Self.out(&a, 0x3F8, byte) }
        a.label("behind")
        Self.out(&a, 0x3F8, 0x21)
      }, handlers: [{ _ in }])
    var scenario = kernel.scenario(arrivals: [])
    scenario.start.symbol = nil
    scenario.start.serial = "OK"
    let world = try World(scenario: scenario, image: kernel.prepared, reductions: [])
    #expect(world.machine.cpus[0].rip == kernel.symbols.symbol(named: "behind")!.address)
    scenario.start.serial = "OKAY"
    let error = #expect(throws: ScenarioError.self) {
      try World(scenario: scenario, image: kernel.prepared, reductions: [])
    }
    #expect(error?.description.contains("before it reached the serial output `OKAY`") == true)
    #expect(error?.description.contains("its last line of output was `go OK!`") == true)
  }

  @Test func sources_are_what_the_image_has_programmed() throws {
    func sources(_ handlers: Int, _ main: @escaping (inout Assembler) -> Void = { _ in }) throws
      -> (names: [String], notes: [String])
    {
      let kernel = TinyKernel(
        main: {
          main(&$0)
          $0.label("ready")
          $0.bytes([0xFB])
        },
        handlers: Array(repeating: { _ in }, count: handlers))
      var scenario = kernel.scenario(arrivals: [])
      scenario.start.symbol = "ready"
      scenario.sourcesFromImage = true
      let world = try World(scenario: scenario, image: kernel.prepared, reductions: [])
      return (world.scenario.sources.map(\.name), world.bootNotes)
    }
    #expect(try sources(2).names == ["timer", "keyboard"])
    let one = try sources(1)
    #expect(one.names == ["timer"])
    #expect(one.notes.contains { $0.contains("keyboard (line 1: vector 33 has no gate)") })
    // The mask lets only the keyboard pass.
    #expect(try sources(2) { Self.out(&$0, 0x21, 0xFD) }.names == ["keyboard"])
    // The keyboard's interrupt is off in its controller.
    let off = try sources(2) {
      Self.out(&$0, 0x64, 0x60)
      Self.out(&$0, 0x60, 0x64)
    }
    #expect(off.names == ["timer"])
    #expect(off.notes.contains { $0.contains("its interrupt is off in the PS/2 controller") })
    // COM1 with its receive interrupt and OUT2.
    let serial = try sources(5) {
      Self.out(&$0, 0x3F9, 1)
      Self.out(&$0, 0x3FC, 8)
    }
    #expect(serial.names == ["timer", "keyboard", "serial"])
  }

  /// A key that is there to be read leads to the same states whether the line is the job's or the image's.
  @Test func programmed_sources_explore_as_written_ones() throws {
    let kernel = TinyKernel(
      main: { a in
        a.label("ready")
        a.bytes([0xFB, 0x90, 0xFA, 0xFB])
      }, handlers: [{ _ in }, { $0.bytes([0xE4, 0x60]) }])
    let programmed = try Self.result(kernel) {
      $0.start.symbol = "ready"
      $0.sourcesFromImage = true
    }
    let written = try Self.result(kernel) {
      $0.start.symbol = "ready"
      var keyboard = Source(name: "keyboard", line: 1)
      keyboard.data = [0x1E, 0x9E]
      $0.sources = [Source(name: "timer", line: 0), keyboard]
    }
    #expect(programmed.verdict == .clean)
    #expect(programmed.states == written.states)
    #expect(programmed.sources == written.sources)
  }

  // MARK: The disk

  /// Reads the second sector; the disk is not to interrupt.
  private static func command(_ a: inout Assembler) {
    for (port, value) in [
      (0x3F6, 2), (0x1F6, 0xE0), (0x1F2, 1), (0x1F3, 1), (0x1F4, 0), (0x1F5, 0), (0x1F7, 0x20),
    ] as [(UInt16, UInt8)] {
      out(&a, port, value)
    }
    a.bytes([0x66, 0xBA, 0xF7, 0x01])  // mov dx, 1F7h
  }

  private static let disk: [UInt8] = (0..<2048).map { UInt8($0 >> 9) &* 17 }

  /// A driver that does not wait for the disk finds it busy in some execution.
  @Test func a_disk_takes_its_time() throws {
    let hasty = TinyKernel(
      main: { a in
        Self.command(&a)
        a.bytes([0xEC, 0xA8, 0x80, 0x74, 0x01])  // in al, dx; test al, 80h; jz over the nop
        a.label("bad")
        a.bytes([0x90])
        a.bytes([0xFB])
      }, handlers: [{ _ in }])
    let result = try Self.result(hasty, disks: [Self.disk]) { $0.assertions = ["bad"] }
    #expect(result.rules == [AssertionFailed.name])

    let patient = TinyKernel(
      main: { a in
        Self.command(&a)
        a.bytes([0xEC, 0xA8, 0x80, 0x75, 0xFB])  // in al, dx; test al, 80h; jnz to the in
        a.bytes([0x66, 0xBA, 0xF0, 0x01, 0xED])  // mov dx, 1F0h; in eax, dx
        a.bytes([0x3D, 0x11, 0x11, 0x11, 0x11, 0x74, 0x01])  // cmp eax, 11111111h; je over the nop
        a.label("bad")
        a.bytes([0x90])
        a.bytes([0xFB])
      }, handlers: [{ _ in }])
    let right = try Self.result(patient, disks: [Self.disk]) { $0.assertions = ["bad"] }
    #expect(right.verdict == .clean, "\(right.rules) \(right.notes)")
  }

  /// What is written to the disk is part of the state, and goes back with it.
  @Test func what_is_written_is_state() throws {
    let kernel = TinyKernel(main: { $0.bytes([0x90]) }, handlers: [{ _ in }])
    let image = try PreparedImage(
      bytes: kernel.image, name: "tiny", symbols: kernel.symbols, disks: [Self.disk])
    let world = try World(
      scenario: kernel.scenario(arrivals: []), image: image, reductions: [])
    let machine = world.machine
    let before = machine.memory.fingerprint
    for (port, value) in [
      (0x1F6, 0xE0), (0x1F2, 1), (0x1F3, 1), (0x1F4, 0), (0x1F5, 0), (0x1F7, 0x30),
    ]
      as [(UInt16, UInt32)]
    {
      #expect(machine.writePort(port, size: 1, value))
    }
    for _ in 0..<128 { #expect(machine.writePort(0x1F0, size: 4, 0xABCD_EF01)) }
    #expect(machine.isDiskBusy)
    machine.completeDisk()
    #expect(machine.readPort(0x1F7, size: 1) == 0x50)
    func first() -> UInt32? {
      machine.writePort(0x1F7, size: 1, 0x20)
      machine.completeDisk()
      return machine.readPort(0x1F0, size: 4)
    }
    machine.writePort(0x1F2, size: 1, 1)
    #expect(first() == 0xABCD_EF01)
    #expect(machine.memory.fingerprint != before)
    machine.memory.undo(to: 0)
    machine.memory.fingerprint = before
    for (port, value) in [(0x1F6, 0xE0), (0x1F2, 1), (0x1F3, 1)] as [(UInt16, UInt32)] {
      machine.writePort(port, size: 1, value)
    }
    #expect(first() == 0x1111_1111)
  }

  // MARK: Checkpoints

  private final class Shelf: CheckpointStore {
    let kept = Mutex([String: Checkpoint]())
    func checkpoint(named name: String) -> (checkpoint: Checkpoint, place: String)? {
      kept.withLock { $0[name] }.map { ($0, "shelf") }
    }
    func keep(_ checkpoint: Checkpoint, named name: String) {
      kept.withLock { $0[name] = checkpoint }
    }
  }

  @Test func the_second_run_starts_from_the_checkpoint() throws {
    let kernel = TinyKernel(
      main: { a in
        a.bytes([0xB9, 0x00, 0x27, 0x09, 0x00])  // mov ecx, 600,832
        a.bytes([0x49, 0x75, 0xFD])  // dec ecx; jnz to the dec
        a.label("later")
        a.bytes([0xFB, 0x90, 0xFA, 0xFB])
      }, handlers: [{ _ in }, { _ in }])
    var scenario = kernel.scenario(arrivals: [2, 1])
    scenario.start.symbol = "later"
    let shelf = Shelf()
    func run() throws -> (result: ScenarioResult, notes: [String], key: Fingerprint) {
      let image = try PreparedImage(bytes: kernel.image, name: "tiny", symbols: kernel.symbols)
      image.boots.store = shelf
      let explorer = try Explorer(
        scenario: scenario, image: image, options: ExplorationOptions())
      let key = explorer.world.key()
      return (explorer.run(), explorer.bootNotes, key)
    }
    let first = try run()
    #expect(first.notes.isEmpty)
    #expect(shelf.kept.withLock { $0.count } == 1)
    let second = try run()
    #expect(second.notes.count == 1)
    #expect(second.notes[0].hasPrefix("Started from a checkpoint of the boot (1,199,"))
    #expect(second.key == first.key)
    #expect(second.result.states == first.result.states)
    #expect(second.result.transitions == first.result.transitions)
    #expect(second.result.verdict == first.result.verdict)

    // Damaged: made again.
    shelf.kept.withLock { kept in
      for (name, checkpoint) in kept {
        var bytes = checkpoint.bytes
        bytes[bytes.count / 2] ^= 1
        kept[name] = Checkpoint(bytes: bytes)
      }
    }
    let third = try run()
    #expect(third.notes.count == 1 && third.notes[0].contains("was damaged and is made again"))
    #expect(third.key == first.key)
    #expect(try run().notes[0].hasPrefix("Started from"))

    // Another boot: not this checkpoint.
    scenario.commandLine = "other"
    #expect(try run().notes.isEmpty)
    #expect(shelf.kept.withLock { $0.count } == 2)
  }
}
