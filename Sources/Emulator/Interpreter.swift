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
    return interpret(cpu, limit: limit, passFirst: false, observed: false)
  }

  @inline(never) private func runObserved(_ cpu: Int, limit: Int, passFirst: Bool) -> Stop {
    timerDeadline = .max
    return interpret(cpu, limit: limit, passFirst: passFirst, observed: true)
  }

  /// The loop, compiled once for each value of `observed`.
  ///
  /// The state that changes with every instruction is in locals: where the micro-op lies, `rip`,
  /// the lazy flags, the instructions left. The block of the CPU is completed before anything
  /// outside looks at it. An instruction that faults leaves the switch before it has changed
  /// anything.
  @inline(__always) private func interpret(
    _ cpu: Int, limit: Int, passFirst: Bool, observed: Bool
  ) -> Stop {
    let words = cores[cpu].words
    let pool = decodeCache.pool
    let explicit = AccessKind.explicit
    let stack = AccessKind.stack
    var slice = Slice(rest: limit, pass: observed && passFirst)
    agree(cpu)

    // Each turn is an instruction boundary where interrupts are looked at; the block is complete.
    while true {
      if let stop = boundary(cpu, &slice) { return stop }
      let core = cores + cpu
      let tlb = dataTLB(cpu)
      let mask = core.pointee.mask
      let stopMask = observed && !slice.pass ? observation.stopBefore : 0
      var lowest = observed ? observation.lowestSP : 0
      var budget = slice.length
      var flags = LazyFlags(words[CPU.Word.rflags])
      var rip = words[CPU.Word.rip]
      var op = pool + Int(DecodeCache.lookupIndex)
      var linkFrom = op
      var stop: Stop?

      run: while budget > 0 {
        if observed {
          words[CPU.Word.rip] = rip
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              put32(words, op.pointee.reg, value)
            case .movMR:
              if !write(
                observed: observed, cpu, tlb, address32(words, op), get32(words, op.pointee.reg),
                explicit)
              {
                break fast
              }
            case .movMI:
              if !write(
                observed: observed, cpu, tlb, address32(words, op), immediate32(op), explicit)
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
                  UInt8.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              put8(words, op.pointee.reg, value)
            case .movMR8:
              if !write(
                observed: observed, cpu, tlb, address32(words, op), get8(words, op.pointee.reg),
                explicit)
              {
                break fast
              }
            case .movMI8:
              if !write(
                observed: observed, cpu, tlb, address32(words, op),
                UInt8(truncatingIfNeeded: op.pointee.imm), explicit)
              {
                break fast
              }
            case .movMR16:
              if !write(
                observed: observed, cpu, tlb, address32(words, op), get16(words, op.pointee.reg),
                explicit)
              {
                break fast
              }
            case .movMI16:
              if !write(
                observed: observed, cpu, tlb, address32(words, op),
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
                  UInt8.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              put32(words, op.pointee.reg, UInt32(value))
            case .movzxM16:
              guard
                let value = read(
                  UInt16.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt8.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              put32(words, op.pointee.reg, UInt32(bitPattern: Int32(Int8(bitPattern: value))))
            case .movsxM16:
              guard
                let value = read(
                  UInt16.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              put32(words, op.pointee.reg, UInt32(bitPattern: Int32(Int16(bitPattern: value))))
            case .lea:
              words[Int(op.pointee.reg)] = address32(words, op)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let a = get32(words, op.pointee.reg)
              let r = a &+ b
              flags.add(a, b, r)
              put32(words, op.pointee.reg, r)
            case .addMR:
              let at = address32(words, op)
              guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
              let a = UInt32(truncatingIfNeeded: update.value)
              let b = get32(words, op.pointee.reg)
              let r = a &+ b
              end32(cpu, at, update, r)
              flags.add(a, b, r)
            case .addMI:
              let at = address32(words, op)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let a = get32(words, op.pointee.reg)
              let r = a &- b
              flags.subtract(a, b, r)
              put32(words, op.pointee.reg, r)
            case .subMR:
              let at = address32(words, op)
              guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
              let a = UInt32(truncatingIfNeeded: update.value)
              let b = get32(words, op.pointee.reg)
              let r = a &- b
              end32(cpu, at, update, r)
              flags.subtract(a, b, r)
            case .subMI:
              let at = address32(words, op)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let a = get32(words, op.pointee.reg)
              let r = a &- b
              flags.subtract(a, b, r)
            case .cmpMR:
              guard
                let a = read(
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let b = get32(words, op.pointee.reg)
              let r = a &- b
              flags.subtract(a, b, r)
            case .cmpMI:
              guard
                let a = read(
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let a = get32(words, op.pointee.reg)
              let r = a & b
              flags.logic(r)
              put32(words, op.pointee.reg, r)
            case .andMR:
              let at = address32(words, op)
              guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
              let a = UInt32(truncatingIfNeeded: update.value)
              let b = get32(words, op.pointee.reg)
              let r = a & b
              end32(cpu, at, update, r)
              flags.logic(r)
            case .andMI:
              let at = address32(words, op)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let a = get32(words, op.pointee.reg)
              let r = a | b
              flags.logic(r)
              put32(words, op.pointee.reg, r)
            case .orMR:
              let at = address32(words, op)
              guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
              let a = UInt32(truncatingIfNeeded: update.value)
              let b = get32(words, op.pointee.reg)
              let r = a | b
              end32(cpu, at, update, r)
              flags.logic(r)
            case .orMI:
              let at = address32(words, op)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let a = get32(words, op.pointee.reg)
              let r = a ^ b
              flags.logic(r)
              put32(words, op.pointee.reg, r)
            case .xorMR:
              let at = address32(words, op)
              guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
              let a = UInt32(truncatingIfNeeded: update.value)
              let b = get32(words, op.pointee.reg)
              let r = a ^ b
              end32(cpu, at, update, r)
              flags.logic(r)
            case .xorMI:
              let at = address32(words, op)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let b = get32(words, op.pointee.reg)
              let r = a & b
              flags.logic(r)
            case .testMI:
              guard
                let a = read(
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt8.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let a = get8(words, op.pointee.reg)
              flags.subtract8(a, b, a &- b)
            case .cmpMR8:
              guard
                let a = read(
                  UInt8.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let b = get8(words, op.pointee.reg)
              flags.subtract8(a, b, a &- b)
            case .cmpMI8:
              guard
                let a = read(
                  UInt8.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt8.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              let b = get8(words, op.pointee.reg)
              flags.logic8(a & b)
            case .testMI8:
              guard
                let a = read(
                  UInt8.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
              let at = address32(words, op)
              guard let update = begin32(observed: observed, cpu, tlb, at) else { break fast }
              let a = UInt32(truncatingIfNeeded: update.value)
              end32(cpu, at, update, a &+ 1)
              flags.increment(a, a &+ 1)
            case .decM:
              let at = address32(words, op)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
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
                  UInt32.self, observed: observed, cpu, tlb, address32(words, op), explicit)
              else { break fast }
              if flags.holds(op.pointee.extra) { put32(words, op.pointee.reg, value) }
            default: break fast
            }

            rip &+= UInt64(op.pointee.length)
            op += 1
            budget &-= 1
            continue run
          }
          // A relative branch is taken.
          let from = rip
          rip = (rip &+ UInt64(op.pointee.length) &+ op.pointee.imm) & 0xFFFF_FFFF
          budget &-= 1
          if op.pointee.extra != 0 {
            op = pool + Int(op.pointee.extra)
          } else {
            // Within a page the place of the target is remembered in the branch.
            linkFrom = op
            op = pool + Int((from ^ rip) < 4096 ? DecodeCache.linkIndex : DecodeCache.lookupIndex)
          }
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
    }
  }
}
