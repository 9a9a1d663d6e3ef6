import Emulator

/// Copies of a kernel's per-CPU data, one for each CPU but the first, which has the image's own.
struct PerCPUCopies {
  /// Bytes of a copy, in whole pages.
  let bytes: Int
  private let size: Int
  /// Physical addresses in the image: the data, the array of distances, and the variables within the data
  /// that are the distance and the CPU's number.
  private let source: UInt64
  private let start: UInt64
  private let offsets: UInt64?
  private let offset: UInt64?
  private let number: UInt64?
  private let slot: Int
  private var base: UInt64 = 0

  init(
    _ data: PerCPUData, _ scenario: Scenario, _ elf: ELFImage, _ image: PreparedImage
  ) throws {
    func fail(_ what: String) -> ScenarioError {
      ScenarioError("scenario `\(scenario.name)`: per-cpu: \(what)")
    }
    func linear(_ name: String) throws -> UInt64 {
      guard let symbol = image.symbols.symbol(named: name) else {
        throw fail("image `\(image.name)` has no symbol `\(name)`")
      }
      return symbol.address
    }
    func physical(_ name: String) throws -> UInt64 {
      guard let address = elf.physical(ofVirtual: try linear(name)) else {
        throw fail("`\(name)` is in no loaded segment")
      }
      return address
    }
    start = try linear(data.start)
    let end = try linear(data.end)
    guard end > start, end - start <= 1 << 20 else {
      throw fail("`\(data.end)` must lie up to 1 MB behind `\(data.start)`")
    }
    size = Int(end - start)
    bytes = (size + 4095) & ~4095
    source = try physical(data.start)
    offsets = try data.offsets.map(physical)
    let first = start
    func within(_ name: String) throws -> UInt64 {
      let place = try linear(name) &- first
      guard place < end - first else { throw fail("`\(name)` lies outside the data") }
      return place
    }
    offset = try data.offset.map(within)
    number = try data.number.map(within)
    slot = elf.is64Bit ? 8 : 4
  }

  func placed(at base: UInt64) -> PerCPUCopies {
    var placed = self
    placed.base = base
    return placed
  }

  /// Makes a CPU's copy.
  /// - Returns: how far it is from the image's own: the base of the segment register.
  func install(_ cpu: Int, in machine: Machine) -> UInt64 {
    let memory = machine.memory
    let copy = cpu == 0 ? source : base + UInt64(cpu * bytes)
    // Copies are mapped at their physical addresses; the image's own is where it is linked.
    let distance = cpu == 0 ? 0 : copy &- start
    if cpu > 0 {
      for i in 0..<UInt64(size) { memory.setByte(at: copy + i, memory.byte(at: source + i)) }
    }
    let value = slot == 8 ? distance : distance & 0xFFFF_FFFF
    if let offset { memory.setValue(at: copy + offset, size: slot, value) }
    if let number { memory.setValue(at: copy + number, size: 4, UInt64(cpu)) }
    if let offsets { memory.setValue(at: offsets + UInt64(cpu * slot), size: slot, value) }
    return value
  }
}
