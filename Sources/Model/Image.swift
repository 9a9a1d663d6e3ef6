import Emulator

/// An image ready to be booted: parsed, with its symbols.
public final class PreparedImage {
  public let name: String
  public let bytes: [UInt8]
  public let elf: ELFImage
  public let symbols: Symbolizer
  /// Contents of the machine's disks.
  public let disks: [[UInt8]]
  /// Checkpoints of its boots.
  public let boots = BootCheckpoints()
  /// Tells images apart.
  let digest: String
  /// Markers in its code, by linear address.
  let markers: [UInt64: Marker]

  public init(
    bytes: [UInt8], name: String, symbols: Symbolizer, disks: [[UInt8]] = []
  ) throws {
    self.name = name
    self.bytes = bytes
    self.symbols = symbols
    self.disks = disks
    elf = try ELFImage(bytes)
    digest = Checkpoint.digest(bytes)
    markers = Marker.sites(in: elf)
  }

  /// The same image, placed and named otherwise.
  init(_ original: PreparedImage, elf: ELFImage, symbols: Symbolizer) {
    name = original.name
    bytes = original.bytes
    self.elf = elf
    self.symbols = symbols
    disks = original.disks
    digest = original.digest
    markers = original.markers
  }

  /// The same, with symbols that several threads may ask.
  func forManyThreads() -> PreparedImage {
    if symbols is SerialSymbolizer { return self }
    return PreparedImage(self, elf: elf, symbols: SerialSymbolizer(symbols))
  }

  /// `i386` or `x86-64`.
  public var arch: String { elf.is64Bit ? "x86-64" : "i386" }
}

/// What is wrong with a scenario, in one line.
public struct ScenarioError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
