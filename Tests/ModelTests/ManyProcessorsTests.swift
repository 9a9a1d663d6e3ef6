import Emulator
import Foundation
import Testing

@testable import Model

/// Rules in scenarios with several CPUs, on kernels that are right and on kernels that are not.
@Suite struct ManyProcessorsTests {
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
      a.word(SmallKernel.lock(lock))
      a.call("spin_acquire")
      a.bytes([0x83, 0xC4, 4, 0x50])  // add esp, 4; push eax
      body(&a)
      a.bytes([0x68])
      a.word(SmallKernel.lock(lock))
      a.call("spin_release")
      a.bytes([0x83, 0xC4, 8])
    }
  }

  static func torn(_ a: inout Assembler) { SmallKernel.emit(.tornToggle(3), &a) }
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
          a.word(SmallKernel.variable(2))
          a.word(1)
        } else {
          a.bytes([0xA1])  // mov eax, [v2]
          a.word(SmallKernel.variable(2))
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
      SmallKernel.emit(.send(to: 1, message: 0), &a)
      let label = a.freshLabel()
      a.label(label)
      a.bytes([0xF3, 0x90, 0x83, 0x3D])  // pause; cmp dword [v1], 0
      a.word(SmallKernel.variable(1))
      a.bytes([0])
      a.branch(4, to: label)
    }
    let first = wrong ? Self.idle(Self.locked(0, waitForAnswer)) : Self.idle(waitForAnswer)
    let second = Self.idle(Self.locked(0, Self.torn))
    let result = try Self.pair(
      first, second,
      message: { a in
        a.bytes([0xC7, 0x05])  // mov dword [v1], 1
        a.word(SmallKernel.variable(1))
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
      a.word(SmallKernel.lock(0))
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
      a.word(SmallKernel.variable(0))
      a.bytes([0])
      a.branch(4, to: label)
    }
    for cpu in 0...1 {
      let result = try Self.pair(
        Self.idle { _ in }, waiting,
        message: { a in
          a.bytes([0xC7, 0x05])  // mov dword [v0], 1
          a.word(SmallKernel.variable(0))
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
