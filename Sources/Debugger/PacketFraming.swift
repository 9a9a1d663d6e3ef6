/// The frames of gdb's remote serial protocol: `$` data `#` checksum, acknowledged by `+` or `-`.
/// GDB manual, appendix E.1 (overview) and E.14 (packet acknowledgment).

/// What comes in, byte by byte, made into packets.
struct PacketReader {
  enum Input: Equatable {
    case packet([UInt8])
    /// A frame whose checksum does not fit, or that is too long.
    case damaged
    /// `-`: the other side wants the latest packet again.
    case again
    /// Ctrl-C.
    case interrupt
  }

  /// Bytes of data in one packet; `PacketSize` of `qSupported`.
  static let limit = 0x4000

  private enum Place { case between, data, firstDigit, secondDigit }
  private var place = Place.between
  private var data: [UInt8] = []
  private var isTooLong = false
  private var checksum: UInt8 = 0
  private var sent: UInt8?

  /// - Returns: what this byte completes, if anything.
  mutating func take(_ byte: UInt8) -> Input? {
    switch place {
    case .between:
      switch byte {
      case UInt8(ascii: "$"): begin()
      case UInt8(ascii: "-"): return .again
      case 0x03: return .interrupt
      // `+`, and noise.
      default: break
      }
    case .data:
      switch byte {
      case UInt8(ascii: "#"): place = .firstDigit
      // A new packet; what came of the old one is lost.
      case UInt8(ascii: "$"): begin()
      default:
        checksum &+= byte
        if data.count < Self.limit { data.append(byte) } else { isTooLong = true }
      }
    case .firstDigit where byte == UInt8(ascii: "$"), .secondDigit where byte == UInt8(ascii: "$"):
      begin()
    case .firstDigit:
      sent = Hex.digit(byte).map { $0 << 4 }
      place = .secondDigit
    case .secondDigit:
      place = .between
      guard let high = sent, let low = Hex.digit(byte), high | low == checksum, !isTooLong,
        let whole = Self.unescape(data)
      else { return .damaged }
      return .packet(whole)
    }
    return nil
  }

  private mutating func begin() {
    place = .data
    data.removeAll(keepingCapacity: true)
    isTooLong = false
    checksum = 0
  }

  /// `}` stands before a byte that is sent with bit 5 inverted.
  private static func unescape(_ data: [UInt8]) -> [UInt8]? {
    guard data.contains(UInt8(ascii: "}")) else { return data }
    var plain: [UInt8] = []
    var escaped = false
    for byte in data {
      if escaped {
        plain.append(byte ^ 0x20)
        escaped = false
      } else if byte == UInt8(ascii: "}") {
        escaped = true
      } else {
        plain.append(byte)
      }
    }
    return escaped ? nil : plain
  }
}

/// A packet's frame, for sending.
func framed(_ data: [UInt8]) -> [UInt8] {
  var frame: [UInt8] = [UInt8(ascii: "$")]
  for byte in data {
    switch byte {
    // `*` would begin a run length in a reply.
    case UInt8(ascii: "$"), UInt8(ascii: "#"), UInt8(ascii: "}"), UInt8(ascii: "*"):
      frame += [UInt8(ascii: "}"), byte ^ 0x20]
    default: frame.append(byte)
    }
  }
  let checksum = frame.dropFirst().reduce(UInt8(0), &+)
  return frame + [UInt8(ascii: "#")] + Hex.digits(of: checksum)
}
