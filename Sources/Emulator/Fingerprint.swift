/// A 128-bit fingerprint of a set of (address, value) pairs, updated in constant time.
///
/// The sum, over all words that are not zero, of a mix of address and value; a word that is zero
/// contributes nothing, so that sparse memory costs nothing. The mix is the folded 64×64→128-bit
/// product used by wyhash, twice with independent constants. Two different states collide with a
/// probability of some n²/2¹²⁹ for n states: below 10⁻²⁰ for a thousand million.
public struct Fingerprint: Hashable, Sendable {
  public var low: UInt64 = 0
  public var high: UInt64 = 0

  public init() {}
  public init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  @inline(__always) static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }

  /// The contribution of one word.
  @inline(__always) static func mix(_ value: UInt64, at address: UInt64) -> (UInt64, UInt64) {
    let a = address &* 0x9E37_79B9_7F4A_7C15
    let low = fold(value ^ 0xA076_1D64_78BD_642F ^ a, a ^ 0xE703_7ED1_A0B4_28DB)
    let high = fold(value &+ 0x8EBC_6AF0_9C88_C6E3 &+ a, (a >> 7) ^ a ^ 0x5899_65CC_7537_4CC3)
    return (
      fold(low ^ 0x1D8E_4E27_C47D_124F, 0x9FB2_1C65_1E98_DF25),
      fold(high ^ 0xEB44_ACCA_B455_D165, 0xD6E8_FEB8_6659_FD93)
    )
  }

  /// Replaces the word at `address`.
  @inline(__always) public mutating func replace(
    _ old: UInt64, by new: UInt64, at address: UInt64
  ) {
    if old != 0 {
      let m = Fingerprint.mix(old, at: address)
      low &-= m.0
      high &-= m.1
    }
    if new != 0 {
      let m = Fingerprint.mix(new, at: address)
      low &+= m.0
      high &+= m.1
    }
  }
}
