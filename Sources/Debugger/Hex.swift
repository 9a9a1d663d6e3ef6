/// Hexadecimal, as packets have it.
enum Hex {
  private static let alphabet = Array("0123456789abcdef".utf8)

  static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  static func digits(of byte: UInt8) -> [UInt8] {
    [alphabet[Int(byte >> 4)], alphabet[Int(byte & 15)]]
  }

  static func encode(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: bytes.flatMap(digits), as: UTF8.self)
  }

  /// A value in the byte order of the machine, which is little-endian.
  static func encode(_ value: UInt64, size: Int) -> String {
    encode((0..<size).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 })
  }

  static func decode(_ text: some StringProtocol) -> [UInt8]? {
    let digits = text.utf8.map(digit)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for i in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[i], let low = digits[i + 1] else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  /// A number in a packet: hexadecimal digits, most significant first.
  static func number(_ text: some StringProtocol) -> UInt64? {
    guard !text.isEmpty, text.utf8.allSatisfy({ digit($0) != nil }) else { return nil }
    return UInt64(text, radix: 16)
  }
}
