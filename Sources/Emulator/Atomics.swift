import CZydis

// XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B. Intel SDM Vol. 2. One instruction is one step of the
// machine, so that LOCK adds nothing but the class by which others see it.
extension Machine {
  func executeAtomic(_ cpu: Int, _ op: Op) -> Outcome {
    let size = Int(op.pointee.operandSize)
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_XADD:
      guard let a = readRMForWrite(cpu, op, size) else { return .fault }
      let b = register(cpu, op.pointee.reg, size)
      let (r, flags) = Flags.add(a, b, carry: 0, size)
      if op.pointee.isMemory {
        // The address may depend on the register.
        writeRM(cpu, op, size, r)
        setRegister(cpu, op.pointee.reg, size, a)
      } else {
        // With one register for both the sum stays.
        setRegister(cpu, op.pointee.reg, size, a)
        writeRM(cpu, op, size, r)
      }
      setFlags(cpu, Flags.all, flags)
      return .next
    case ZYDIS_MNEMONIC_CMPXCHG:
      // The destination is written in either case: a page that may not be written faults.
      guard let a = readRMForWrite(cpu, op, size) else { return .fault }
      let accumulator = register(cpu, 0, size)
      let (_, flags) = Flags.subtract(accumulator, a, borrow: 0, size)
      if accumulator == a {
        writeRM(cpu, op, size, register(cpu, op.pointee.reg, size))
      } else {
        // Memory receives a write cycle; a register stays as it is, its upper half included.
        if op.pointee.isMemory { writeRM(cpu, op, size, a) }
        setRegister(cpu, 0, size, a)
      }
      setFlags(cpu, Flags.all, flags)
      return .next
    case ZYDIS_MNEMONIC_CMPXCHG8B:
      guard let a = readRMForWrite(cpu, op, 8) else { return .fault }
      let words = cores[cpu].words
      let expected =
        words[CPU.Register.dx] << 32 | words[CPU.Register.ax] & 0xFFFF_FFFF
      if a == expected {
        writeRM(cpu, op, 8, words[CPU.Register.cx] << 32 | words[CPU.Register.bx] & 0xFFFF_FFFF)
        setFlags(cpu, Flags.zf, Flags.zf)
      } else {
        writeRM(cpu, op, 8, a)
        words[CPU.Register.ax] = a & 0xFFFF_FFFF
        words[CPU.Register.dx] = a >> 32
        setFlags(cpu, Flags.zf, 0)
      }
      return .next
    default: return exchangePair(cpu, op)
    }
  }

  /// CMPXCHG16B: RDX:RAX against 16 bytes, which must be aligned (#GP). Intel SDM Vol. 2A.
  private func exchangePair(_ cpu: Int, _ op: Op) -> Outcome {
    let words = cores[cpu].words
    let kind = kind(op)
    guard let at = address(cpu, op, 16, write: true) else { return .fault }
    if at & 15 != 0 {
      raise(Vector.generalProtection)
      return .fault
    }
    guard probeWrite(cpu, at, 16, kind), let low = load(cpu, at, 8, kind | AccessKind.probed),
      let high = load(cpu, at &+ 8, 8, kind | AccessKind.probed)
    else { return .fault }
    let isEqual = low == words[CPU.Register.ax] && high == words[CPU.Register.dx]
    _ = store(
      cpu, at, 8, isEqual ? words[CPU.Register.bx] : low, kind | AccessKind.probed)
    _ = store(
      cpu, at &+ 8, 8, isEqual ? words[CPU.Register.cx] : high, kind | AccessKind.probed)
    if !isEqual {
      words[CPU.Register.ax] = low
      words[CPU.Register.dx] = high
    }
    setFlags(cpu, Flags.zf, isEqual ? Flags.zf : 0)
    return .next
  }
}
