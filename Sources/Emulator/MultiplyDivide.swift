import CZydis

// MUL, IMUL, DIV, IDIV. Intel SDM Vol. 2. SF, ZF, AF and PF after a multiplication and all flags
// after a division are undefined; they stay as they were.
extension Machine {
  func executeMultiply(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    let signed = op.pointee.mnemonic == UInt16(ZYDIS_MNEMONIC_IMUL.rawValue)
    guard let b = readRM(cpu, op, size) else { return .fault }
    let overflow: Bool
    switch op.pointee.form {
    case .regRm, .regRmImm:
      let a =
        op.pointee.form == .regRm ? register(cpu, op.pointee.reg, size) : op.pointee.imm
      let product = Int64(bitPattern: Machine.signExtend(a, size)).multipliedFullWidth(
        by: Int64(bitPattern: Machine.signExtend(b, size)))
      let r = product.low & Flags.mask(size)
      let back = Int64(bitPattern: Machine.signExtend(r, size))
      overflow = UInt64(bitPattern: back) != product.low || back >> 63 != product.high
      setRegister(cpu, op.pointee.reg, size, r)
    default:
      let a = register(cpu, 0, size)
      let low: UInt64
      let high: UInt64
      if signed {
        let product = Int64(bitPattern: Machine.signExtend(a, size)).multipliedFullWidth(
          by: Int64(bitPattern: Machine.signExtend(b, size)))
        low = product.low
        high = UInt64(bitPattern: product.high)
      } else {
        (high, low) = a.multipliedFullWidth(by: b)
      }
      // The upper half of the double-width product.
      let upper = size == 8 ? high : low >> UInt64(size * 8) & Flags.mask(size)
      let lower = low & Flags.mask(size)
      if size == 1 {
        setRegister(cpu, 0, 2, low & 0xFFFF)
      } else {
        setRegister(cpu, UInt8(CPU.Register.ax), size, lower)
        setRegister(cpu, UInt8(CPU.Register.dx), size, upper)
      }
      let expected = signed && lower & Flags.top(size) != 0 ? Flags.mask(size) : 0
      overflow = upper != expected
    }
    setFlags(cpu, Flags.cf | Flags.of, overflow ? Flags.cf | Flags.of : 0)
    return .next
  }

  func executeDivide(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    guard let divisor = readRM(cpu, op, size) else { return .fault }
    let ax = UInt8(CPU.Register.ax)
    let dx = UInt8(CPU.Register.dx)
    let low = size == 1 ? register(cpu, ax, 2) & 0xFF : register(cpu, ax, size)
    let high = size == 1 ? register(cpu, ax, 2) >> 8 : register(cpu, dx, size)
    let quotient: UInt64
    let remainder: UInt64
    let signed = op.pointee.mnemonic == UInt16(ZYDIS_MNEMONIC_IDIV.rawValue)
    guard
      let result = signed
        ? Machine.divideSigned(high, low, by: divisor, size)
        : Machine.divide(high, low, by: divisor, size)
    else {
      raise(0)
      return .fault
    }
    (quotient, remainder) = result
    if size == 1 {
      setRegister(cpu, ax, 2, remainder << 8 | quotient)
    } else {
      setRegister(cpu, ax, size, quotient)
      setRegister(cpu, dx, size, remainder)
    }
    return .next
  }

  /// Quotient and remainder of high:low, or nil when the quotient does not fit.
  static func divide(
    _ high: UInt64, _ low: UInt64, by divisor: UInt64, _ size: Int
  ) -> (UInt64, UInt64)? {
    if divisor == 0 || high >= divisor { return nil }
    if size == 8 {
      let result = divisor.dividingFullWidth((high, low))
      return (result.quotient, result.remainder)
    }
    let dividend = high << UInt64(size * 8) | low
    return (dividend / divisor, dividend % divisor)
  }

  static func divideSigned(
    _ high: UInt64, _ low: UInt64, by divisor: UInt64, _ size: Int
  ) -> (UInt64, UInt64)? {
    let top = Flags.top(size)
    let mask = Flags.mask(size)
    let negative = high & top != 0
    let divisorNegative = divisor & top != 0
    // On magnitudes: the quotient truncates towards zero, the remainder has the dividend's sign.
    var (h, l) = (high, low)
    if negative {
      l = (~low &+ 1) & mask
      h = (~high &+ (l == 0 ? 1 : 0)) & mask
    }
    let magnitude = divisorNegative ? (~divisor &+ 1) & mask : divisor
    guard let (q, r) = divide(h, l, by: magnitude, size) else { return nil }
    if negative != divisorNegative {
      if q > top { return nil }
    } else if q >= top {
      return nil
    }
    let quotient = negative != divisorNegative ? (~q &+ 1) & mask : q
    return (quotient, negative ? (~r &+ 1) & mask : r)
  }
}
