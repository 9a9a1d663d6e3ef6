import CZydis

// PUSH, POP, PUSHA, POPA, ENTER, LEAVE. Intel SDM Vol. 2; Vol. 1 §6.2.
extension Machine {
  func executeStack(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    let words = cores[cpu].words
    let sp = words[CPU.Register.sp]
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_PUSH:
      let value: UInt64
      switch op.pointee.form {
      case .imm: value = op.pointee.imm
      case .fromSegment:
        // Processors write 16 bits and leave the rest of the slot; zeros are as documented.
        value = UInt64(cpus[cpu].selector(Int(op.pointee.reg)))
      default:
        guard let read = readRM(cpu, op, size) else { return .fault }
        value = read
      }
      guard let new = pushValue(cpu, below: sp, size, value) else { return .fault }
      setStackPointer(cpu, new)
    case ZYDIS_MNEMONIC_POP:
      guard let value = stackValue(cpu, at: sp, size) else { return .fault }
      // The address of a memory destination is computed with the stack pointer already moved.
      setStackPointer(cpu, sp &+ UInt64(size))
      if !storeRM(cpu, op, size, value) {
        words[CPU.Register.sp] = sp
        return .fault
      }
    case ZYDIS_MNEMONIC_PUSHA, ZYDIS_MNEMONIC_PUSHAD: return pushAll(cpu, size)
    case ZYDIS_MNEMONIC_POPA, ZYDIS_MNEMONIC_POPAD: return popAll(cpu, size)
    case ZYDIS_MNEMONIC_ENTER: return enter(cpu, op, size)
    default:  // LEAVE
      let frame = words[CPU.Register.bp] & stackMask(cpu)
      guard let value = stackValue(cpu, at: frame, size) else { return .fault }
      setStackPointer(cpu, frame &+ UInt64(size))
      setRegister(cpu, UInt8(CPU.Register.bp), size, value)
    }
    return .next
  }

  /// Checks that `count` pushes will succeed, so that none is made unless all can be.
  private func probePushes(_ cpu: Int, _ size: Int, _ count: Int) -> Bool {
    var sp = cores[cpu].words[CPU.Register.sp]
    for _ in 0..<count {
      sp = (sp &- UInt64(size)) & stackMask(cpu)
      guard
        let at = address(cpu, segment: CPU.Segment.ss, sp, size, write: true),
        probeWrite(cpu, at, size, AccessKind.stack)
      else { return false }
    }
    return true
  }

  private func pushAll(_ cpu: Int, _ size: Int) -> Outcome {
    let words = cores[cpu].words
    if !probePushes(cpu, size, 8) { return .fault }
    var sp = words[CPU.Register.sp]
    // AX CX DX BX, SP as it was, BP SI DI: the encoding's order.
    for n in 0..<8 {
      let new = (sp &- UInt64(size)) & stackMask(cpu)
      guard
        let at = address(cpu, segment: CPU.Segment.ss, new, size, write: true),
        store(cpu, at, size, words[n], AccessKind.stack | AccessKind.probed)
      else { return .fault }
      sp = new
    }
    setStackPointer(cpu, sp)
    return .next
  }

  private func popAll(_ cpu: Int, _ size: Int) -> Outcome {
    let words = cores[cpu].words
    let sp = words[CPU.Register.sp]
    var values = (0 as UInt64, 0 as UInt64, 0 as UInt64, 0 as UInt64)
    var more = values
    for n in 0..<8 {
      guard let value = stackValue(cpu, at: sp &+ UInt64(n * size), size) else { return .fault }
      switch n {
      case 0: values.0 = value
      case 1: values.1 = value
      case 2: values.2 = value
      case 3: break  // the slot of SP is skipped
      case 4: values.3 = value
      case 5: more.0 = value
      case 6: more.1 = value
      default: more.2 = value
      }
    }
    setRegister(cpu, UInt8(CPU.Register.di), size, values.0)
    setRegister(cpu, UInt8(CPU.Register.si), size, values.1)
    setRegister(cpu, UInt8(CPU.Register.bp), size, values.2)
    setRegister(cpu, UInt8(CPU.Register.bx), size, values.3)
    setRegister(cpu, UInt8(CPU.Register.dx), size, more.0)
    setRegister(cpu, UInt8(CPU.Register.cx), size, more.1)
    setRegister(cpu, UInt8(CPU.Register.ax), size, more.2)
    setStackPointer(cpu, sp &+ UInt64(8 * size))
    return .next
  }

  private func enter(_ cpu: Int, _ op: Op, _ size: Int) -> Outcome {
    let words = cores[cpu].words
    let level = Int(op.pointee.extra & 31)
    let mask = stackMask(cpu)
    let wide = size == 8 ? 8 : size
    if !probePushes(cpu, wide, level == 0 ? 1 : level + 1) { return .fault }
    let kind = AccessKind.stack | AccessKind.probed
    var sp = words[CPU.Register.sp] & mask

    func push(_ value: UInt64) -> Bool {
      let new = (sp &- UInt64(wide)) & mask
      guard let at = address(cpu, segment: CPU.Segment.ss, new, wide, write: true),
        store(cpu, at, wide, value, kind)
      else { return false }
      sp = new
      return true
    }

    // The frame pointers to copy are read before anything is written; a fault leaves no trace.
    var display: [UInt64] = []
    if level > 1 {
      for n in 1..<level {
        guard
          let value = stackValue(
            cpu, at: words[CPU.Register.bp] &- UInt64(n * wide), wide)
        else { return .fault }
        display.append(value)
      }
    }
    let final = (sp &- UInt64(wide * (level == 0 ? 1 : level + 1)) &- op.pointee.imm) & mask
    // The last byte of the new frame must be writable (Intel SDM Vol. 2, "ENTER").
    guard let at = address(cpu, segment: CPU.Segment.ss, final, wide, write: true),
      probeWrite(cpu, at, 1, kind)
    else { return .fault }
    if !push(words[CPU.Register.bp]) { return .fault }
    let frame = sp
    // What was read may have been overwritten by the push when the frames overlap.
    for (n, value) in display.enumerated() {
      let now = stackValue(cpu, at: words[CPU.Register.bp] &- UInt64((n + 1) * wide), wide)
      if !push(now ?? value) { return .fault }
    }
    if level > 0 && !push(frame) { return .fault }
    setRegister(cpu, UInt8(CPU.Register.bp), size, frame)
    setStackPointer(cpu, sp &- op.pointee.imm)
    return .next
  }
}
