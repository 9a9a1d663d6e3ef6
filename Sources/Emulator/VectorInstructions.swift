import CZydis

// FXSAVE, FXRSTOR, LDMXCSR, STMXCSR; SSE and SSE2 moves, logic and shuffles; FNINIT, FNCLEX, FNSTCW,
// FLDCW, FNSTSW. Intel SDM Vol. 2 under each name. Arithmetic of SSE, x87 and MMX is not modelled.
extension Machine {
  /// When they trap: Intel SDM Vol. 3A §2.5, table 2-2 (x87), §13.1.3 with table 13-1 (SSE).
  func executeVector(_ cpu: Int, _ op: Op) -> Outcome {
    let words = cores[cpu].words
    let cr0 = words[CPU.Word.cr0]
    let emulates = cr0 & ControlBit.em != 0
    let switched = cr0 & ControlBit.ts != 0
    let m = ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic))
    switch m {
    case ZYDIS_MNEMONIC_FXSAVE, ZYDIS_MNEMONIC_FXSAVE64, ZYDIS_MNEMONIC_FXRSTOR,
      ZYDIS_MNEMONIC_FXRSTOR64:
      if emulates || switched { return refuse(Vector.deviceNotAvailable) }
      let saves = m == ZYDIS_MNEMONIC_FXSAVE || m == ZYDIS_MNEMONIC_FXSAVE64
      return saves ? saveVectorState(cpu, op) : restoreVectorState(cpu, op)
    default: break
    }
    switch op.pointee.extra & VectorKind.mask {
    case VectorKind.sse:
      if emulates || words[CPU.Word.cr4] & ControlBit.osfxsr == 0 {
        return refuse(Vector.invalidOpcode)
      }
      if switched { return refuse(Vector.deviceNotAvailable) }
      return op.pointee.extra & VectorKind.other != 0 ? failUnmodelled(cpu) : executeSSE(cpu, op, m)
    case VectorKind.mmx:
      if emulates { return refuse(Vector.invalidOpcode) }
      return switched ? refuse(Vector.deviceNotAvailable) : failUnmodelled(cpu)
    default:
      if emulates || switched { return refuse(Vector.deviceNotAvailable) }
      return executeX87Control(cpu, op, m)
    }
  }

  private func refuse(_ vector: Int) -> Outcome {
    raise(vector)
    return .fault
  }

  // MARK: State

  /// Bytes of the image in use: XMM8–15 exist in 64-bit mode only.
  private func imageBytes(_ cpu: Int) -> Int {
    cores[cpu].mode == DecodeMode.long64 ? 416 : 288
  }

  /// XMM registers and MXCSR are left out unless CR4.OSFXSR is set, as the manual allows.
  private func isSaved(_ cpu: Int, _ offset: Int) -> Bool {
    let isSSE = offset == Int(VectorState.mxcsr) || offset >= Int(VectorState.registers)
    return !isSSE || cores[cpu].words[CPU.Word.cr4] & ControlBit.osfxsr != 0
  }

  private func imageAddress(_ cpu: Int, _ op: Op, write: Bool) -> UInt64? {
    guard let at = address(cpu, op, Int(VectorState.byteCount), write: write) else { return nil }
    if at & 15 != 0 {
      raise(Vector.generalProtection)
      return nil
    }
    return at
  }

  private func saveVectorState(_ cpu: Int, _ op: Op) -> Outcome {
    let count = imageBytes(cpu)
    guard let at = imageAddress(cpu, op, write: true), probeWrite(cpu, at, count, kind(op)) else {
      return .fault
    }
    for offset in stride(from: 0, to: count, by: 8) where isSaved(cpu, offset) {
      let value = memory.word(at: vectorWord(cpu, UInt64(offset)))
      _ = store(cpu, at &+ UInt64(offset), 8, value, kind(op) | AccessKind.probed)
    }
    return .next
  }

  private func restoreVectorState(_ cpu: Int, _ op: Op) -> Outcome {
    let count = imageBytes(cpu)
    guard let at = imageAddress(cpu, op, write: false) else { return .fault }
    var values: [UInt64] = []
    for offset in stride(from: 0, to: count, by: 8) {
      guard let value = load(cpu, at &+ UInt64(offset), 8, kind(op)) else { return .fault }
      values.append(value)
    }
    let mxcsr = Int(VectorState.mxcsr)
    if isSaved(cpu, mxcsr) && values[mxcsr / 8] & 0xFFFF_FFFF & ~VectorState.mxcsrMask != 0 {
      return refuse(Vector.generalProtection)
    }
    values[mxcsr / 8] = values[mxcsr / 8] & 0xFFFF_FFFF | VectorState.mxcsrMask << 32
    for (n, value) in values.enumerated() where isSaved(cpu, n * 8) {
      memory.setWord(at: vectorWord(cpu, UInt64(n * 8)), value)
    }
    return .next
  }

  // MARK: x87 control

  private func executeX87Control(_ cpu: Int, _ op: Op, _ m: ZydisMnemonic) -> Outcome {
    let at = vectorWord(cpu, VectorState.control)
    let control = memory.word(at: at)
    switch m {
    case ZYDIS_MNEMONIC_FNINIT:
      memory.setWord(at: at, VectorState.initialControl)
    case ZYDIS_MNEMONIC_FNCLEX:
      // Exception flags, stack fault, summary and busy.
      memory.setWord(at: at, control & ~(0x80FF << 16))
    case ZYDIS_MNEMONIC_FNSTCW:
      if !storeRM(cpu, op, 2, control & 0xFFFF) { return .fault }
    case ZYDIS_MNEMONIC_FNSTSW:
      if !storeRM(cpu, op, 2, control >> 16 & 0xFFFF) { return .fault }
    case ZYDIS_MNEMONIC_FLDCW:
      guard let value = readRM(cpu, op, 2) else { return .fault }
      // Bit 6 is always set, bits 7 and 13–15 never.
      memory.setWord(at: at, control & ~0xFFFF | value & 0x1F3F | 0x40)
    default: return failUnmodelled(cpu)
    }
    return .next
  }

  // MARK: SSE

  private func executeSSE(_ cpu: Int, _ op: Op, _ m: ZydisMnemonic) -> Outcome {
    switch m {
    case ZYDIS_MNEMONIC_MOVAPS, ZYDIS_MNEMONIC_MOVAPD, ZYDIS_MNEMONIC_MOVDQA,
      ZYDIS_MNEMONIC_MOVNTPS, ZYDIS_MNEMONIC_MOVNTPD, ZYDIS_MNEMONIC_MOVNTDQ:
      return moveWhole(cpu, op, aligned: true)
    case ZYDIS_MNEMONIC_MOVUPS, ZYDIS_MNEMONIC_MOVUPD, ZYDIS_MNEMONIC_MOVDQU, ZYDIS_MNEMONIC_LDDQU:
      return moveWhole(cpu, op, aligned: false)
    case ZYDIS_MNEMONIC_MOVSS: return moveScalar(cpu, op, 4)
    case ZYDIS_MNEMONIC_MOVSD: return moveScalar(cpu, op, 8)
    case ZYDIS_MNEMONIC_MOVD: return moveToGeneral(cpu, op, 4)
    case ZYDIS_MNEMONIC_MOVQ: return moveToGeneral(cpu, op, 8)
    case ZYDIS_MNEMONIC_MOVLPS, ZYDIS_MNEMONIC_MOVLPD: return moveHalf(cpu, op, high: false)
    case ZYDIS_MNEMONIC_MOVHPS, ZYDIS_MNEMONIC_MOVHPD: return moveHalf(cpu, op, high: true)
    case ZYDIS_MNEMONIC_LDMXCSR:
      guard let value = readRM(cpu, op, 4) else { return .fault }
      if value & ~VectorState.mxcsrMask != 0 { return refuse(Vector.generalProtection) }
      memory.setWord(
        at: vectorWord(cpu, VectorState.mxcsr), value | VectorState.mxcsrMask << 32)
      return .next
    case ZYDIS_MNEMONIC_STMXCSR:
      let value = memory.word(at: vectorWord(cpu, VectorState.mxcsr)) & 0xFFFF_FFFF
      return storeRM(cpu, op, 4, value) ? .next : .fault
    default: return combine(cpu, op, m)
    }
  }

  /// The second operand, 16 bytes of a register or of memory; nil with the fault set.
  private func vectorSource(_ cpu: Int, _ op: Op, aligned: Bool) -> Vector128? {
    if !op.pointee.isMemory { return vector(cpu, op.pointee.rm) }
    guard let at = address(cpu, op, 16, write: false) else { return nil }
    if aligned && at & 15 != 0 {
      raise(Vector.generalProtection)
      return nil
    }
    guard let low = load(cpu, at, 8, kind(op)), let high = load(cpu, at &+ 8, 8, kind(op)) else {
      return nil
    }
    return Vector128(low: low, high: high)
  }

  private func moveWhole(_ cpu: Int, _ op: Op, aligned: Bool) -> Outcome {
    if op.pointee.form != .rmReg {
      guard let value = vectorSource(cpu, op, aligned: aligned) else { return .fault }
      setVector(cpu, op.pointee.reg, value)
      return .next
    }
    guard let at = address(cpu, op, 16, write: true) else { return .fault }
    if aligned && at & 15 != 0 { return refuse(Vector.generalProtection) }
    if !probeWrite(cpu, at, 16, kind(op)) { return .fault }
    let value = vector(cpu, op.pointee.reg)
    _ = store(cpu, at, 8, value.low, kind(op) | AccessKind.probed)
    _ = store(cpu, at &+ 8, 8, value.high, kind(op) | AccessKind.probed)
    return .next
  }

  /// MOVSS, MOVSD: from memory the rest becomes 0, from a register it stays.
  private func moveScalar(_ cpu: Int, _ op: Op, _ size: Int) -> Outcome {
    let mask = Flags.mask(size)
    if op.pointee.form == .rmReg {
      let value = vector(cpu, op.pointee.reg).low & mask
      return storeRM(cpu, op, size, value) ? .next : .fault
    }
    var result = Vector128()
    if op.pointee.isMemory {
      guard let value = readRM(cpu, op, size) else { return .fault }
      result.low = value
    } else {
      result = vector(cpu, op.pointee.reg)
      result.low = result.low & ~mask | vector(cpu, op.pointee.rm).low & mask
    }
    setVector(cpu, op.pointee.reg, result)
    return .next
  }

  /// MOVD, MOVQ: between general registers, memory and the low part of a vector, whose rest becomes 0.
  private func moveToGeneral(_ cpu: Int, _ op: Op, _ size: Int) -> Outcome {
    let mask = Flags.mask(size)
    if op.pointee.form == .rmReg {
      let value = vector(cpu, op.pointee.reg).low & mask
      return storeRM(cpu, op, size, value) ? .next : .fault
    }
    if op.pointee.extra & VectorKind.firstIsGeneral != 0 {
      setRegister(cpu, op.pointee.reg, size, vector(cpu, op.pointee.rm).low & mask)
      return .next
    }
    var result = Vector128()
    if op.pointee.isMemory || op.pointee.extra & VectorKind.secondIsGeneral != 0 {
      guard let value = readRM(cpu, op, size) else { return .fault }
      result.low = value
    } else {
      result.low = vector(cpu, op.pointee.rm).low & mask
    }
    setVector(cpu, op.pointee.reg, result)
    return .next
  }

  private func moveHalf(_ cpu: Int, _ op: Op, high: Bool) -> Outcome {
    var value = vector(cpu, op.pointee.reg)
    if op.pointee.form == .rmReg {
      return storeRM(cpu, op, 8, high ? value.high : value.low) ? .next : .fault
    }
    guard let half = readRM(cpu, op, 8) else { return .fault }
    if high { value.high = half } else { value.low = half }
    setVector(cpu, op.pointee.reg, value)
    return .next
  }

  /// Logic, comparisons for equality and shuffles: both operands whole, memory aligned.
  private func combine(_ cpu: Int, _ op: Op, _ m: ZydisMnemonic) -> Outcome {
    guard Machine.combines(m) else { return failUnmodelled(cpu) }
    guard let b = vectorSource(cpu, op, aligned: true) else { return .fault }
    let a = vector(cpu, op.pointee.reg)
    var r = a
    switch m {
    case ZYDIS_MNEMONIC_XORPS, ZYDIS_MNEMONIC_XORPD, ZYDIS_MNEMONIC_PXOR:
      r = Vector128(low: a.low ^ b.low, high: a.high ^ b.high)
    case ZYDIS_MNEMONIC_ANDPS, ZYDIS_MNEMONIC_ANDPD, ZYDIS_MNEMONIC_PAND:
      r = Vector128(low: a.low & b.low, high: a.high & b.high)
    case ZYDIS_MNEMONIC_ANDNPS, ZYDIS_MNEMONIC_ANDNPD, ZYDIS_MNEMONIC_PANDN:
      r = Vector128(low: ~a.low & b.low, high: ~a.high & b.high)
    case ZYDIS_MNEMONIC_ORPS, ZYDIS_MNEMONIC_ORPD, ZYDIS_MNEMONIC_POR:
      r = Vector128(low: a.low | b.low, high: a.high | b.high)
    case ZYDIS_MNEMONIC_MOVHLPS: r.low = b.high
    case ZYDIS_MNEMONIC_MOVLHPS, ZYDIS_MNEMONIC_PUNPCKLQDQ, ZYDIS_MNEMONIC_UNPCKLPD: r.high = b.low
    case ZYDIS_MNEMONIC_PUNPCKHQDQ, ZYDIS_MNEMONIC_UNPCKHPD:
      r = Vector128(low: a.high, high: b.high)
    case ZYDIS_MNEMONIC_PUNPCKLDQ, ZYDIS_MNEMONIC_UNPCKLPS:
      (r[0], r[1], r[2], r[3]) = (a[0], b[0], a[1], b[1])
    case ZYDIS_MNEMONIC_PUNPCKHDQ, ZYDIS_MNEMONIC_UNPCKHPS:
      (r[0], r[1], r[2], r[3]) = (a[2], b[2], a[3], b[3])
    case ZYDIS_MNEMONIC_PSHUFD:
      for n in 0..<4 { r[n] = b[Int(truncatingIfNeeded: op.pointee.imm >> UInt64(2 * n)) & 3] }
    case ZYDIS_MNEMONIC_SHUFPS:
      for n in 0..<4 {
        let from = Int(truncatingIfNeeded: op.pointee.imm >> UInt64(2 * n)) & 3
        r[n] = n < 2 ? a[from] : b[from]
      }
    case ZYDIS_MNEMONIC_PCMPEQB: r = Machine.equal(a, b, bits: 8)
    case ZYDIS_MNEMONIC_PCMPEQW: r = Machine.equal(a, b, bits: 16)
    default: r = Machine.equal(a, b, bits: 32)
    }
    setVector(cpu, op.pointee.reg, r)
    return .next
  }

  private static func combines(_ m: ZydisMnemonic) -> Bool {
    switch m {
    case ZYDIS_MNEMONIC_XORPS, ZYDIS_MNEMONIC_XORPD, ZYDIS_MNEMONIC_PXOR, ZYDIS_MNEMONIC_ANDPS,
      ZYDIS_MNEMONIC_ANDPD, ZYDIS_MNEMONIC_PAND, ZYDIS_MNEMONIC_ANDNPS, ZYDIS_MNEMONIC_ANDNPD,
      ZYDIS_MNEMONIC_PANDN, ZYDIS_MNEMONIC_ORPS, ZYDIS_MNEMONIC_ORPD, ZYDIS_MNEMONIC_POR,
      ZYDIS_MNEMONIC_MOVHLPS, ZYDIS_MNEMONIC_MOVLHPS, ZYDIS_MNEMONIC_PUNPCKLQDQ,
      ZYDIS_MNEMONIC_UNPCKLPD, ZYDIS_MNEMONIC_PUNPCKHQDQ, ZYDIS_MNEMONIC_UNPCKHPD,
      ZYDIS_MNEMONIC_PUNPCKLDQ, ZYDIS_MNEMONIC_UNPCKLPS, ZYDIS_MNEMONIC_PUNPCKHDQ,
      ZYDIS_MNEMONIC_UNPCKHPS, ZYDIS_MNEMONIC_PSHUFD, ZYDIS_MNEMONIC_SHUFPS,
      ZYDIS_MNEMONIC_PCMPEQB, ZYDIS_MNEMONIC_PCMPEQW, ZYDIS_MNEMONIC_PCMPEQD:
      return true
    default: return false
    }
  }

  private static func equal(_ a: Vector128, _ b: Vector128, bits: UInt64) -> Vector128 {
    func half(_ a: UInt64, _ b: UInt64) -> UInt64 {
      let mask: UInt64 = (1 << bits) - 1
      var result: UInt64 = 0
      for shift in stride(from: 0 as UInt64, to: 64, by: Int(bits))
      where (a ^ b) >> shift & mask == 0 {
        result |= mask << shift
      }
      return result
    }
    return Vector128(low: half(a.low, b.low), high: half(a.high, b.high))
  }
}
