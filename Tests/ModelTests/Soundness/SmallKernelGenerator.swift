/// Random small kernels.
///
/// A third of them are right: every variable has a lock, locks have an order and save the interrupt
/// flag. A third are right but for one mistake. The rest do whatever comes: see `Feature`.
extension SmallKernel {
  init(seed: UInt64) {
    var r = SplitMix(state: seed &* 0xD134_2543_DE82_EF95)
    let cpus = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3][r.below(12)]
    switch r.below(3) {
    case 0: self.init(right: &r, cpus: cpus)
    case 1:
      self.init(right: &r, cpus: cpus)
      seedMistake(&r)
    default:
      if cpus > 1 {
        self.init(severalCPUs: &r, count: cpus)
      } else {
        let features = Feature.allCases
        let chosen = Set((0..<r.below(4)).map { _ in r.oneOf(features) })
        self.init(seed: r.next(), features: chosen)
      }
    }
  }

  // MARK: Right ones

  /// Variable v belongs to lock v mod 2. Lock 0 is taken before lock 1.
  private init(right r: inout SplitMix, cpus: Int) {
    self.init(mains: [])
    style = "right"
    // What every context agrees on.
    let kinds: [LockKind] = (0..<2).map { _ in
      let kind = r.oneOf(cpus == 1 ? [LockKind.value, .value, .field, .count] : [.value, .field])
      return kind
    }
    // A count of all locks, or of none: the last release of one kind must not end the other's section.
    let kind: (Int) -> LockKind = kinds.contains(.count) ? { _ in .count } : { kinds[$0] }
    func inside(_ l: Int, _ r: inout SplitMix) -> Operation {
      let v = l + 2 * r.below(2)
      return r.oneOf([.tornToggle(v), .toggle(v, 1 + r.below(2)), .set(v), .pushPop])
    }
    func section(_ depth: Int, _ r: inout SplitMix) -> Operation {
      let l = r.below(2)
      var body = (0..<1 + r.below(cpus == 1 ? 2 : 1)).map { _ in inside(l, &r) }
      if l == 0 && depth > 0 && r.below(2) == 0 {
        body.append(.locked(kind(1), 1, [inside(1, &r)], restore: true))
      }
      return .locked(kind(l), l, body, restore: true)
    }
    func outside(_ r: inout SplitMix) -> Operation {
      cpus == 1 ? r.oneOf([.registers(2), .pushPop]) : .registers(1)
    }
    func program(_ sections: Int, _ r: inout SplitMix) -> [Operation] {
      var body: [Operation] = r.below(3) > 0 ? [.interruptsOn] : []
      for _ in 0..<sections {
        if r.below(3) == 0 { body.append(outside(&r)) }
        body.append(section(cpus == 1 ? 1 : 0, &r))
      }
      return body
    }
    for _ in 0..<cpus { mains.append(program(cpus == 1 && r.below(3) == 0 ? 2 : 1, &r)) }
    let lines = cpus == 1 ? 1 + r.below(2) : r.below(cpus == 2 ? 2 : 1)
    for i in 0..<lines {
      var body = [section(0, &r)]
      // Lets the other line in: after its own end of interrupt, with the flags that it found restored
      // by IRET.
      if lines == 2 && i == 1 && r.below(2) == 0 {
        body.insert(.interruptsOn, at: 0)
      }
      handlers.append(body)
      arrivals.append(lines == 1 && cpus == 1 ? 1 + r.below(2) : 1)
    }
    if cpus == 1 && r.below(4) == 0 {
      second = program(1, &r)
      arrivals[0] = 1 + r.below(2)
    }
    // Whatever IF is: a variable of its own.
    if (cpus == 1 || lines == 0 && cpus == 2) && r.below(4) == 0 {
      nmi = [.lockedToggle(5, 1)]
      nmiCPU = r.below(cpus)
    }
    if cpus == 2 && lines == 0 && nmi == nil && r.below(2) == 0 {
      messages = [[section(0, &r)]]
      if r.below(2) == 0 {
        timerCPU = r.below(2)
      } else {
        mains[0].insert(.send(to: 1, message: 0), at: 0)
      }
    }
  }

  /// One of the mistakes that people make.
  private mutating func seedMistake(_ r: inout SplitMix) {
    style = "mistake"
    switch r.below(9) {
    case 0:  // interrupts come back on where they were off
      change(&r) { o, _ in
        guard case .locked(let k, let l, let b, _) = o else { return nil }
        return .locked(k, l, b, restore: false)
      }
    case 1:  // taken without turning interrupts off
      change(&r) { o, r in
        guard case .locked(_, let l, let b, _) = o else { return nil }
        return .locked(r.oneOf([.plain, .ticket, .unknown]), l, b, restore: true)
      }
    case 2:  // the lock forgotten
      change(&r) { o, _ in
        guard case .locked(_, _, let b, _) = o else { return nil }
        return b.first
      }
    case 3:  // the locks the other way round
      change(&r) { o, _ in
        guard case .locked(let k, let l, let b, let restore) = o else { return nil }
        return .locked(k, 1 - l, [.locked(k, l, b, restore: restore)], restore: restore)
      }
    case 4:  // interrupts on within
      change(&r) { o, _ in
        guard case .locked(let k, let l, let b, let restore) = o else { return nil }
        return .locked(k, l, [.interruptsOn] + b, restore: restore)
      }
    case 5:  // taken once more by who holds it
      change(&r) { o, _ in
        guard case .locked(let k, let l, let b, let restore) = o else { return nil }
        return .locked(k, l, [.locked(k, l, b, restore: restore)], restore: restore)
      }
    case 6:  // never given back
      if mains[0].isEmpty {
        mains[0] = [.kept(.plain, 0)]
      } else {
        mains[0][mains[0].count - 1] = .kept(r.oneOf([.plain, .field]), r.below(2))
      }
    case 7:  // the NMI's handler takes a lock
      nmi = [.locked(r.oneOf([.plain, .value]), r.below(2), [.toggle(0, 1)], restore: true)]
      nmiCPU = r.below(mains.count)
    default:
      if handlers.isEmpty {
        mains[mains.count - 1].append(.tornToggle(0))
      } else {
        handlers[0].append(.endOfInterrupt)
      }
    }
  }

  /// Changes one of the operations, in some body, for which `make` returns something.
  private mutating func change(
    _ r: inout SplitMix, _ make: (Operation, inout SplitMix) -> Operation?
  ) {
    var places: [(inout SmallKernel) -> Void] = []
    func visit(
      _ body: [Operation], _ put: @escaping (inout SmallKernel, [Operation]) -> Void,
      _ r: inout SplitMix
    ) {
      for (i, o) in body.enumerated() {
        if let other = make(o, &r) {
          places.append { kernel in
            var b = body
            b[i] = other
            put(&kernel, b)
          }
        }
        if let inner = o.body {
          visit(
            inner,
            { kernel, changed in
              var b = body
              b[i] = o.with(body: changed)
              put(&kernel, b)
            }, &r)
        }
      }
    }
    for i in mains.indices { visit(mains[i], { $0.mains[i] = $1 }, &r) }
    if let second { visit(second, { $0.second = $1 }, &r) }
    for i in handlers.indices { visit(handlers[i], { $0.handlers[i] = $1 }, &r) }
    for i in messages.indices { visit(messages[i], { $0.messages[i] = $1 }, &r) }
    guard !places.isEmpty else { return }
    places[r.below(places.count)](&self)
  }

  // MARK: Whatever comes

  init(severalCPUs r: inout SplitMix, count: Int) {
    self.init(mains: [])
    style = "several CPUs"
    let careful = r.below(3) > 0
    let sends = r.below(3) == 0
    func operation(_ depth: Int, _ cpu: Int, _ r: inout SplitMix) -> Operation {
      switch r.below(depth > 0 ? 14 : 9) {
      case 0: return careful ? .lockedToggle(r.below(3), 1 + r.below(2)) : .toggle(r.below(3), 1)
      case 1: return .exchange(r.below(3))
      case 2: return .registers(1 + r.below(2))
      case 3: return careful ? .pushPop : .copy(from: r.below(3), to: r.below(3))
      case 4: return r.below(2) == 0 ? .interruptsOn : .interruptsOff
      case 5:
        return sends && count == 2 && cpu >= 0
          ? .send(to: 1 - cpu, message: 0) : .lockedToggle(r.below(3), 1)
      case 6: return .lockedToggle(r.below(3), 2)
      case 7: return .pushPop
      case 8:
        return cpu >= 0 && r.below(3) == 0
          ? .wait(r.below(2), right: r.below(3) > 0) : r.below(2) == 0 ? .set(r.below(2)) : .pushPop
      default:
        return .locked(
          r.oneOf([.value, .value, .value, .plain, .field, .attempt, .ticket, .unknown]),
          r.below(2),
          (0..<1 + r.below(2)).map { _ in
            depth > 1 && r.below(3) == 0
              ? operation(depth - 1, cpu, &r)
              : careful ? .tornToggle(3) : .toggle(r.below(4), 1)
          }, restore: r.below(8) > 0)
      }
    }
    for cpu in 0..<count {
      let operations = 1 + r.below(count == 2 ? 2 : 1)
      mains.append((0..<operations).map { _ in operation(count == 2 ? 2 : 1, cpu, &r) })
    }
    if r.below(3) == 0 {
      handlers = [[operation(0, -1, &r)]]
      arrivals = [1]
    }
    if sends || r.below(6) == 0 {
      messages = [[operation(1, -1, &r)]]
      if !sends { timerCPU = r.below(count) }
    }
    if count == 2 && r.below(6) == 0 {
      nmi = [operation(0, -1, &r)]
      nmiCPU = r.below(2)
    }
  }

  init(seed: UInt64, features: Set<Feature>) {
    self.init(mains: [])
    style = features.isEmpty ? "plain" : "wild"
    var r = SplitMix(state: seed &* 0x1234_5678_9ABC_DEF1)
    func has(_ f: Feature) -> Bool { features.contains(f) }
    enum Place { case main, handler, inner }
    func kind(_ r: inout SplitMix) -> LockKind {
      has(.lockKinds) ? r.oneOf(LockKind.allCases) : .value
    }
    func base(_ place: Place, depth: Int, _ r: inout SplitMix) -> Operation {
      func simple(_ r: inout SplitMix) -> Operation {
        switch r.below(7) {
        case 0, 1: return .toggle(r.below(4), 1 + r.below(2))
        case 2: return .copy(from: r.below(4), to: r.below(4))
        case 3: return .tornToggle(r.below(4))
        case 4: return .registers(1 + r.below(3))
        case 5: return .pushPop
        default: return .toggle(r.below(4), 4)
        }
      }
      switch r.below(8) {
      case 0 where place == .main || features.isEmpty && r.below(3) == 0: return .interruptsOff
      case 1
      where place == .main || has(.nesting) && place == .handler
        || features.isEmpty && r.below(3) == 0:
        return .interruptsOn
      case 2 where depth > 0:
        return .locked(
          kind(&r), r.below(2),
          features.isEmpty && depth > 1 && r.below(2) == 0
            ? [simple(&r), base(.inner, depth: depth - 1, &r)] : [simple(&r)],
          restore: r.below(6) > 0)
      case 3 where depth > 0: return .ifZero(r.below(4), [simple(&r)])
      case 4 where depth > 0 && (has(.spinning) || features.isEmpty):
        return .locked(.unknown, r.below(2), [simple(&r)], restore: true)
      case 5 where depth > 0 && has(.lockKinds):
        return .locked(kind(&r), r.below(2), [simple(&r)], restore: r.below(6) > 0)
      default: return simple(&r)
      }
    }
    func some(_ place: Place, _ r: inout SplitMix) -> [Operation] {
      (0..<1 + r.below(2)).map { _ in base(.inner, depth: place == .inner ? 0 : 1, &r) }
    }
    func operations(_ count: Int, _ place: Place, depth: Int, _ r: inout SplitMix) -> [Operation] {
      (0..<count).map { _ in
        var choices: [Operation] = []
        let body = some(place, &r)
        if has(.nesting) && place == .handler { choices += [.endOfInterrupt, .interruptsOn] }
        if has(.masks) && place != .inner { choices += [.mask(r.below(4)), .mask(0)] }
        if has(.waiting) {
          if place == .main {
            choices += [.wait(r.below(2), right: true), .wait(r.below(2), right: false)]
          }
          choices.append(.set(r.below(2)))
        }
        if has(.spinning) && place == .main { choices += [.spin(r.below(2)), .set(r.below(2))] }
        if has(.narrow) {
          choices.append(.narrow(offset: r.below(14), size: 1 + r.below(2), 1 + r.below(3)))
          choices.append(.narrow(offset: r.below(4), size: 1, 1 + r.below(3)))
        }
        if has(.stackPointers) && place == .main && depth > 0 { choices.append(.publish(body)) }
        if has(.stackPointers) && place == .handler { choices += [.poke, .poke] }
        if has(.strings) {
          choices.append(.copyString(from: r.below(2), to: r.below(4), words: 1 + r.below(3)))
          choices.append(.fill(offset: r.below(8), count: 1 + r.below(5)))
        }
        if has(.gates) && place != .inner { choices.append(.gate) }
        if has(.exceptions) && place != .inner { choices += [.divide, .divide] }
        if has(.interruptStack) && place == .handler && depth > 0 {
          choices.append(.onOtherStack(body, byFramePointer: false))
        }
        if has(.framePointerStack) && place == .handler && depth > 0 {
          choices += [
            .onOtherStack(body, byFramePointer: true), .onOtherStack(body, byFramePointer: true),
          ]
        }
        if has(.requests) && place != .inner { choices.append(.readRequests(4 + r.below(2))) }
        if has(.descriptors) && place == .main && depth > 0 { choices.append(.redirect(body)) }
        if place == .main && (has(.seesRegisters) || has(.seesSavedRegisters) || has(.seesFrame)) {
          choices.append(.count(1 + r.below(3)))
        }
        if has(.seesRegisters) && place == .handler { choices.append(.storeRegister(6)) }
        if has(.seesSavedRegisters) && place == .handler { choices.append(.storeSavedRegister(6)) }
        if has(.seesFrame) && place == .handler { choices.append(.storeFrame(7)) }
        if choices.isEmpty || r.below(2) == 0 { return base(place, depth: depth, &r) }
        return choices[r.below(choices.count)]
      }
    }
    let depth = features.isEmpty ? 2 : 1
    mains = [[.interruptsOn] + operations(2 + r.below(4), .main, depth: depth, &r)]
    let count = has(.descriptors) || has(.nesting) ? 2 : 1 + r.below(2)
    handlers = (0..<count).map { _ in operations(1 + r.below(3), .handler, depth: 1, &r) }
    arrivals = (0..<count).map { _ in 1 + r.below(count == 1 ? 2 : 1) }
    if has(.nmi) {
      nmi = operations(1 + r.below(3), .inner, depth: 1, &r)
      if r.below(3) == 0 { arrivals[0] = 1 }
    }
    gate = operations(1 + r.below(2), .inner, depth: 1, &r)
    exception = operations(1 + r.below(2), .inner, depth: 1, &r)
    otherStackIsLow = r.below(2) == 0
    if has(.tasks) {
      second = [.interruptsOn] + operations(1 + r.below(3), .main, depth: 1, &r)
      arrivals[0] = 1 + r.below(2)
    }
  }
}
