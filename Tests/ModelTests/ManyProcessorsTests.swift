import Emulator
import Foundation
import Testing

@testable import Model

/// Scenarios with several CPUs: reductions against the search without them on random small kernels,
/// rules on kernels that are right and on kernels that are not.
@Suite struct ManyProcessorsTests {
  /// A random kernel of two or three CPUs.
  struct Program: CustomStringConvertible {
    indirect enum Operation: CustomStringConvertible {
      case kernel(RandomKernel.Operation)
      /// XOR with a constant, with LOCK.
      case lockedToggle(Int, Int)
      /// XCHG of a variable with a register.
      case exchange(Int)
      /// An interprocessor interrupt to another CPU.
      case send(Int, message: Int)
      case locked(Int, [Operation])

      var description: String {
        switch self {
        case .kernel(let o): return o.description
        case .lockedToggle(let v, let k): return "lock v\(v) ^= \(k)"
        case .exchange(let v): return "xchg v\(v)"
        case .send(let cpu, let m): return "send \(m) to CPU \(cpu)"
        case .locked(let l, let body):
          return "lock\(l) { \(body.map(\.description).joined(separator: "; ")) }"
        }
      }
    }

    var mains: [[Operation]] = []
    var handler: [Operation]?
    var message: [Operation]?

    init(seed: UInt64) {
      var r = SplitMix(state: seed &* 0x9E37_79B9)
      let count = r.below(8) == 0 ? 3 : 2
      let careful = r.below(3) > 0
      let sends = r.below(3) == 0
      func operation(_ depth: Int, _ cpu: Int, _ r: inout SplitMix) -> Operation {
        switch r.below(depth > 0 ? 12 : 8) {
        case 0:
          return careful
            ? .lockedToggle(r.below(3), 1 + r.below(2)) : .kernel(.toggle(r.below(3), 1))
        case 1: return .exchange(r.below(3))
        case 2: return .kernel(.registers(1 + r.below(2)))
        case 3:
          return careful ? .kernel(.pushPop) : .kernel(.copy(from: r.below(3), to: r.below(3)))
        case 4: return r.below(2) == 0 ? .kernel(.interruptsOn) : .kernel(.interruptsOff)
        case 5:
          return sends && count == 2 && cpu >= 0
            ? .send(1 - cpu, message: 0) : .lockedToggle(r.below(3), 1)
        case 6: return .lockedToggle(r.below(3), 2)
        case 7: return .kernel(.pushPop)
        default:
          return .locked(
            r.below(2),
            (0..<1 + r.below(2)).map { _ in
              depth > 1 && r.below(3) == 0
                ? operation(depth - 1, cpu, &r)
                : careful ? .kernel(.tornToggle(3)) : .kernel(.toggle(r.below(4), 1))
            })
        }
      }
      for cpu in 0..<count {
        let operations = 1 + r.below(count == 2 ? 2 : 1)
        mains.append((0..<operations).map { _ in operation(count == 2 ? 2 : 1, cpu, &r) })
      }
      if r.below(3) == 0 { handler = [operation(0, -1, &r)] }
      if sends { message = [operation(1, -1, &r)] }
    }

    var description: String {
      var lines = mains.enumerated().map { i, body in
        "CPU \(i): " + body.map(\.description).joined(separator: "; ")
      }
      if let handler {
        lines.append("irq0: " + handler.map(\.description).joined(separator: "; "))
      }
      if let message {
        lines.append("message: " + message.map(\.description).joined(separator: "; "))
      }
      return lines.joined(separator: "\n")
    }

    static func emit(_ o: Operation, _ a: inout Assembler) {
      switch o {
      case .kernel(let o): RandomKernel.emit(o, &a)
      case .lockedToggle(let v, let k):
        a.bytes([0xF0, 0x83, 0x35])  // lock xor dword [v], k
        a.word(RandomKernel.variable(v))
        a.bytes([UInt8(k)])
      case .exchange(let v):
        a.bytes([0xB8, 5, 0, 0, 0, 0x87, 0x05])  // mov eax, 5; xchg [v], eax
        a.word(RandomKernel.variable(v))
      case .send(let cpu, let message):
        a.storeAPIC(0x310, UInt32(cpu) << 24)
        a.storeAPIC(0x300, 0x4050 + UInt32(message))
      case .locked(let l, let body):
        a.bytes([0x68])  // push lock
        a.word(RandomKernel.lock(l))
        a.call("spin_acquire")
        a.bytes([0x83, 0xC4, 4, 0x50])  // add esp, 4; push eax
        for b in body { emit(b, &a) }
        a.bytes([0x68])
        a.word(RandomKernel.lock(l))
        a.call("spin_release")
        a.bytes([0x83, 0xC4, 8])
      }
    }

    var kernel: TinyKernel {
      func code(_ body: [Operation]) -> (inout Assembler) -> Void {
        { a in
          for o in body { Program.emit(o, &a) }
          a.bytes([0xFB])  // sti: wait with interrupts on
        }
      }
      func plain(_ body: [Operation]) -> (inout Assembler) -> Void {
        { a in for o in body { Program.emit(o, &a) } }
      }
      return TinyKernel(
        main: code(mains[0]), handlers: handler.map { [plain($0)] } ?? [],
        processors: mains.dropFirst().map(code), messages: message.map { [plain($0)] } ?? [])
    }
  }

  static func explore(
    _ tiny: TinyKernel, arrivals: [Int?], _ reductions: Set<Reduction>
  ) throws -> ReductionTests.Result {
    var options = ExplorationOptions()
    options.reductions = reductions
    options.timeLimit = 60
    let explorer = try Explorer(
      scenario: tiny.scenario(arrivals: arrivals), image: tiny.prepared, options: options)
    var finals: Set<[UInt32]> = []
    explorer.observeState = { machine in
      guard
        machine.cpus.indices.allSatisfy({ machine.isHalted(cpu: $0) && !machine.canRun(cpu: $0) })
      else { return }
      finals.insert(
        (0..<TinyKernel.variableCount).map {
          UInt32(machine.memory.value(at: TinyKernel.variables + UInt64(4 * $0), size: 4))
        }
          + (0..<TinyKernel.lockCount).map {
            UInt32(machine.memory.value(at: TinyKernel.locks + UInt64(4 * $0), size: 4))
          })
    }
    let result = explorer.run()
    return ReductionTests.Result(
      verdict: result.verdict, rules: result.rules, finals: finals, states: result.states,
      notes: result.notes)
  }

  /// `LOCKLAB_SMP_SEED` and `LOCKLAB_SMP_PROGRAMS` choose where to begin and how many.
  @Test func reductionsAgreeWithTheSearchWithoutThem() throws {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["LOCKLAB_SMP_SEED"].flatMap(UInt64.init) ?? 1
    let count = environment["LOCKLAB_SMP_PROGRAMS"].flatMap(UInt64.init) ?? 1000
    let sets: [Set<Reduction>] = [Set(Reduction.allCases)] + Reduction.allCases.map { [$0] }
    var broken: [String: Int] = [:]
    var states = (0, 0)
    for seed in first..<first + count {
      let program = Program(seed: seed)
      let kernel = program.kernel
      let arrivals: [Int?] = program.handler == nil ? [] : [1]
      let plain = try Self.explore(kernel, arrivals: arrivals, [])
      for rule in plain.rules { broken[rule, default: 0] += 1 }
      if plain.rules.isEmpty { broken["(\(plain.verdict))", default: 0] += 1 }
      for set in seed % 8 == 0 ? sets : [sets[0]] {
        let reduced = try Self.explore(kernel, arrivals: arrivals, set)
        if set == sets[0] { states = (states.0 + plain.states, states.1 + reduced.states) }
        #expect(
          reduced == plain,
          "seed \(seed), \(set.map(\.rawValue).sorted()):\n\(program)\nwithout: \(plain)\nwith: \(reduced)"
        )
        if reduced != plain { return }
      }
    }
    let summary = broken.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    print(
      "random kernels of several CPUs \(count) from seed \(first): \(summary.joined(separator: ", ")); \(states.0) states without reductions, \(states.1) with"
    )
    if count >= 500 {
      #expect(broken.count >= 3, "the random kernels break only \(broken)")
    }
  }
}

extension ManyProcessorsTests {
  static func pair(
    _ first: @escaping (inout Assembler) -> Void, _ second: @escaping (inout Assembler) -> Void,
    message: ((inout Assembler) -> Void)? = nil,
    reductions: Set<Reduction> = Set(Reduction.allCases),
    change: (inout Scenario) -> Void = { _ in }
  ) throws -> ScenarioResult {
    let tiny = TinyKernel(
      main: first, handlers: [], processors: [second], messages: message.map { [$0] } ?? [])
    var scenario = tiny.scenario(arrivals: [])
    change(&scenario)
    var options = ExplorationOptions()
    options.reductions = reductions
    return try Explorer(scenario: scenario, image: tiny.prepared, options: options).run()
  }

  static func toggle(_ a: inout Assembler) {
    torn(&a)
    a.bytes([0xFB])
  }

  @Test(arguments: [Set(Reduction.allCases), []])
  func an_update_without_a_lock_is_a_data_race(_ reductions: Set<Reduction>) throws {
    let result = try Self.pair(Self.toggle, Self.toggle, reductions: reductions)
    #expect(result.rules == ["data-race"], "\(result.verdict) \(result.states) \(result.notes)")
    #expect(result.counterexamples.allSatisfy { $0.title.contains("nothing orders them") })
  }

  static func locked(_ lock: Int, _ body: @escaping (inout Assembler) -> Void)
    -> (inout Assembler) -> Void
  {
    { a in
      a.bytes([0x68])  // push lock
      a.word(RandomKernel.lock(lock))
      a.call("spin_acquire")
      a.bytes([0x83, 0xC4, 4, 0x50])  // add esp, 4; push eax
      body(&a)
      a.bytes([0x68])
      a.word(RandomKernel.lock(lock))
      a.call("spin_release")
      a.bytes([0x83, 0xC4, 8])
    }
  }

  static func torn(_ a: inout Assembler) { Program.emit(.kernel(.tornToggle(3)), &a) }
  static func idle(_ body: @escaping (inout Assembler) -> Void) -> (inout Assembler) -> Void {
    { a in
      body(&a)
      a.bytes([0xFB])
    }
  }

  @Test func a_lock_orders_two_CPUs() throws {
    let body = Self.idle(Self.locked(0, Self.torn))
    // Known to the job or not: what orders them is that only one comes so far.
    for known in [true, false] {
      let result = try Self.pair(body, body, change: { if !known { $0.locks = [] } })
      #expect(result.verdict == .clean, "\(result.rules) \(result.notes)")
    }
  }

  @Test func different_locks_order_nothing() throws {
    let result = try Self.pair(
      Self.idle(Self.locked(0, Self.torn)), Self.idle(Self.locked(1, Self.torn)))
    #expect(result.rules == ["data-race"], "\(result.verdict) \(result.states) \(result.notes)")
  }

  @Test func what_the_job_calls_atomic_may_be_read_and_written() throws {
    func program(_ write: Bool) -> (inout Assembler) -> Void {
      Self.idle { a in
        if write {
          a.bytes([0xC7, 0x05])  // mov dword [v2], 1
          a.word(RandomKernel.variable(2))
          a.word(1)
        } else {
          a.bytes([0xA1])  // mov eax, [v2]
          a.word(RandomKernel.variable(2))
        }
      }
    }
    #expect(try Self.pair(program(true), program(false)).rules == ["data-race"])
    let tiny = try Self.pair(
      program(true), program(false), change: { $0.atomics = ["variables"] })
    #expect(tiny.verdict == .clean, "\(tiny.rules)")
  }

  @Test func two_orders_of_two_locks() throws {
    let result = try Self.pair(
      Self.idle(Self.locked(0, Self.locked(1, Self.torn))),
      Self.idle(Self.locked(1, Self.locked(0, Self.torn))))
    #expect(result.rules == ["deadlock", "lock-order-inversion"], "\(result.notes)")
    let deadlock = result.counterexamples.first { $0.rule == "deadlock" }
    #expect(deadlock?.title.contains("CPU 0") == true && deadlock?.title.contains("CPU 1") == true)
    #expect(deadlock?.identity.lockClasses == ["lock0", "lock1"])
  }

  /// CPU 0 waits with IF=0 for what CPU 1's handler of its message does; CPU 1 holds IF=0 for ever in
  /// the wrong build, by waiting for the lock that CPU 0 holds.
  @Test(arguments: [false, true])
  func a_wait_for_an_answer_with_a_lock_that_the_other_CPU_wants(_ wrong: Bool) throws {
    func waitForAnswer(_ a: inout Assembler) {
      Program.emit(.send(1, message: 0), &a)
      let label = a.freshLabel()
      a.label(label)
      a.bytes([0xF3, 0x90, 0x83, 0x3D])  // pause; cmp dword [v1], 0
      a.word(RandomKernel.variable(1))
      a.bytes([0])
      a.branch(4, to: label)
    }
    let first = wrong ? Self.idle(Self.locked(0, waitForAnswer)) : Self.idle(waitForAnswer)
    let second = Self.idle(Self.locked(0, Self.torn))
    let result = try Self.pair(
      first, second,
      message: { a in
        a.bytes([0xC7, 0x05])  // mov dword [v1], 1
        a.word(RandomKernel.variable(1))
        a.word(1)
      })
    if wrong {
      #expect(result.rules == ["deadlock"], "\(result.rules) \(result.notes)")
    } else {
      #expect(result.verdict == .clean, "\(result.rules) \(result.notes)")
    }
  }

  @Test func an_end_of_interrupt_for_nothing() throws {
    let result = try Self.pair(
      Self.idle { $0.storeAPIC(0xB0, 0) }, Self.idle { _ in })
    #expect(result.rules == ["spurious-eoi"])
  }

  @Test func a_lock_released_by_the_other_CPU() throws {
    func release(_ a: inout Assembler) {
      a.bytes([0x6A, 0, 0x68])  // push 0; push lock
      a.word(RandomKernel.lock(0))
      a.call("spin_release")
      a.bytes([0x83, 0xC4, 8])
    }
    let result = try Self.pair(Self.idle(Self.locked(0, Self.torn)), Self.idle(release))
    #expect(result.rules.contains("lock-wrong-owner"), "\(result.rules)")
  }

  @Test(arguments: [1, 3])
  func a_local_timer_interrupts_its_own_CPU(arrivals: Int) throws {
    // CPU 1 turns its timer on and waits for it.
    func waiting(_ a: inout Assembler) {
      a.storeAPIC(0x320, 0x2_0050)
      a.storeAPIC(0x380, 1000)
      a.bytes([0xFB])
      let label = a.freshLabel()
      a.label(label)
      a.bytes([0x83, 0x3D])  // cmp dword [v0], 0
      a.word(RandomKernel.variable(0))
      a.bytes([0])
      a.branch(4, to: label)
    }
    for cpu in 0...1 {
      let result = try Self.pair(
        Self.idle { _ in }, waiting,
        message: { a in
          a.bytes([0xC7, 0x05])  // mov dword [v0], 1
          a.word(RandomKernel.variable(0))
          a.word(1)
        },
        change: { s in
          var source = Source(name: "timer", line: nil)
          source.localTimer = true
          source.cpu = cpu
          source.arrivals = arrivals
          s.sources = [source]
        })
      // A timer of the other CPU does not help.
      #expect(
        (result.verdict == .clean) == (cpu == 1), "CPU \(cpu): \(result.rules) \(result.notes)")
    }
  }
}
