import Emulator
import Testing

@testable import Model

/// What could make two executions differ that the search takes for one, or hide what it should see.
@Suite struct HiddenDependenceTests {
  /// The verdict, rules and final contents of the variables.
  static func explore(
    _ tiny: TinyKernel, arrivals: [Int?], _ reductions: Set<Reduction> = Set(Reduction.allCases),
    change: (inout Scenario) -> Void = { _ in }
  ) throws -> SearchOutcome {
    var scenario = tiny.scenario(arrivals: arrivals)
    change(&scenario)
    var options = ExplorationOptions()
    options.reductions = reductions
    let explorer = try Explorer(scenario: scenario, image: tiny.prepared, options: options)
    var finals: Set<[UInt32]> = []
    var pass = 0
    explorer.observeState = { [unowned explorer] machine in
      // What a pass that learned something came to means nothing.
      if explorer.pass != pass { finals = [] }
      pass = explorer.pass
      guard machine.isHalted(cpu: 0) else { return }
      finals.insert(
        (0..<TinyKernel.variableCount).map {
          UInt32(machine.memory.value(at: TinyKernel.variables + UInt64(4 * $0), size: 4))
        })
    }
    let result = explorer.run()
    return SearchOutcome(
      verdict: result.verdict, rules: result.rules, finals: finals, states: result.states,
      notes: result.notes + result.counterexamples.map(\.title))
  }

  static func agree(_ tiny: TinyKernel, arrivals: [Int?]) throws -> SearchOutcome {
    let plain = try explore(tiny, arrivals: arrivals, [])
    let reduced = try explore(tiny, arrivals: arrivals)
    #expect(reduced == plain, "without: \(plain)\nwith: \(reduced)")
    return reduced
  }

  static func store(_ v: Int, _ a: inout Assembler) {
    a.bytes([0xA3])  // mov [v], eax
    a.word(SmallKernel.variable(v))
  }

  @Test func a_handler_that_looks_at_the_flags_it_finds() throws {
    let tiny = TinyKernel(
      main: { a in
        a.bytes([0xFB, 0xF9, 0x90, 0xF8])  // sti; stc; nop; clc
      },
      handlers: [
        { a in
          a.bytes([0x9C, 0x58, 0x83, 0xE0, 1])  // pushf; pop eax; and eax, 1
          Self.store(0, &a)
        }
      ])
    let result = try Self.agree(tiny, arrivals: [1])
    #expect(result.finals.count == 2, "\(result)")
  }

  @Test func a_handler_that_compares_its_stack_pointer() throws {
    let tiny = TinyKernel(
      main: { a in
        a.bytes([0xFB, 0x90, 0x50, 0x50, 0x58, 0x58])  // sti; nop; push eax ×2; pop eax ×2
      },
      handlers: [
        { a in
          a.bytes([0x89, 0xE1, 0x31, 0xC0, 0x81, 0xF9])  // mov ecx, esp; xor eax, eax; cmp ecx, limit
          a.word(UInt32(TinyKernel.stackTop) - 12 - 32 - 4)
          a.bytes([0x0F, 0x92, 0xC0])  // setb al
          Self.store(0, &a)
        }
      ])
    let result = try Self.agree(tiny, arrivals: [1])
    #expect(result.finals.count == 2, "\(result)")
  }

  /// With IF=0 nothing but the program itself writes there.
  @Test func a_local_variable_that_was_not_written() throws {
    let tiny = TinyKernel(
      main: { a in
        a.bytes([0x6A, 5, 0x58])  // push 5; pop eax
        a.bytes([0xF0, 0xFF, 0x05])  // lock inc dword [v1]
        a.word(SmallKernel.variable(1))
        a.bytes([0x83, 0xEC, 4, 0x8B, 0x04, 0x24])  // sub esp, 4; mov eax, [esp]
        Self.store(0, &a)
        a.bytes([0x83, 0xC4, 4, 0xFB])  // add esp, 4; sti
      }, handlers: [],
      processors: [
        { a in
          a.bytes([0xF0, 0xFF, 0x05])  // lock inc dword [v1]
          a.word(SmallKernel.variable(1))
          a.bytes([0xFB])
        }
      ])
    let result = try Self.agree(tiny, arrivals: [])
    #expect(result.finals.allSatisfy { $0[0] == 5 }, "\(result)")
    #expect(result.notes.contains { $0.contains("has not written") }, "\(result)")
  }

  /// A lock that the main program takes with interrupts on, and a handler on a stack of its own.
  @Test(arguments: [true, false])
  func a_handler_on_a_stack_that_it_switches_to(_ takes: Bool) throws {
    func acquire(_ a: inout Assembler) {
      a.bytes([0x68])  // push lock
      a.word(SmallKernel.lock(0))
      a.call("take")
      a.bytes([0x83, 0xC4, 4])
    }
    func release(_ a: inout Assembler) {
      a.bytes([0x68])
      a.word(SmallKernel.lock(0))
      a.call("give")
      a.bytes([0x83, 0xC4, 4])
    }
    let tiny = TinyKernel(
      main: { a in
        a.bytes([0xFB])
        acquire(&a)
        release(&a)
      },
      handlers: [
        { a in
          a.bytes([0x89, 0xE3, 0xBC])  // mov ebx, esp; mov esp, top
          a.word(0x13_8000)
          if takes {
            acquire(&a)
            release(&a)
          }
          a.bytes([0x89, 0xDC])  // mov esp, ebx
        }
      ],
      functions: { a in
        a.label("take")
        a.bytes([0x8B, 0x4C, 0x24, 4, 0xBA, 1, 0, 0, 0])  // mov ecx, [esp+4]; mov edx, 1
        a.bytes([0x87, 0x11, 0x85, 0xD2, 0x75, 0xFA, 0xC3])  // xchg [ecx], edx; test; jnz; ret
        a.label("give")
        a.bytes([0x8B, 0x4C, 0x24, 4, 0xC7, 0x01, 0, 0, 0, 0, 0xC3])
      })
    for reductions in [Set(Reduction.allCases), []] {
      let result = try Self.explore(tiny, arrivals: [1], reductions) { s in
        s.locks = [LockDiscipline(acquire: ["take"], release: ["give"])]
        s.locks[0].kind = .plain
        s.locks[0].flagsArgument = nil
      }
      #expect(result.rules.contains("irq-unsafe-lock") == takes, "\(result)")
      #expect((result.verdict == .clean) == !takes, "\(result)")
    }
  }

  /// A user program that calls the kernel for ever, when no interrupt is left to come.
  @Test func a_cycle_through_user_code_is_no_deadlock() throws {
    let tiny = TinyKernel(
      main: { a in
        a.bytes([0xC6, 0x05])  // mov byte [idt + 47 * 8 + 5], 0xEE: for ring 3
        a.address(of: "gate47")
        a.bytes([0xEE])
        a.bytes([0x0F, 0x01, 0x15])  // lgdt
        a.address(of: "gdtr3")
        a.bytes([0xB8, 40, 0, 0, 0, 0x0F, 0x00, 0xD8])  // mov eax, 40; ltr ax
        a.bytes([0x6A, 0x23, 0x68])  // push 0x23; push esp
        a.word(0x13_8000)
        a.bytes([0x68, 0x02, 0x02, 0, 0, 0x6A, 0x1B, 0x68])  // push eflags; push 0x1B; push eip
        a.address(of: "user")
        a.bytes([0xCF])  // iret
      },
      handlers: [{ _ in }],
      others: [
        (
          vector: 47,
          body: { a in
            for _ in 0..<300 { a.bytes([0x90]) }
          }
        )
      ],
      functions: { a in
        a.label("user")
        a.bytes([0xCD, 47])  // int 47
        a.jump(to: "user")
        a.align(8)
        a.label("gdt3")
        a.bytes([0, 0, 0, 0, 0, 0, 0, 0])
        a.bytes([0xFF, 0xFF, 0, 0, 0, 0x9A, 0xCF, 0])
        a.bytes([0xFF, 0xFF, 0, 0, 0, 0x92, 0xCF, 0])
        a.bytes([0xFF, 0xFF, 0, 0, 0, 0xFA, 0xCF, 0])
        a.bytes([0xFF, 0xFF, 0, 0, 0, 0xF2, 0xCF, 0])
        let tss = UInt32(a.position) + 16
        a.bytes([103, 0, UInt8(tss & 0xFF), UInt8(tss >> 8 & 0xFF), UInt8(tss >> 16), 0x89, 0, 0])
        a.label("gdtr3")
        a.bytes([47, 0])
        a.address(of: "gdt3")
        a.bytes([0, 0])
        a.word(0)
        a.word(UInt32(TinyKernel.stackTop))
        a.word(16)
        for _ in 0..<23 { a.word(0) }
        // Where the gate's type lies.
        a.labels["gate47"] = a.labels["idt"]! + 47 * 8 + 5
      })
    let result = try Self.explore(tiny, arrivals: [1])
    #expect(result.verdict == .clean, "\(result)")
    #expect(result.states > 2, "\(result)")
  }
}
