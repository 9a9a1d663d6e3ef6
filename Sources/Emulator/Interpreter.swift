extension Machine {
  /// Executes up to `limit` instructions of a CPU; an iteration of a repeated string instruction
  /// and the delivery of a fault count as one each.
  /// - Parameter passFirst: the first instruction is executed although it is visible or hooked
  ///   (observed runs).
  public func run(cpu: Int, limit: Int, passFirst: Bool = false) -> Stop {
    memory.observed
      ? runObserved(cpu, limit: limit, passFirst: passFirst) : runPlain(cpu, limit: limit)
  }

  @inline(never) private func runPlain(_ cpu: Int, limit: Int) -> Stop {
    updateTimerDeadline()
    var slice = Slice(rest: limit, pass: false)
    agree(cpu)
    // Each turn is an instruction boundary where interrupts are looked at; the block is complete.
    while true {
      if let stop = boundary(cpu, &slice) { return stop }
      let isWide = cores[cpu].mode == DecodeMode.long64
      if let stop = isWide ? runWide(cpu, &slice) : runNarrow(cpu, &slice) { return stop }
    }
  }

  @inline(never) private func runNarrow(_ cpu: Int, _ slice: inout Slice) -> Stop? {
    interpret(cpu, &slice, observed: false, wide: false)
  }

  @inline(never) private func runWide(_ cpu: Int, _ slice: inout Slice) -> Stop? {
    interpret(cpu, &slice, observed: false, wide: true)
  }

  @inline(never) private func runObserved(_ cpu: Int, limit: Int, passFirst: Bool) -> Stop {
    timerDeadline = .max
    var slice = Slice(rest: limit, pass: passFirst)
    agree(cpu)
    while true {
      if let stop = boundary(cpu, &slice) { return stop }
      if let stop = interpret(cpu, &slice, observed: true, wide: true) { return stop }
    }
  }

  /// Executes one slice: the loop, compiled once for each kind of run. nil when the slice is over and the
  /// run goes on.
  ///
  /// The state that changes with every instruction is in locals: where the micro-op lies, `rip`,
  /// the lazy flags, the instructions left. The block of the CPU is completed before anything
  /// outside looks at it. An instruction that faults leaves the switch before it has changed
  /// anything.
  /// - Parameter wide: whether the code may be 64-bit code; an observed run executes both kinds.
  @inline(__always) private func interpret(
    _ cpu: Int, _ slice: inout Slice, observed: Bool, wide: Bool
  ) -> Stop? {
    let words = cores[cpu].words
    let pool = decodeCache.pool
    let explicit = AccessKind.explicit
    let stack = AccessKind.stack
    let core = cores + cpu
    let tlb = dataTLB(cpu)
    let mask = observed ? core.pointee.mask : wide ? ~0 : 0xFFFF_FFFF
    let stopMask = observed && !slice.pass ? observation.stopBefore : 0
    var lowest = observed ? observation.lowestSP : 0
    var budget = slice.length
    var flags = LazyFlags(words[CPU.Word.rflags])
    var rip = words[CPU.Word.rip]
    var op = pool + Int(DecodeCache.lookupIndex)
    var linkFrom = op
    var stop: Stop?

    run: while budget > 0 {
      // Addresses relative to it have it as their base.
      if observed || wide { words[CPU.Word.rip] = rip }
      if observed {
        if op.pointee.klass & stopMask != 0 && stops(cpu, op, stopMask, rip) {
          stop = .visible
          break run
        }
      }
      // Left by instructions that fault or are not executed here.
      fast: do {
        // Left by relative branches that are taken.
        branch: do {
          switch op.pointee.code {
          case .lookup, .link:
            let isLink = op.pointee.code == .link
            rip &= mask
            var index = near(rip, core)
            if index == 0 {
              words[CPU.Word.rip] = rip
              index = Int(find(cpu, rip))
              if index == 0 { break fast }
            }
            op = pool + index
            // Not to an instruction that goes on in the next page: its second half may lie
            // elsewhere the next time.
            if isLink && near(rip, core) == index {
              linkFrom.pointee.extra = UInt32(truncatingIfNeeded: index)
            }
            continue run
          case .goto:
            op = pool + Int(op.pointee.extra)
            continue run
          case .nop:
            break
          case .movRR:
            put32(words, op.pointee.reg, get32(words, op.pointee.rm))
          case .movRI:
            put32(words, op.pointee.reg, immediate32(op))
          case .movRM:
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            put32(words, op.pointee.reg, value)
          case .movMR:
            if !write(
              observed: observed, cpu, tlb, operandAddress(words, op, mask),
              get32(words, op.pointee.reg),
              explicit)
            {
              break fast
            }
          case .movMI:
            if !write(
              observed: observed, cpu, tlb, operandAddress(words, op, mask), immediate32(op),
              explicit)
            {
              break fast
            }
          case .movRR8:
            put8(words, op.pointee.reg, get8(words, op.pointee.rm))
          case .movRI8:
            put8(words, op.pointee.reg, UInt8(truncatingIfNeeded: op.pointee.imm))
          case .movRM8:
            guard
              let value = read(
                UInt8.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            put8(words, op.pointee.reg, value)
          case .movMR8:
            if !write(
              observed: observed, cpu, tlb, operandAddress(words, op, mask),
              get8(words, op.pointee.reg),
              explicit)
            {
              break fast
            }
          case .movMI8:
            if !write(
              observed: observed, cpu, tlb, operandAddress(words, op, mask),
              UInt8(truncatingIfNeeded: op.pointee.imm), explicit)
            {
              break fast
            }
          case .movMR16:
            if !write(
              observed: observed, cpu, tlb, operandAddress(words, op, mask),
              get16(words, op.pointee.reg),
              explicit)
            {
              break fast
            }
          case .movMI16:
            if !write(
              observed: observed, cpu, tlb, operandAddress(words, op, mask),
              UInt16(truncatingIfNeeded: op.pointee.imm), explicit)
            {
              break fast
            }
          case .movzxR8:
            put32(words, op.pointee.reg, UInt32(get8(words, op.pointee.rm)))
          case .movzxR16:
            put32(words, op.pointee.reg, UInt32(get16(words, op.pointee.rm)))
          case .movzxM8:
            guard
              let value = read(
                UInt8.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            put32(words, op.pointee.reg, UInt32(value))
          case .movzxM16:
            guard
              let value = read(
                UInt16.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            put32(words, op.pointee.reg, UInt32(value))
          case .movsxR8:
            let value = get8(words, op.pointee.rm)
            put32(words, op.pointee.reg, UInt32(bitPattern: Int32(Int8(bitPattern: value))))
          case .movsxR16:
            let value = get16(words, op.pointee.rm)
            put32(words, op.pointee.reg, UInt32(bitPattern: Int32(Int16(bitPattern: value))))
          case .movsxM8:
            guard
              let value = read(
                UInt8.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            put32(words, op.pointee.reg, UInt32(bitPattern: Int32(Int8(bitPattern: value))))
          case .movsxM16:
            guard
              let value = read(
                UInt16.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            put32(words, op.pointee.reg, UInt32(bitPattern: Int32(Int16(bitPattern: value))))
          case .lea:
            words[Int(op.pointee.reg)] = operandAddress(words, op, mask)
          case .addRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a &+ b
            flags.add(a, b, r)
            put32(words, op.pointee.reg, r)
          case .addRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a &+ b
            flags.add(a, b, r)
            put32(words, op.pointee.reg, r)
          case .addRM:
            guard
              let b = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get32(words, op.pointee.reg)
            let r = a &+ b
            flags.add(a, b, r)
            put32(words, op.pointee.reg, r)
          case .addMR:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = get32(words, op.pointee.reg)
            let r = a &+ b
            end32(cpu, at, update, r)
            flags.add(a, b, r)
          case .addMI:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = immediate32(op)
            let r = a &+ b
            end32(cpu, at, update, r)
            flags.add(a, b, r)
          case .subRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a &- b
            flags.subtract(a, b, r)
            put32(words, op.pointee.reg, r)
          case .subRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a &- b
            flags.subtract(a, b, r)
            put32(words, op.pointee.reg, r)
          case .subRM:
            guard
              let b = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get32(words, op.pointee.reg)
            let r = a &- b
            flags.subtract(a, b, r)
            put32(words, op.pointee.reg, r)
          case .subMR:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = get32(words, op.pointee.reg)
            let r = a &- b
            end32(cpu, at, update, r)
            flags.subtract(a, b, r)
          case .subMI:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = immediate32(op)
            let r = a &- b
            end32(cpu, at, update, r)
            flags.subtract(a, b, r)
          case .cmpRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a &- b
            flags.subtract(a, b, r)
          case .cmpRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a &- b
            flags.subtract(a, b, r)
          case .cmpRM:
            guard
              let b = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get32(words, op.pointee.reg)
            let r = a &- b
            flags.subtract(a, b, r)
          case .cmpMR:
            guard
              let a = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let b = get32(words, op.pointee.reg)
            let r = a &- b
            flags.subtract(a, b, r)
          case .cmpMI:
            guard
              let a = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let b = immediate32(op)
            let r = a &- b
            flags.subtract(a, b, r)
          case .andRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a & b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .andRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a & b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .andRM:
            guard
              let b = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get32(words, op.pointee.reg)
            let r = a & b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .andMR:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = get32(words, op.pointee.reg)
            let r = a & b
            end32(cpu, at, update, r)
            flags.logic(r)
          case .andMI:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = immediate32(op)
            let r = a & b
            end32(cpu, at, update, r)
            flags.logic(r)
          case .orRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a | b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .orRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a | b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .orRM:
            guard
              let b = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get32(words, op.pointee.reg)
            let r = a | b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .orMR:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = get32(words, op.pointee.reg)
            let r = a | b
            end32(cpu, at, update, r)
            flags.logic(r)
          case .orMI:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = immediate32(op)
            let r = a | b
            end32(cpu, at, update, r)
            flags.logic(r)
          case .xorRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a ^ b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .xorRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a ^ b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .xorRM:
            guard
              let b = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get32(words, op.pointee.reg)
            let r = a ^ b
            flags.logic(r)
            put32(words, op.pointee.reg, r)
          case .xorMR:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = get32(words, op.pointee.reg)
            let r = a ^ b
            end32(cpu, at, update, r)
            flags.logic(r)
          case .xorMI:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            let b = immediate32(op)
            let r = a ^ b
            end32(cpu, at, update, r)
            flags.logic(r)
          case .testRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a & b
            flags.logic(r)
          case .testRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a & b
            flags.logic(r)
          case .testMR:
            guard
              let a = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let b = get32(words, op.pointee.reg)
            let r = a & b
            flags.logic(r)
          case .testMI:
            guard
              let a = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let b = immediate32(op)
            let r = a & b
            flags.logic(r)
          case .adcRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a &+ b &+ (flags.carries &>> 31)
            flags.add(a, b, r)
            put32(words, op.pointee.reg, r)
          case .adcRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a &+ b &+ (flags.carries &>> 31)
            flags.add(a, b, r)
            put32(words, op.pointee.reg, r)
          case .adcRM:
            guard
              let b = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get32(words, op.pointee.reg)
            let r = a &+ b &+ (flags.carries &>> 31)
            flags.add(a, b, r)
            put32(words, op.pointee.reg, r)
          case .sbbRR:
            let a = get32(words, op.pointee.reg)
            let b = get32(words, op.pointee.rm)
            let r = a &- b &- (flags.carries &>> 31)
            flags.subtract(a, b, r)
            put32(words, op.pointee.reg, r)
          case .sbbRI:
            let a = get32(words, op.pointee.reg)
            let b = immediate32(op)
            let r = a &- b &- (flags.carries &>> 31)
            flags.subtract(a, b, r)
            put32(words, op.pointee.reg, r)
          case .sbbRM:
            guard
              let b = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get32(words, op.pointee.reg)
            let r = a &- b &- (flags.carries &>> 31)
            flags.subtract(a, b, r)
            put32(words, op.pointee.reg, r)
          case .cmpRR8:
            let a = get8(words, op.pointee.reg)
            let b = get8(words, op.pointee.rm)
            flags.subtract8(a, b, a &- b)
          case .cmpRI8:
            let a = get8(words, op.pointee.reg)
            let b = UInt8(truncatingIfNeeded: op.pointee.imm)
            flags.subtract8(a, b, a &- b)
          case .cmpRM8:
            guard
              let b = read(
                UInt8.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = get8(words, op.pointee.reg)
            flags.subtract8(a, b, a &- b)
          case .cmpMR8:
            guard
              let a = read(
                UInt8.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let b = get8(words, op.pointee.reg)
            flags.subtract8(a, b, a &- b)
          case .cmpMI8:
            guard
              let a = read(
                UInt8.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let b = UInt8(truncatingIfNeeded: op.pointee.imm)
            flags.subtract8(a, b, a &- b)
          case .testRR8:
            let a = get8(words, op.pointee.reg)
            let b = get8(words, op.pointee.rm)
            flags.logic8(a & b)
          case .testRI8:
            let a = get8(words, op.pointee.reg)
            let b = UInt8(truncatingIfNeeded: op.pointee.imm)
            flags.logic8(a & b)
          case .testMR8:
            guard
              let a = read(
                UInt8.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let b = get8(words, op.pointee.reg)
            flags.logic8(a & b)
          case .testMI8:
            guard
              let a = read(
                UInt8.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let b = UInt8(truncatingIfNeeded: op.pointee.imm)
            flags.logic8(a & b)
          case .andRR8:
            let r = get8(words, op.pointee.reg) & get8(words, op.pointee.rm)
            flags.logic8(r)
            put8(words, op.pointee.reg, r)
          case .andRI8:
            let r = get8(words, op.pointee.reg) & UInt8(truncatingIfNeeded: op.pointee.imm)
            flags.logic8(r)
            put8(words, op.pointee.reg, r)
          case .orRR8:
            let r = get8(words, op.pointee.reg) | get8(words, op.pointee.rm)
            flags.logic8(r)
            put8(words, op.pointee.reg, r)
          case .orRI8:
            let r = get8(words, op.pointee.reg) | UInt8(truncatingIfNeeded: op.pointee.imm)
            flags.logic8(r)
            put8(words, op.pointee.reg, r)
          case .xorRR8:
            let r = get8(words, op.pointee.reg) ^ get8(words, op.pointee.rm)
            flags.logic8(r)
            put8(words, op.pointee.reg, r)
          case .addRI8:
            let a = get8(words, op.pointee.reg)
            let b = UInt8(truncatingIfNeeded: op.pointee.imm)
            let r = a &+ b
            flags.add8(a, b, r)
            put8(words, op.pointee.reg, r)
          case .addSPI:
            let a = get32(words, UInt8(CPU.Register.sp))
            let b = immediate32(op)
            let r = a &+ b
            flags.add(a, b, r)
            put32(words, UInt8(CPU.Register.sp), r)
            if observed && UInt64(r) < lowest { lowest = UInt64(r) }
          case .subSPI:
            let a = get32(words, UInt8(CPU.Register.sp))
            let b = immediate32(op)
            let r = a &- b
            flags.subtract(a, b, r)
            put32(words, UInt8(CPU.Register.sp), r)
            if observed && UInt64(r) < lowest { lowest = UInt64(r) }
          case .incR:
            let a = get32(words, op.pointee.reg)
            flags.increment(a, a &+ 1)
            put32(words, op.pointee.reg, a &+ 1)
          case .decR:
            let a = get32(words, op.pointee.reg)
            flags.decrement(a, a &- 1)
            put32(words, op.pointee.reg, a &- 1)
          case .incM:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            end32(cpu, at, update, a &+ 1)
            flags.increment(a, a &+ 1)
          case .decM:
            let at = operandAddress(words, op, mask)
            guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
            let a = UInt32(truncatingIfNeeded: update.value)
            end32(cpu, at, update, a &- 1)
            flags.decrement(a, a &- 1)
          case .negR:
            let a = get32(words, op.pointee.reg)
            let r = 0 &- a
            flags.subtract(0, a, r)
            put32(words, op.pointee.reg, r)
          case .notR:
            put32(words, op.pointee.reg, ~get32(words, op.pointee.reg))
          case .shlRI:
            let a = get32(words, op.pointee.reg)
            let n = immediate32(op)
            let r = a &<< n
            let c = (a &>> (32 &- n)) & 1
            flags.setResult(r)
            flags.setCarryOverflow(c, c ^ r &>> 31)
            put32(words, op.pointee.reg, r)
          case .shrRI:
            let a = get32(words, op.pointee.reg)
            let n = immediate32(op)
            let r = a &>> n
            flags.setResult(r)
            flags.setCarryOverflow((a &>> (n &- 1)) & 1, (a &>> (n &- 1)) &>> 31)
            put32(words, op.pointee.reg, r)
          case .sarRI:
            let a = get32(words, op.pointee.reg)
            let n = immediate32(op)
            let wide = Int32(bitPattern: a)
            let r = UInt32(bitPattern: wide &>> Int32(bitPattern: n))
            flags.setResult(r)
            flags.setCarryOverflow(UInt32(bitPattern: wide &>> Int32(bitPattern: n &- 1)) & 1, 0)
            put32(words, op.pointee.reg, r)
          case .shlRC:
            let a = get32(words, op.pointee.reg)
            let n = get32(words, UInt8(CPU.Register.cx)) & 31
            if n == 0 { break }
            let r = a &<< n
            let c = (a &>> (32 &- n)) & 1
            flags.setResult(r)
            flags.setCarryOverflow(c, c ^ r &>> 31)
            put32(words, op.pointee.reg, r)
          case .shrRC:
            let a = get32(words, op.pointee.reg)
            let n = get32(words, UInt8(CPU.Register.cx)) & 31
            if n == 0 { break }
            let r = a &>> n
            flags.setResult(r)
            flags.setCarryOverflow((a &>> (n &- 1)) & 1, (a &>> (n &- 1)) &>> 31)
            put32(words, op.pointee.reg, r)
          case .sarRC:
            let a = get32(words, op.pointee.reg)
            let n = get32(words, UInt8(CPU.Register.cx)) & 31
            if n == 0 { break }
            let wide = Int32(bitPattern: a)
            let r = UInt32(bitPattern: wide &>> Int32(bitPattern: n))
            flags.setResult(r)
            flags.setCarryOverflow(UInt32(bitPattern: wide &>> Int32(bitPattern: n &- 1)) & 1, 0)
            put32(words, op.pointee.reg, r)
          case .rolRI:
            let a = get32(words, op.pointee.reg)
            let n = immediate32(op)
            let r = a &<< n | a &>> (32 &- n)
            flags.carries =
              flags.carries & 8 | (r & 1) &<< 31 | (r & 1 ^ (r & 1 ^ r &>> 31)) &<< 30
            put32(words, op.pointee.reg, r)
          case .rorRI:
            let a = get32(words, op.pointee.reg)
            let n = immediate32(op)
            let r = a &>> n | a &<< (32 &- n)
            let c = r &>> 31
            flags.carries = flags.carries & 8 | c &<< 31 | (c ^ (c ^ (r &>> 30) & 1)) &<< 30
            put32(words, op.pointee.reg, r)
          case .imulRR:
            let a = Int32(bitPattern: get32(words, op.pointee.reg))
            let product = a.multipliedReportingOverflow(
              by: Int32(bitPattern: get32(words, op.pointee.rm)))
            let o: UInt32 = product.overflow ? 1 : 0
            flags.carries = flags.carries & 8 | o &<< 31
            put32(words, op.pointee.reg, UInt32(bitPattern: product.partialValue))
          case .imulRM:
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = Int32(bitPattern: get32(words, op.pointee.reg))
            let product = a.multipliedReportingOverflow(by: Int32(bitPattern: value))
            let o: UInt32 = product.overflow ? 1 : 0
            flags.carries = flags.carries & 8 | o &<< 31
            put32(words, op.pointee.reg, UInt32(bitPattern: product.partialValue))
          case .imulRRI:
            let a = Int32(bitPattern: get32(words, op.pointee.rm))
            let product = a.multipliedReportingOverflow(by: Int32(bitPattern: immediate32(op)))
            let o: UInt32 = product.overflow ? 1 : 0
            flags.carries = flags.carries & 8 | o &<< 31
            put32(words, op.pointee.reg, UInt32(bitPattern: product.partialValue))
          case .imulRMI:
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let a = Int32(bitPattern: value)
            let product = a.multipliedReportingOverflow(by: Int32(bitPattern: immediate32(op)))
            let o: UInt32 = product.overflow ? 1 : 0
            flags.carries = flags.carries & 8 | o &<< 31
            put32(words, op.pointee.reg, UInt32(bitPattern: product.partialValue))
          case .cdq:
            let a = Int32(bitPattern: get32(words, UInt8(CPU.Register.ax)))
            put32(words, UInt8(CPU.Register.dx), UInt32(bitPattern: a &>> 31))
          case .xchgRR:
            let a = get32(words, op.pointee.reg)
            put32(words, op.pointee.reg, get32(words, op.pointee.rm))
            put32(words, op.pointee.rm, a)
          case .pushR:
            let sp = get32(words, UInt8(CPU.Register.sp)) &- 4
            if !write(
              observed: observed, cpu, tlb, UInt64(sp), get32(words, op.pointee.reg), stack)
            {
              break fast
            }
            put32(words, UInt8(CPU.Register.sp), sp)
            if observed && UInt64(sp) < lowest { lowest = UInt64(sp) }
          case .pushI:
            let sp = get32(words, UInt8(CPU.Register.sp)) &- 4
            if !write(observed: observed, cpu, tlb, UInt64(sp), immediate32(op), stack) {
              break fast
            }
            put32(words, UInt8(CPU.Register.sp), sp)
            if observed && UInt64(sp) < lowest { lowest = UInt64(sp) }
          case .pushM:
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let sp = get32(words, UInt8(CPU.Register.sp)) &- 4
            if !write(observed: observed, cpu, tlb, UInt64(sp), value, stack) { break fast }
            put32(words, UInt8(CPU.Register.sp), sp)
            if observed && UInt64(sp) < lowest { lowest = UInt64(sp) }
          case .popR:
            let sp = get32(words, UInt8(CPU.Register.sp))
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, UInt64(sp), stack)
            else { break fast }
            put32(words, UInt8(CPU.Register.sp), sp &+ 4)
            put32(words, op.pointee.reg, value)
          case .leave:
            let frame = get32(words, UInt8(CPU.Register.bp))
            if observed && Machine.isFar(UInt64(frame), words[CPU.Register.sp]) { break fast }
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, UInt64(frame), stack)
            else { break fast }
            put32(words, UInt8(CPU.Register.sp), frame &+ 4)
            put32(words, UInt8(CPU.Register.bp), value)
            if observed && UInt64(frame &+ 4) < lowest { lowest = UInt64(frame &+ 4) }
          case .jmp:
            break branch
          case .jmpR:
            rip = UInt64(get32(words, op.pointee.reg))
            op = pool + near(rip, core)
            budget &-= 1
            continue run
          case .jmpM:
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            rip = UInt64(value)
            op = pool + near(rip, core)
            budget &-= 1
            continue run
          case .call:
            let sp = get32(words, UInt8(CPU.Register.sp)) &- 4
            if !write(
              observed: observed, cpu, tlb, UInt64(sp),
              UInt32(truncatingIfNeeded: rip &+ UInt64(op.pointee.length)), stack)
            {
              break fast
            }
            put32(words, UInt8(CPU.Register.sp), sp)
            if observed && UInt64(sp) < lowest { lowest = UInt64(sp) }
            break branch
          case .callR:
            let target = get32(words, op.pointee.reg)
            let sp = get32(words, UInt8(CPU.Register.sp)) &- 4
            if !write(
              observed: observed, cpu, tlb, UInt64(sp),
              UInt32(truncatingIfNeeded: rip &+ UInt64(op.pointee.length)), stack)
            {
              break fast
            }
            put32(words, UInt8(CPU.Register.sp), sp)
            if observed && UInt64(sp) < lowest { lowest = UInt64(sp) }
            rip = UInt64(target)
            op = pool + near(rip, core)
            budget &-= 1
            continue run
          case .callM:
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            let sp = get32(words, UInt8(CPU.Register.sp)) &- 4
            if !write(
              observed: observed, cpu, tlb, UInt64(sp),
              UInt32(truncatingIfNeeded: rip &+ UInt64(op.pointee.length)), stack)
            {
              break fast
            }
            put32(words, UInt8(CPU.Register.sp), sp)
            if observed && UInt64(sp) < lowest { lowest = UInt64(sp) }
            rip = UInt64(value)
            op = pool + near(rip, core)
            budget &-= 1
            continue run
          case .ret:
            let sp = get32(words, UInt8(CPU.Register.sp))
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, UInt64(sp), stack)
            else { break fast }
            put32(words, UInt8(CPU.Register.sp), sp &+ 4)
            rip = UInt64(value)
            op = pool + near(rip, core)
            budget &-= 1
            continue run
          case .retI:
            let sp = get32(words, UInt8(CPU.Register.sp))
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, UInt64(sp), stack)
            else { break fast }
            put32(words, UInt8(CPU.Register.sp), sp &+ 4 &+ immediate32(op) & 0xFFFF)
            rip = UInt64(value)
            op = pool + near(rip, core)
            budget &-= 1
            continue run
          case .jo:
            if flags.of { break branch }
          case .jno:
            if !flags.of { break branch }
          case .jb:
            if flags.cf { break branch }
          case .jnb:
            if !flags.cf { break branch }
          case .jz:
            if flags.zf { break branch }
          case .jnz:
            if !flags.zf { break branch }
          case .jbe:
            if flags.cf || flags.zf { break branch }
          case .jnbe:
            if !flags.cf && !flags.zf { break branch }
          case .js:
            if flags.sf { break branch }
          case .jns:
            if !flags.sf { break branch }
          case .jp:
            if flags.pf { break branch }
          case .jnp:
            if !flags.pf { break branch }
          case .jl:
            if flags.sf != flags.of { break branch }
          case .jnl:
            if flags.sf == flags.of { break branch }
          case .jle:
            if flags.zf || flags.sf != flags.of { break branch }
          case .jnle:
            if !flags.zf && flags.sf == flags.of { break branch }
          case .setR:
            put8(words, op.pointee.rm, flags.holds(op.pointee.extra) ? 1 : 0)
          case .cmovRR:
            if flags.holds(op.pointee.extra) {
              put32(words, op.pointee.reg, get32(words, op.pointee.rm))
            }
          case .cmovRM:
            guard
              let value = read(
                UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                explicit)
            else { break fast }
            if flags.holds(op.pointee.extra) { put32(words, op.pointee.reg, value) }
          default:
            // Compiled out of the loop for 32-bit code.
            if !wide { break fast }
            switch op.pointee.code {
            case .movQRR:
              words[Int(op.pointee.reg)] = words[Int(op.pointee.rm)]
            case .movQRI:
              words[Int(op.pointee.reg)] = op.pointee.imm
            case .movQRM:
              guard
                let value = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              words[Int(op.pointee.reg)] = value
            case .movQMR:
              if !write(
                observed: observed, cpu, tlb, operandAddress(words, op, mask),
                words[Int(op.pointee.reg)], explicit)
              {
                break fast
              }
            case .movQMI:
              if !write(
                observed: observed, cpu, tlb, operandAddress(words, op, mask), op.pointee.imm,
                explicit)
              {
                break fast
              }
            case .movsxdR:
              words[Int(op.pointee.reg)] = signExtended(get32(words, op.pointee.rm))
            case .movsxdM:
              guard
                let value = read(
                  UInt32.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              words[Int(op.pointee.reg)] = signExtended(value)
            case .addQRR:
              let b = words[Int(op.pointee.rm)]
              let a = words[Int(op.pointee.reg)]
              let r = a &+ b
              flags.add(a, b, r)
              words[Int(op.pointee.reg)] = r
            case .addQRI:
              let b = op.pointee.imm
              let a = words[Int(op.pointee.reg)]
              let r = a &+ b
              flags.add(a, b, r)
              words[Int(op.pointee.reg)] = r
            case .addQRM:
              guard
                let b = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              let a = words[Int(op.pointee.reg)]
              let r = a &+ b
              flags.add(a, b, r)
              words[Int(op.pointee.reg)] = r
            case .subQRR:
              let b = words[Int(op.pointee.rm)]
              let a = words[Int(op.pointee.reg)]
              let r = a &- b
              flags.subtract(a, b, r)
              words[Int(op.pointee.reg)] = r
            case .subQRI:
              let b = op.pointee.imm
              let a = words[Int(op.pointee.reg)]
              let r = a &- b
              flags.subtract(a, b, r)
              words[Int(op.pointee.reg)] = r
            case .subQRM:
              guard
                let b = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              let a = words[Int(op.pointee.reg)]
              let r = a &- b
              flags.subtract(a, b, r)
              words[Int(op.pointee.reg)] = r
            case .andQRR:
              let b = words[Int(op.pointee.rm)]
              let a = words[Int(op.pointee.reg)]
              let r = a & b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .andQRI:
              let b = op.pointee.imm
              let a = words[Int(op.pointee.reg)]
              let r = a & b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .andQRM:
              guard
                let b = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              let a = words[Int(op.pointee.reg)]
              let r = a & b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .orQRR:
              let b = words[Int(op.pointee.rm)]
              let a = words[Int(op.pointee.reg)]
              let r = a | b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .orQRI:
              let b = op.pointee.imm
              let a = words[Int(op.pointee.reg)]
              let r = a | b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .orQRM:
              guard
                let b = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              let a = words[Int(op.pointee.reg)]
              let r = a | b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .xorQRR:
              let b = words[Int(op.pointee.rm)]
              let a = words[Int(op.pointee.reg)]
              let r = a ^ b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .xorQRI:
              let b = op.pointee.imm
              let a = words[Int(op.pointee.reg)]
              let r = a ^ b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .xorQRM:
              guard
                let b = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              let a = words[Int(op.pointee.reg)]
              let r = a ^ b
              flags.logic(r)
              words[Int(op.pointee.reg)] = r
            case .cmpQRR:
              let a = words[Int(op.pointee.reg)]
              let b = words[Int(op.pointee.rm)]
              flags.subtract(a, b, a &- b)
            case .cmpQRI:
              let a = words[Int(op.pointee.reg)]
              let b = op.pointee.imm
              flags.subtract(a, b, a &- b)
            case .cmpQRM:
              guard
                let b = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              let a = words[Int(op.pointee.reg)]
              flags.subtract(a, b, a &- b)
            case .cmpQMR:
              guard
                let a = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              let b = words[Int(op.pointee.reg)]
              flags.subtract(a, b, a &- b)
            case .cmpQMI:
              guard
                let a = read(
                  UInt64.self, observed: observed, cpu, tlb, operandAddress(words, op, mask),
                  explicit)
              else { break fast }
              let b = op.pointee.imm
              flags.subtract(a, b, a &- b)
            case .testQRR:
              flags.logic(words[Int(op.pointee.reg)] & words[Int(op.pointee.rm)])
            case .testQRI:
              flags.logic(words[Int(op.pointee.reg)] & op.pointee.imm)
            case .addQSPI:
              let a = words[CPU.Register.sp]
              let b = op.pointee.imm
              let r = a &+ b
              flags.add(a, b, r)
              words[CPU.Register.sp] = r
              if observed && r < lowest { lowest = r }
            case .subQSPI:
              let a = words[CPU.Register.sp]
              let b = op.pointee.imm
              let r = a &- b
              flags.subtract(a, b, r)
              words[CPU.Register.sp] = r
              if observed && r < lowest { lowest = r }
            case .incQR:
              let a = words[Int(op.pointee.reg)]
              flags.increment(a, a &+ 1)
              words[Int(op.pointee.reg)] = a &+ 1
            case .decQR:
              let a = words[Int(op.pointee.reg)]
              flags.decrement(a, a &- 1)
              words[Int(op.pointee.reg)] = a &- 1
            case .shlQRI:
              let a = words[Int(op.pointee.reg)]
              let n = op.pointee.imm
              let r = a &<< n
              let c = UInt32(truncatingIfNeeded: a &>> (64 &- n)) & 1
              flags.setResult(r)
              flags.setCarryOverflow(c, c ^ UInt32(truncatingIfNeeded: r &>> 63))
              words[Int(op.pointee.reg)] = r
            case .shrQRI:
              let a = words[Int(op.pointee.reg)]
              let n = op.pointee.imm
              let last = a &>> (n &- 1)
              flags.setResult(a &>> n)
              flags.setCarryOverflow(
                UInt32(truncatingIfNeeded: last) & 1, UInt32(truncatingIfNeeded: last &>> 63))
              words[Int(op.pointee.reg)] = a &>> n
            case .sarQRI:
              let a = Int64(bitPattern: words[Int(op.pointee.reg)])
              let n = Int64(bitPattern: op.pointee.imm)
              let r = UInt64(bitPattern: a &>> n)
              flags.setResult(r)
              flags.setCarryOverflow(UInt32(truncatingIfNeeded: a &>> (n &- 1)) & 1, 0)
              words[Int(op.pointee.reg)] = r
            case .imulQRR:
              let product = Int64(bitPattern: words[Int(op.pointee.reg)])
                .multipliedReportingOverflow(
                  by: Int64(bitPattern: words[Int(op.pointee.rm)]))
              let o: UInt32 = product.overflow ? 1 : 0
              flags.carries = flags.carries & 8 | o &<< 31
              words[Int(op.pointee.reg)] = UInt64(bitPattern: product.partialValue)
            case .imulQRRI:
              let product = Int64(bitPattern: words[Int(op.pointee.rm)])
                .multipliedReportingOverflow(
                  by: Int64(bitPattern: op.pointee.imm))
              let o: UInt32 = product.overflow ? 1 : 0
              flags.carries = flags.carries & 8 | o &<< 31
              words[Int(op.pointee.reg)] = UInt64(bitPattern: product.partialValue)
            case .cmovQRR:
              if flags.holds(op.pointee.extra) {
                words[Int(op.pointee.reg)] = words[Int(op.pointee.rm)]
              }
            case .pushQR:
              let sp = words[CPU.Register.sp] &- 8
              if !write(observed: observed, cpu, tlb, sp, words[Int(op.pointee.reg)], stack) {
                break fast
              }
              words[CPU.Register.sp] = sp
              if observed && sp < lowest { lowest = sp }
            case .pushQI:
              let sp = words[CPU.Register.sp] &- 8
              if !write(observed: observed, cpu, tlb, sp, op.pointee.imm, stack) { break fast }
              words[CPU.Register.sp] = sp
              if observed && sp < lowest { lowest = sp }
            case .popQR:
              let sp = words[CPU.Register.sp]
              guard let value = read(UInt64.self, observed: observed, cpu, tlb, sp, stack) else {
                break fast
              }
              words[CPU.Register.sp] = sp &+ 8
              words[Int(op.pointee.reg)] = value
            case .leaveQ:
              let sp = words[CPU.Register.bp]
              if observed && Machine.isFar(sp, words[CPU.Register.sp]) { break fast }
              guard let value = read(UInt64.self, observed: observed, cpu, tlb, sp, stack) else {
                break fast
              }
              words[CPU.Register.sp] = sp &+ 8
              words[CPU.Register.bp] = value
              if observed && sp &+ 8 < lowest { lowest = sp &+ 8 }
            case .callQ:
              let next = rip &+ UInt64(op.pointee.length)
              if !Machine.isCanonical(next &+ op.pointee.imm) {
                raise(Vector.generalProtection)
                break fast
              }
              let sp = words[CPU.Register.sp] &- 8
              if !write(observed: observed, cpu, tlb, sp, next, stack) { break fast }
              words[CPU.Register.sp] = sp
              if observed && sp < lowest { lowest = sp }
              break branch
            case .callQR:
              let target = words[Int(op.pointee.reg)]
              if !Machine.isCanonical(target) {
                raise(Vector.generalProtection)
                break fast
              }
              let sp = words[CPU.Register.sp] &- 8
              let next = rip &+ UInt64(op.pointee.length)
              if !write(observed: observed, cpu, tlb, sp, next, stack) { break fast }
              words[CPU.Register.sp] = sp
              if observed && sp < lowest { lowest = sp }
              rip = target
              op = pool + near(rip, core)
              budget &-= 1
              continue run
            case .retQ:
              let sp = words[CPU.Register.sp]
              guard let value = read(UInt64.self, observed: observed, cpu, tlb, sp, stack) else {
                break fast
              }
              if !Machine.isCanonical(value) {
                raise(Vector.generalProtection)
                break fast
              }
              words[CPU.Register.sp] = sp &+ 8
              rip = value
              op = pool + near(rip, core)
              budget &-= 1
              continue run
            case .jmpQR:
              let target = words[Int(op.pointee.reg)]
              if !Machine.isCanonical(target) {
                raise(Vector.generalProtection)
                break fast
              }
              rip = target
              op = pool + near(rip, core)
              budget &-= 1
              continue run
            default: break fast
            }
          }

          rip &+= UInt64(op.pointee.length)
          op += 1
          budget &-= 1
          continue run
        }
        // A relative branch is taken.
        let from = rip
        rip = (rip &+ UInt64(op.pointee.length) &+ op.pointee.imm) & mask
        if op.pointee.extra != 0 {
          op = pool + Int(op.pointee.extra)
        } else {
          if wide && !Machine.isCanonical(rip) {
            rip = from
            raise(Vector.generalProtection)
            break fast
          }
          // Within a page the place of the target is remembered in the branch.
          linkFrom = op
          op = pool + Int((from ^ rip) < 4096 ? DecodeCache.linkIndex : DecodeCache.lookupIndex)
        }
        budget &-= 1
        continue run
      }

      // A family, or a fault: with the block complete.
      words[CPU.Word.rip] = rip
      words[CPU.Word.rflags] = flags.register(words[CPU.Word.rflags])
      if observed { observation.lowestSP = lowest }
      switch slowStep(cpu, op, &budget, &slice) {
      case .next:
        rip &+= UInt64(op.pointee.length)
        op += 1
      case .jumped:
        rip = words[CPU.Word.rip]
        op = pool + Int(DecodeCache.lookupIndex)
      case .boundary:
        rip = words[CPU.Word.rip]
        flags = LazyFlags(words[CPU.Word.rflags])
        break run
      case .stop(let reason):
        rip = words[CPU.Word.rip]
        flags = LazyFlags(words[CPU.Word.rflags])
        stop = reason
        break run
      }
      flags = LazyFlags(words[CPU.Word.rflags])
      if observed { lowest = observation.lowestSP }
    }

    words[CPU.Word.rip] = rip & mask
    words[CPU.Word.rflags] = flags.register(words[CPU.Word.rflags])
    if observed && lowest < observation.lowestSP { observation.lowestSP = lowest }
    slice.executed = slice.length - budget
    if let stop {
      instructions &+= UInt64(slice.executed)
      cores[cpu].passing = false
      if slice.shadowed && slice.executed > 0 { words[CPU.Word.shadow] = 0 }
      return stop
    }
    return nil
  }
}
