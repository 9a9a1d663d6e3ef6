import CZydis

// Many iterations of REP MOVS or REP STOS at once, upwards within one page each: as many as behave like that number
// of single ones. While memory is observed, these are iterations of STOS that touch nobody else's bytes, so that there
// is nothing to be seen of them.
extension Machine {
  /// Executes such iterations, at most `limit`; 0 when there are none.
  func stringRun(_ cpu: Int, _ op: Op, _ limit: Int) -> Int {
    let core = cores + cpu
    let words = core.pointee.words
    let isWide = core.pointee.mode == DecodeMode.long64
    guard isWide || core.pointee.mode == DecodeMode.flat32,
      op.pointee.addressSize == (isWide ? 8 : 4),
      words[CPU.Word.rflags] & CPU.Flag.df == 0, op.pointee.segment < CPU.Segment.fs
    else { return 0 }
    let moves: Bool
    switch ZydisMnemonic(rawValue: UInt32(op.pointee.mnemonic)) {
    case ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD, ZYDIS_MNEMONIC_MOVSQ:
      moves = true
    case ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD, ZYDIS_MNEMONIC_STOSQ:
      moves = false
    default: return 0
    }
    let mask = core.pointee.mask
    let size = Int(op.pointee.operandSize)
    let target = words[CPU.Register.di] & mask
    let source = words[CPU.Register.si] & mask
    var count = min(limit, Int(clamping: words[CPU.Register.cx] & mask))
    count = min(count, (4096 - Int(target & 0xFFF)) / size)
    if moves { count = min(count, (4096 - Int(source & 0xFFF)) / size) }
    // What a copy reads is judged byte by byte: it may be dead stack, or an interrupted context's.
    if count < 2 || (moves && memory.observed) { return 0 }
    // A store that needs more than a store goes the long way, which may fault elsewhere first.
    let cr2 = words[CPU.Word.cr2]
    guard let to = translate(cpu, target, write: true, AccessKind.explicit) else {
      faultVector = -1
      words[CPU.Word.cr2] = cr2
      return 0
    }
    if to.pointee.writeTag != to.pointee.readTag { return 0 }
    let host = Machine.host(to, target)
    let physical = to.pointee.physical & ~0xFFF
    if moves {
      let (entryTag, entryAddend) = (to.pointee.readTag, to.pointee.addend)
      guard let from = translate(cpu, source, write: false, AccessKind.explicit) else {
        faultVector = -1
        words[CPU.Word.cr2] = cr2
        return 0
      }
      if to.pointee.readTag != entryTag || to.pointee.addend != entryAddend { return 0 }
      let other = Machine.host(from, source)
      // Overlapping upwards: single steps would read what they wrote.
      if other < host && host < other + count * size { return 0 }
      host.copyMemory(from: other, byteCount: count * size)
      words[CPU.Register.si] = (source &+ UInt64(count * size)) & mask
    } else {
      let value = words[CPU.Register.ax]
      if memory.observed {
        count = ownIterations(cpu, to, target, size, count)
        if count < 2 || target & UInt64(size - 1) != 0 { return 0 }
        storeRun(to, target, physical, count * size, repeating: value, size)
      } else {
        for i in 0..<count { Machine.write(host + i * size, size, value) }
      }
    }
    if memory.observed { claimRun(cpu, to, target, count * size) }
    words[CPU.Register.di] = (target &+ UInt64(count * size)) & mask
    words[CPU.Register.cx] = words[CPU.Register.cx] &- UInt64(count)
    return count
  }

  // MARK: While memory is observed

  /// What `observe` has for this context's shadow of the bytes; nil where that changes among them, or where more than
  /// the shadow must be looked at.
  private func shadowOwner(_ cpu: Int, _ linear: UInt64, _ bytes: Int) -> UInt32? {
    if observation.logAccesses || observation.clobberedSlots != 0 { return nil }
    let end = linear &+ UInt64(bytes)
    let sp = cores[cpu].words[CPU.Register.sp]
    let live = sp &- 64
    let isOwn = linear >= live && linear < observation.stackTop
    let isOwnAtEnd = end &- 1 >= live && end &- 1 < observation.stackTop
    guard isOwn == isOwnAtEnd, isOwn || end <= live || linear >= observation.stackTop else {
      return nil
    }
    return isOwn
      ? Shadow.stack | UInt32(truncatingIfNeeded: cpu) &<< Shadow.ownerShift
      : observation.owner &<< Shadow.ownerShift
  }

  private func shadow(
    _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64
  ) -> UnsafeMutablePointer<UInt32> {
    let offset = Int(truncatingIfNeeded: linear & 0xFFF)
    return (Machine.frame(entry, linear) + (Memory.shadowOffset + offset & ~3))
      .assumingMemoryBound(to: UInt32.self)
  }

  /// How many of the iterations touch bytes that are nobody's yet, or this context's already.
  private func ownIterations(
    _ cpu: Int, _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64, _ size: Int,
    _ count: Int
  ) -> Int {
    guard count > 1, let mine = shadowOwner(cpu, linear, count * size) else {
      return 0
    }
    let shadow = shadow(entry, linear)
    let lead = Int(linear & 3)
    let granules = (lead + count * size + 3) >> 2
    for i in 0..<granules {
      let now = shadow[i]
      if now == 0 || now & ~Shadow.written == mine { continue }
      return max(0, (i * 4 - lead) / size)
    }
    return count
  }

  /// Marks the bytes as `observe` would.
  private func claimRun(
    _ cpu: Int, _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64, _ bytes: Int
  ) {
    guard let mine = shadowOwner(cpu, linear, bytes) else { return }
    let shadow = shadow(entry, linear)
    for i in 0..<((Int(linear & 3) + bytes + 3) >> 2) {
      shadow[i] = mine | Shadow.written
    }
  }

  /// Stores a run word by word; `word` gives the aligned word's bytes from an offset relative to the run's beginning,
  /// of which those that the mask names are meant.
  @inline(__always) private func storeWords(
    _ to: UnsafeMutablePointer<TLBEntry>, _ target: UInt64, _ page: UInt64, _ bytes: Int,
    _ word: (_ offset: Int, _ skip: Int, _ count: Int) -> UInt64
  ) {
    let frame = Machine.frame(to, target)
    let start = Int(target & 0xFFF)
    let end = start + bytes
    var at = start
    while at < end {
      let first = at & ~7
      let next = min(first + 8, end)
      let skip = at - first
      let mask = UInt8(truncatingIfNeeded: ((1 << (next - at)) - 1) << skip)
      let place = (frame + first).assumingMemoryBound(to: UInt64.self)
      let bits = Recorder.masks[Int(mask)]
      memory.storeObserved(
        place, frame: frame, physical: page | UInt64(first),
        place.pointee & ~bits | word(at - start, skip, next - at) & bits, mask: mask)
      at = next
    }
  }

  private func storeRun(
    _ to: UnsafeMutablePointer<TLBEntry>, _ target: UInt64, _ page: UInt64, _ bytes: Int,
    repeating value: UInt64, _ size: Int
  ) {
    var pattern = size == 8 ? value : value & (1 << UInt64(size * 8) - 1)
    var width = size
    while width < 8 {
      pattern |= pattern << UInt64(width * 8)
      width *= 2
    }
    // The run begins at a multiple of the size: each aligned word is the same.
    storeWords(to, target, page, bytes) { _, _, _ in pattern }
  }
}
