import Emulator

/// A list of differing words in as few bytes as is cheap: for each, the distance of its number from
/// the one before (variable length), a mask of the value's bytes that are not zero, and those bytes.
/// Most take five to seven bytes instead of sixteen.
struct PackedDifference {
  private(set) var bytes: [UInt8]

  init(_ words: [DifferingWord]) {
    // At most five bytes of distance, one of mask, eight of value; packed in passing memory first,
    // so that the array kept is no larger than what is in it.
    bytes = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: words.count * 14 + 1) {
      buffer in
      var at = 0
      var previous: Int64 = 0
      for word in words {
        let number = Int64(word.number)
        let distance = number - previous
        previous = number
        var rest = UInt64(bitPattern: distance << 1 ^ distance >> 63)
        while rest >= 0x80 {
          buffer[at] = UInt8(truncatingIfNeeded: rest) | 0x80
          at += 1
          rest >>= 7
        }
        buffer[at] = UInt8(rest)
        let maskAt = at + 1
        at += 2
        var mask: UInt8 = 0
        for i in 0..<8 {
          let byte = UInt8(truncatingIfNeeded: word.value >> UInt64(8 * i))
          if byte != 0 {
            mask |= 1 << UInt8(i)
            buffer[at] = byte
            at += 1
          }
        }
        buffer[maskAt] = mask
      }
      return Array(buffer[..<at])
    }
  }

  /// Replaces the contents of `words` by the list.
  func unpack(into words: inout [DifferingWord]) {
    words.removeAll(keepingCapacity: true)
    bytes.withUnsafeBufferPointer { buffer in
      var at = 0
      var previous: Int64 = 0
      while at < buffer.count {
        var code: UInt64 = 0
        var shift: UInt64 = 0
        while true {
          let byte = buffer[at]
          at += 1
          code |= UInt64(byte & 0x7F) << shift
          if byte & 0x80 == 0 { break }
          shift += 7
        }
        previous += Int64(bitPattern: code >> 1) ^ -Int64(bitPattern: code & 1)
        var mask = buffer[at]
        at += 1
        var value: UInt64 = 0
        while mask != 0 {
          value |= UInt64(buffer[at]) << UInt64(8 * mask.trailingZeroBitCount)
          at += 1
          mask &= mask - 1
        }
        words.append(DifferingWord(number: UInt32(previous), value: value))
      }
    }
  }
}
