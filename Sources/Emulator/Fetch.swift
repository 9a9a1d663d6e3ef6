extension Machine {
  /// The pool index of the micro-op at the CPU's instruction pointer, decoded if need be; 0 with
  /// the fault set when the instruction cannot be fetched.
  @inline(never) func find(_ cpu: Int, _ rip: UInt64) -> UInt32 {
    let core = cores + cpu
    let cache = decodeCache
    let mode = core.pointee.mode
    var linear = rip
    if mode == DecodeMode.segmented32 || mode == DecodeMode.segmented16 {
      // Intel SDM Vol. 3A §5.3: code beyond the limit of CS is #GP(0).
      if rip > cpus[cpu].limit(CPU.Segment.cs) {
        return raise(13)
      }
      linear = (cpus[cpu].base(CPU.Segment.cs) &+ rip) & core.pointee.mask
    }
    // Intel SDM Vol. 1 §3.3.7.1.
    if mode == DecodeMode.long64 && !Machine.isCanonical(linear) { return raise(13) }
    guard let physical = translateFetch(cpu, linear) else { return 0 }
    let offset = Int(physical & 0xFFF)
    let table = cache.table(mode: mode, frame: Int(physical >> 12))
    if mode == DecodeMode.flat32 || mode == DecodeMode.long64 {
      core.pointee.windowPage = linear & ~0xFFF
      core.pointee.window = table
    } else {
      core.pointee.windowPage = Core.noPage
    }
    if table[offset] != 0 { return table[offset] }
    if offset > Memory.frameSize - 15 {
      let key = DecodeCache.crossingKey(physical, mode: mode)
      let crossing = cache.crossing(key)
      if crossing.pointee.key == key {
        guard let second = translateFetch(cpu, nextPage(cpu, linear)) else { return 0 }
        if crossing.pointee.second == second { return crossing.pointee.index }
      }
    }
    if cache.isFull {
      forgetCode()
      return find(cpu, rip)
    }
    return decode(cpu, linear: linear, physical: physical, rip: rip)
  }

  /// Decodes a block: up to the first instruction that does not go on to the next one.
  private func decode(_ cpu: Int, linear: UInt64, physical: UInt64, rip: UInt64) -> UInt32 {
    let cache = decodeCache
    let mode = cores[cpu].mode
    let frame = Int(physical >> 12)
    let bytes = memory.frame(frame)
    let table = cache.table(mode: mode, frame: frame)
    let single = mode == DecodeMode.segmented32 || mode == DecodeMode.segmented16
    var offset = Int(physical & 0xFFF)
    let first = UInt32(cache.used)
    var count = 0
    while count < DecodeCache.blockLength && offset < Memory.frameSize {
      if table[offset] != 0 {
        var op = MicroOp()
        op.code = .goto
        op.extra = table[offset]
        _ = cache.append(op)
        return finish(first)
      }
      let available = Memory.frameSize - offset
      var op = MicroOp()
      switch cache.decoder.decode(bytes + offset, min(available, 15), mode: mode, into: &op) {
      case .needsMore:
        if count == 0 {
          return decodeCrossing(cpu, linear: linear, physical: physical, available: available)
        }
        offset = Memory.frameSize
        continue
      case .done: break
      }
      if !hooks.isEmpty && hookPages(contain: linear & ~0xFFF | UInt64(offset)) {
        op.klass |= InstructionClass.hook
        if !memory.observed && hooks.contains(linear & ~0xFFF | UInt64(offset)) {
          op.code = .breakpoint
        }
      }
      let here = physical & ~0xFFF | UInt64(offset)
      table[offset] = cache.append(op)
      cache.watch(physical: here, length: min(max(Int(op.length), 1), available))
      offset += Int(op.length)
      count += 1
      if op.endsBlock || single { break }
    }
    _ = cache.append(MicroOp())
    return finish(first)
  }

  private func finish(_ index: UInt32) -> UInt32 {
    if decodeCache.newCodeFrame {
      decodeCache.newCodeFrame = false
      for cpu in 0..<cpus.count {
        // The window stays good: only what lets stores through must go.
        let (page, window) = (cores[cpu].windowPage, cores[cpu].window)
        cores[cpu].flush()
        (cores[cpu].windowPage, cores[cpu].window) = (page, window)
      }
    }
    return index
  }

  /// Decodes one instruction that goes on in the next page. It is not entered in the table: the
  /// two pages need not stay neighbours.
  private func decodeCrossing(
    _ cpu: Int, linear: UInt64, physical: UInt64, available: Int
  ) -> UInt32 {
    let cache = decodeCache
    let mode = cores[cpu].mode
    // That a byte of the next page is needed is known: the decoder asked for it.
    guard let second = translateFetch(cpu, nextPage(cpu, linear)) else { return 0 }
    var bytes: (UInt64, UInt64) = (0, 0)
    var op = MicroOp()
    withUnsafeMutableBytes(of: &bytes) { buffer in
      let host = buffer.baseAddress.unsafelyUnwrapped
      host.copyMemory(
        from: memory.frame(Int(physical >> 12)) + Int(physical & 0xFFF), byteCount: available)
      (host + available).copyMemory(
        from: memory.frame(Int(second >> 12)), byteCount: 15 - available)
      _ = cache.decoder.decode(UnsafeRawPointer(host), 15, mode: mode, into: &op)
    }
    if !hooks.isEmpty && hookPages(contain: linear) { op.klass |= InstructionClass.hook }
    let index = cache.append(op)
    _ = cache.append(MicroOp())
    let length = Int(op.length)
    cache.watch(physical: physical, length: available)
    if length > available { cache.watch(physical: second, length: length - available) }
    let key = DecodeCache.crossingKey(physical, mode: mode)
    cache.crossing(key).pointee = DecodeCache.Crossing(key: key, second: second, index: index)
    return finish(index)
  }

  private func nextPage(_ cpu: Int, _ linear: UInt64) -> UInt64 {
    ((linear | 0xFFF) &+ 1) & cores[cpu].mask
  }

  /// Sets a fault of the instruction in flight; returns 0 so that callers can return it.
  @discardableResult
  @inline(never) func raise(_ vector: Int, _ error: UInt32 = 0) -> UInt32 {
    faultVector = vector
    faultError = error
    return 0
  }

  // MARK: Code that changes

  /// Forgets what was decoded from a frame of physical memory. Needed only after writes that went
  /// around `Memory.setWord` and the CPUs.
  public func invalidateCode(frame: Int) {
    if memory.frameUses[frame] & Memory.FrameUse.tables != 0 { flushAllTLBs() }
    decodeCache.invalidate(frame: frame)
  }

  /// Forgets all decoded instructions.
  func forgetCode() {
    decodeCache.forgetAll()
    for cpu in 0..<cpus.count { cores[cpu].windowPage = 1 }
  }

  /// Acts on host and device writes to words that were decoded.
  func noteWatchedWrites() {
    for word in memory.watchedWrites { noteWatchedWrite(word) }
    memory.watchedWrites.removeAll(keepingCapacity: true)
  }

  // MARK: Hooks

  /// Makes runs stop with `.visible` before the instruction at a linear address. Plain runs stop
  /// there for good: to go on, the hook has to be cleared.
  public func setHook(linear: UInt64) {
    if hooks.insert(linear).inserted { forgetCode() }
  }

  public func clearHooks() {
    if hooks.isEmpty { return }
    hooks.removeAll()
    forgetCode()
  }

  /// Code is cached by physical address: the page that a hook names is compared when it is met.
  private func hookPages(contain linear: UInt64) -> Bool {
    hooks.contains { $0 & 0xFFF == linear & 0xFFF }
  }
}
