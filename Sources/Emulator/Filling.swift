/// Memory that stands for nothing: dead stack. It is overwritten with bytes that are unlikely to be
/// anybody's data, so that a read of them shows, and counts as zero in the fingerprint, so that it does
/// not matter how deep a stack once was.
extension Memory {
  /// What `fill` writes. No byte is a character, or a small number.
  public static let filling: UInt64 = 0xB7E1_9DD3_C5F2_8BA9

  /// A word with its dead halves taken for zero, as the fingerprint has it.
  @inline(__always) public static func live(_ value: UInt64) -> UInt64 {
    let difference = value ^ filling
    var mask: UInt64 = difference & 0xFFFF_FFFF == 0 ? 0xFFFF_FFFF_0000_0000 : ~0
    if difference >> 32 == 0 { mask &= 0xFFFF_FFFF }
    return value & mask
  }

  /// Fills the zero words of a part of physical memory, before `setBase`.
  /// - Returns: the words filled, by physical address.
  public func fillZeros(_ low: UInt64, _ high: UInt64) -> [UInt64] {
    var filled: [UInt64] = []
    var at = (low + 7) & ~7
    while at + 8 <= high {
      if contents(ofWord: at >> 3) == 0 {
        setWord(at: at, Memory.filling)
        filled.append(at)
      }
      at += 8
    }
    return filled
  }

  /// Takes back what `fillZeros` did, in the base too. The fingerprint is the same with and without it.
  public func unfill(_ words: [UInt64]) {
    for physical in words {
      let index = Int(truncatingIfNeeded: physical >> 12)
      let offset = Int(truncatingIfNeeded: physical & 0xFF8)
      for p in [frames[index], baseCopies[index]] {
        guard let p, p.load(fromByteOffset: offset, as: UInt64.self) == Memory.filling else {
          continue
        }
        p.storeBytes(of: 0 as UInt64, toByteOffset: offset, as: UInt64.self)
      }
    }
    ledger.pointee.returns &+= 1
  }

  /// Whether an access reads nothing but what `fill` left. Of somebody else's bytes, fewer than four are
  /// not enough to tell.
  @inline(__always) static func isFilling(
    _ frame: UnsafeMutableRawPointer, at offset: Int, size: Int, isOwn: Bool
  ) -> Bool {
    let first = UInt8(truncatingIfNeeded: filling >> UInt64(8 &* (offset & 7)))
    return frame.load(fromByteOffset: offset, as: UInt8.self) == first
      && isAllFilling(frame, at: offset, size: size, isOwn: isOwn)
  }

  @inline(never) private static func isAllFilling(
    _ frame: UnsafeMutableRawPointer, at offset: Int, size: Int, isOwn: Bool
  ) -> Bool {
    var range = offset..<(offset + size)
    if !isOwn && size < 4 { range = (offset & ~3)..<((offset + size + 3) & ~3) }
    return range.allSatisfy {
      frame.load(fromByteOffset: $0, as: UInt8.self)
        == UInt8(truncatingIfNeeded: filling >> UInt64(8 &* ($0 & 7)))
    }
  }
}
