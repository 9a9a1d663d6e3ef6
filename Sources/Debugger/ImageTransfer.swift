import Model

/// The image's file, for a gdb that was started without one: so that it has the symbols also of an
/// image that is no file. No other file can be read. GDB manual, appendix E.7 (File-I/O host packets).
extension Session {
  var imagePath: String { "/" + about.imageName }

  private static let descriptor: UInt64 = 1

  func answerFile(_ text: Substring) -> [UInt8] {
    let name = text.prefix { $0 != ":" }
    let arguments = text.dropFirst(name.count + 1)
      .split(separator: ",", omittingEmptySubsequences: false)
    switch name {
    // There is one file system.
    case "setfs": return Array("F0".utf8)
    case "open":
      guard arguments.count == 3, let path = Hex.decode(arguments[0]),
        String(decoding: path, as: UTF8.self) == imagePath, Hex.number(arguments[1]) == 0
      else { return Array("F-1,2".utf8) }
      imageIsOpen = true
      return Array("F\(Self.descriptor)".utf8)
    case "close":
      guard isOpen(arguments.first) else { return Self.badDescriptor }
      imageIsOpen = false
      return Array("F0".utf8)
    case "pread":
      guard arguments.count == 3, isOpen(arguments[0]), let count = Hex.number(arguments[1]),
        let offset = Hex.number(arguments[2])
      else { return Self.badDescriptor }
      let bytes = execution.image.bytes
      let start = Int(min(offset, UInt64(bytes.count)))
      // Every byte may need an escape.
      let part = bytes[start...].prefix(Int(min(count, UInt64(PacketReader.limit / 2 - 16))))
      return Array("F\(String(part.count, radix: 16));".utf8) + part
    case "fstat":
      guard isOpen(arguments.first) else { return Self.badDescriptor }
      let status = self.status
      return Array("F\(String(status.count, radix: 16));".utf8) + status
    default: return Self.unknown
    }
  }

  /// Errno EBADF of the protocol.
  private static let badDescriptor = Array("F-1,9".utf8)

  private func isOpen(_ argument: Substring?) -> Bool {
    imageIsOpen && argument.flatMap { Hex.number($0) } == Self.descriptor
  }

  /// The protocol's `struct stat`: big-endian; mode in the third word, size after the seventh.
  private var status: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 64)
    // A regular file, readable by all: 0100444.
    for (i, byte) in [UInt8(0), 0, 0x81, 0x24].enumerated() { bytes[8 + i] = byte }
    let size = UInt64(execution.image.bytes.count)
    for i in 0..<8 { bytes[28 + i] = UInt8(truncatingIfNeeded: size >> (8 * (7 - i))) }
    return bytes
  }
}
