import Emulator
import Testing

@testable import Model

/// What orders several CPUs and what does not: loops that wait and loops that search, locks that are
/// released by a plain update, stacks that are handed on.
@Suite struct WaitingAndHandingOverTests {
  static func store(_ v: Int, _ value: UInt32, _ a: inout Assembler) {
    a.bytes([0xC7, 0x05])  // mov dword [v], value
    a.word(SmallKernel.variable(v))
    a.word(value)
  }

  /// Waits until a variable is not zero.
  static func wait(_ v: Int, _ a: inout Assembler) {
    let loop = a.freshLabel()
    a.label(loop)
    a.bytes([0xF3, 0x90, 0x83, 0x3D])  // pause; cmp dword [v], 0
    a.word(SmallKernel.variable(v))
    a.bytes([0])
    a.branch(4, to: loop)
  }

  @Test func a_loop_that_searches_does_not_wait() throws {
    func search(_ a: inout Assembler) {
      let (loop, found) = (a.freshLabel(), a.freshLabel())
      a.bytes([0xBB])  // mov ebx, variables
      a.word(SmallKernel.variable(0))
      a.bytes([0xB9, 4, 0, 0, 0])  // mov ecx, 4
      a.label(loop)
      a.bytes([0x83, 0x3B, 7])  // cmp dword [ebx], 7
      a.branch(4, to: found)
      a.bytes([0x83, 0xC3, 4, 0x49])  // add ebx, 4; dec ecx
      a.branch(5, to: loop)
      a.label(found)
    }
    let result = try ManyProcessorsTests.pair(
      ManyProcessorsTests.idle { Self.store(2, 5, &$0) }, ManyProcessorsTests.idle(search))
    #expect(result.rules == ["data-race"], "\(result.verdict) \(result.states) \(result.notes)")
  }

  @Test func a_loop_that_waits_is_in_no_race_with_what_it_waits_for() throws {
    // The data beside the flag is ordered by it.
    let result = try ManyProcessorsTests.pair(
      ManyProcessorsTests.idle { a in
        Self.store(2, 5, &a)
        Self.store(1, 1, &a)
      },
      ManyProcessorsTests.idle { a in
        Self.wait(1, &a)
        a.bytes([0xA1])  // mov eax, [v2]
        a.word(SmallKernel.variable(2))
      })
    #expect(result.verdict == .clean, "\(result.rules) \(result.notes)")
  }

  @Test func a_wait_through_a_function_is_a_wait() throws {
    let tiny = TinyKernel(
      main: ManyProcessorsTests.idle { Self.store(1, 1, &$0) }, handlers: [],
      functions: { a in
        a.label("look")
        a.bytes([0x53, 0xA1])  // push ebx; mov eax, [v1]
        a.word(SmallKernel.variable(1))
        a.bytes([0x5B, 0xC3])  // pop ebx; ret
      },
      processors: [
        ManyProcessorsTests.idle { a in
          let loop = a.freshLabel()
          a.label(loop)
          a.call("look")
          a.bytes([0x85, 0xC0])  // test eax, eax
          a.branch(4, to: loop)
        }
      ])
    let result = try Explorer(
      scenario: tiny.scenario(arrivals: []), image: tiny.prepared, options: ExplorationOptions()
    ).run()
    #expect(result.verdict == .clean, "\(result.rules) \(result.notes)")
  }

  /// A ticket lock in the two low bytes of v0: the owner, and the next ticket.
  static func ticket(_ a: inout Assembler, _ body: (inout Assembler) -> Void) {
    let (test, got) = (a.freshLabel(), a.freshLabel())
    a.bytes([0x66, 0xB8, 0, 1, 0xF0, 0x66, 0x0F, 0xC1, 0x05])  // mov ax, 0x100; lock xadd [v0], ax
    a.word(SmallKernel.variable(0))
    a.label(test)
    a.bytes([0x38, 0xE0])  // cmp al, ah
    a.branch(4, to: got)
    a.bytes([0xF3, 0x90, 0xA0])  // pause; mov al, [v0]
    a.word(SmallKernel.variable(0))
    a.jump(to: test)
    a.label(got)
    body(&a)
    increment(&a)
  }

  static func increment(_ a: inout Assembler) {
    a.bytes([0xFE, 0x05])  // inc byte [v0]
    a.word(SmallKernel.variable(0))
  }

  @Test func the_owner_of_a_ticket_lock_may_release_it_by_a_plain_increment() throws {
    let body = ManyProcessorsTests.idle { Self.ticket(&$0, ManyProcessorsTests.torn) }
    let result = try ManyProcessorsTests.pair(body, body)
    #expect(result.verdict == .clean, "\(result.rules) \(result.counterexamples.map(\.title))")
    #expect(result.states > 20)
  }

  @Test func two_that_increment_at_once_may_not() throws {
    let result = try ManyProcessorsTests.pair(
      ManyProcessorsTests.idle { a in
        Self.ticket(&a) { _ in }
        Self.increment(&a)
      },
      ManyProcessorsTests.idle { Self.increment(&$0) })
    #expect(result.rules.contains("data-race"), "\(result.rules) \(result.notes)")
  }

  /// CPUs 1 and 2 are started one after the other on one stack, which each leaves for its own.
  @Test(arguments: [false, true])
  func a_stack_that_is_handed_on(_ early: Bool) throws {
    func start(_ own: UInt32, _ a: inout Assembler, _ tellNext: (inout Assembler) -> Void) {
      a.bytes([0xBC])  // mov esp, shared
      a.word(0x13_8000)
      if early { tellNext(&a) }
      a.bytes([0x50, 0x58])  // push eax; pop eax
      a.bytes([0x8D, 0x25])  // lea esp, [own]
      a.word(own)
      if !early { tellNext(&a) }
      a.bytes([0x50, 0x58])
    }
    let tiny = TinyKernel(
      main: ManyProcessorsTests.idle { _ in }, handlers: [],
      processors: [
        ManyProcessorsTests.idle { start(0x13_4000, &$0) { Self.store(1, 1, &$0) } },
        ManyProcessorsTests.idle { a in
          Self.wait(1, &a)
          start(0x13_7000, &a) { _ in }
        },
      ])
    for (name, low) in [("own1", 0x13_3000), ("own2", 0x13_6000), ("common", 0x13_7000)] {
      tiny.symbols.add(name, UInt64(low), size: 0x1000)
    }
    let result = try Explorer(
      scenario: tiny.scenario(arrivals: []), image: tiny.prepared, options: ExplorationOptions()
    ).run()
    #expect(
      result.rules == (early ? ["task-on-two-cpus"] : []), "\(result.verdict) \(result.notes)")
  }
}
