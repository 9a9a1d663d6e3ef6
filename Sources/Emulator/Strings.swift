import CZydis

// MOVS, STOS, LODS, SCAS, CMPS, with and without REP. Intel SDM Vol. 2, "REP/REPE/REPNE"; Vol. 1
// §7.3.9. One iteration is one step of the machine: between two an interrupt may come, and `rip`
// stays at the instruction until the last one.
extension Machine {
  /// Executes at most `limit` iterations; returns also how many were completed. A fault after
  /// some leaves the registers as they then are: the instruction goes on from there.
  func executeString(_ cpu: Int, _ op: Op, limit: Int) -> (Outcome, Int) {
    let repeats = op.pointee.prefixes & (MicroOp.Prefix.rep | MicroOp.Prefix.repne) != 0
    if !repeats { return (stringStep(cpu, op) ? .next : .fault, 1) }
    let words = cores[cpu].words
    let width = Int(op.pointee.addressSize)
    let compares = Machine.compares(op)
    let cx = UInt8(CPU.Register.cx)
    var done = 0
    if register(cpu, cx, width) == 0 { return (.next, 1) }
    while done < limit {
      if !compares {
        let count = stringRun(cpu, op, limit - done)
        if count > 0 {
          done += count
          if register(cpu, cx, width) == 0 { return (.next, done) }
          continue
        }
      }
      if !stringStep(cpu, op) { return (.fault, done) }
      let count = (register(cpu, cx, width) &- 1) & Flags.mask(width)
      setRegister(cpu, cx, width, count)
      done += 1
      if count == 0 { return (.next, done) }
      // The instruction has overwritten itself: what it goes on with is to be decoded afresh.
      if op.pointee.code != .string { return (.jumped, done) }
      if compares {
        let zero = words[CPU.Word.rflags] & Flags.zf != 0
        if zero == (op.pointee.prefixes & MicroOp.Prefix.repne != 0) { return (.next, done) }
      }
    }
    return (.jumped, done)
  }

  private static func compares(_ op: Op) -> Bool {
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_SCASB, ZYDIS_MNEMONIC_SCASW, ZYDIS_MNEMONIC_SCASD, ZYDIS_MNEMONIC_SCASQ,
      ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSW, ZYDIS_MNEMONIC_CMPSD, ZYDIS_MNEMONIC_CMPSQ:
      return true
    default: return false
    }
  }

  /// One iteration, CX aside. False with the fault set and nothing changed.
  private func stringStep(_ cpu: Int, _ op: Op) -> Bool {
    let words = cores[cpu].words
    let size = Int(op.pointee.operandSize)
    let width = Int(op.pointee.addressSize)
    let si = UInt8(CPU.Register.si)
    let di = UInt8(CPU.Register.di)
    let step =
      words[CPU.Word.rflags] & CPU.Flag.df != 0 ? 0 &- UInt64(size) : UInt64(size)
    let source = register(cpu, si, width)
    let target = register(cpu, di, width)

    func load(segment: Int, _ offset: UInt64) -> UInt64? {
      guard let at = address(cpu, segment: segment, offset, size, write: false) else {
        return nil
      }
      return self.load(cpu, at, size, AccessKind.explicit)
    }
    func store(_ value: UInt64) -> Bool {
      guard
        let at = address(cpu, segment: CPU.Segment.es, target, size, write: true)
      else { return false }
      return self.store(cpu, at, size, value, AccessKind.explicit)
    }
    func advance(_ n: UInt8, _ value: UInt64) {
      setRegister(cpu, n, width, value &+ step)
    }

    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD, ZYDIS_MNEMONIC_MOVSQ:
      guard let value = load(segment: Int(op.pointee.segment), source), store(value) else {
        return false
      }
      advance(si, source)
      advance(di, target)
    case ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD, ZYDIS_MNEMONIC_STOSQ:
      if !store(register(cpu, 0, size)) { return false }
      advance(di, target)
    case ZYDIS_MNEMONIC_LODSB, ZYDIS_MNEMONIC_LODSW, ZYDIS_MNEMONIC_LODSD, ZYDIS_MNEMONIC_LODSQ:
      guard let value = load(segment: Int(op.pointee.segment), source) else { return false }
      setRegister(cpu, 0, size, value)
      advance(si, source)
    case ZYDIS_MNEMONIC_SCASB, ZYDIS_MNEMONIC_SCASW, ZYDIS_MNEMONIC_SCASD, ZYDIS_MNEMONIC_SCASQ:
      guard let value = load(segment: CPU.Segment.es, target) else { return false }
      setFlags(
        cpu, Flags.all, Flags.subtract(register(cpu, 0, size), value, borrow: 0, size).1)
      advance(di, target)
    default:  // CMPS: the operand at DS:SI is the minuend.
      guard let a = load(segment: Int(op.pointee.segment), source),
        let b = load(segment: CPU.Segment.es, target)
      else { return false }
      setFlags(cpu, Flags.all, Flags.subtract(a, b, borrow: 0, size).1)
      advance(si, source)
      advance(di, target)
    }
    return true
  }
}
