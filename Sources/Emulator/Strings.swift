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
      if !compares && !memory.observed {
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

  /// Many iterations of REP MOVS or REP STOS at once, upwards within one page each: as many as
  /// behave like that number of single ones. 0 when there are none.
  private func stringRun(_ cpu: Int, _ op: Op, _ limit: Int) -> Int {
    let core = cores + cpu
    let words = core.pointee.words
    guard core.pointee.mode == DecodeMode.flat32, op.pointee.addressSize == 4,
      words[CPU.Word.rflags] & CPU.Flag.df == 0, op.pointee.segment < CPU.Segment.fs
    else { return 0 }
    let moves: Bool
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD: moves = true
    case ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD: moves = false
    default: return 0
    }
    let size = Int(op.pointee.operandSize)
    let target = words[CPU.Register.di] & 0xFFFF_FFFF
    let source = words[CPU.Register.si] & 0xFFFF_FFFF
    var count = min(limit, Int(words[CPU.Register.cx] & 0xFFFF_FFFF))
    count = min(count, (4096 - Int(target & 0xFFF)) / size)
    if moves { count = min(count, (4096 - Int(source & 0xFFF)) / size) }
    if count < 2 { return 0 }
    // A store that needs more than a store goes the long way.
    guard let to = translate(cpu, target, write: true, AccessKind.explicit) else {
      faultVector = -1
      return 0
    }
    if to.pointee.writeTag != to.pointee.readTag { return 0 }
    let host = Machine.host(to, target)
    if moves {
      let (entryTag, entryAddend) = (to.pointee.readTag, to.pointee.addend)
      guard let from = translate(cpu, source, write: false, AccessKind.explicit) else {
        faultVector = -1
        return 0
      }
      if to.pointee.readTag != entryTag || to.pointee.addend != entryAddend { return 0 }
      let other = Machine.host(from, source)
      // Overlapping upwards: single steps would read what they wrote.
      if other < host && host < other + count * size { return 0 }
      host.copyMemory(from: other, byteCount: count * size)
      words[CPU.Register.si] = (source &+ UInt64(count * size)) & 0xFFFF_FFFF
    } else {
      let value = words[CPU.Register.ax]
      for i in 0..<count { Machine.write(host + i * size, size, value) }
    }
    words[CPU.Register.di] = (target &+ UInt64(count * size)) & 0xFFFF_FFFF
    words[CPU.Register.cx] = words[CPU.Register.cx] &- UInt64(count)
    return count
  }
}
