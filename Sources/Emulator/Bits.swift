import CZydis

// BT, BTS, BTR, BTC, BSF, BSR, BSWAP. Intel SDM Vol. 2.
extension Machine {
  /// A bit offset from a register reaches outside a memory operand: it is a signed bit address
  /// relative to it. Intel SDM Vol. 2A §3.1.1.9, "BitBase". Flags other than CF stay (ZF is
  /// documented to, the others are undefined).
  func executeBitTest(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    let bits = UInt64(size * 8)
    let isRegister = op.pointee.form == .rmReg
    let offset = isRegister ? register(cpu, op.pointee.reg, size) : op.pointee.imm
    let bit = offset & (bits - 1)
    let m = ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic))
    let writes = m != ZYDIS_MNEMONIC_BT
    var at: UInt64 = 0
    let value: UInt64
    if op.pointee.isMemory {
      var effective = effectiveOffset(cpu, op)
      if isRegister {
        let signed = Int64(bitPattern: Machine.signExtend(offset, size))
        let index = signed >> Int64(bits.trailingZeroBitCount)
        effective = Machine.cut(
          effective &+ UInt64(bitPattern: index &* Int64(size)), op.pointee.addressSize)
      }
      guard
        let linear = address(
          cpu, segment: Int(op.pointee.segment), effective, size, write: writes),
        let read = writes
          ? loadForWrite(cpu, linear, size, kind(op)) : load(cpu, linear, size, kind(op))
      else { return .fault }
      at = linear
      value = read
    } else {
      value = register(cpu, op.pointee.rm, size)
    }
    let mask: UInt64 = 1 << bit
    let r: UInt64
    switch m {
    case ZYDIS_MNEMONIC_BTS: r = value | mask
    case ZYDIS_MNEMONIC_BTR: r = value & ~mask
    default: r = value ^ mask
    }
    if writes {
      if op.pointee.isMemory {
        _ = store(cpu, at, size, r, kind(op) | AccessKind.probed)
      } else {
        setRegister(cpu, op.pointee.rm, size, r)
      }
    }
    setFlags(cpu, Flags.cf, value & mask != 0 ? Flags.cf : 0)
    return .next
  }

  /// With a source of zero ZF is set and the destination, undefined in the manual, keeps its
  /// value as it does on processors. The other flags are undefined and stay.
  func executeBitScan(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    guard let value = readRM(cpu, op, size) else { return .fault }
    if value == 0 {
      setFlags(cpu, Flags.zf, Flags.zf)
      return .next
    }
    let forward = op.pointee.mnemonic == UInt16(ZYDIS_MNEMONIC_BSF.rawValue)
    let index = forward ? value.trailingZeroBitCount : 63 - value.leadingZeroBitCount
    setRegister(cpu, op.pointee.reg, size, UInt64(index))
    setFlags(cpu, Flags.zf, 0)
    return .next
  }

  /// Of a 16-bit register undefined: it is cleared.
  func executeByteSwap(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    let value = register(cpu, op.pointee.rm, size)
    switch size {
    case 4: setRegister(cpu, op.pointee.rm, 4, value.byteSwapped >> 32)
    case 8: setRegister(cpu, op.pointee.rm, 8, value.byteSwapped)
    default: setRegister(cpu, op.pointee.rm, size, 0)
    }
    return .next
  }
}
