import Foundation
import Testing

extension JobMistake {
  /// Mistakes in what belongs to called functions, objects, stubs, locks and conditions. The image has
  /// `_start`, `idle` and a `counter`.
  static let calls: [JobMistake] = [
    .scenario(
      "calls that are no list", "calls: idle",
      says: "locklab.yml:5:12: expected a list, found 'idle'"),
    .scenario("no calls", "calls: []", says: "locklab.yml:5:12: there are no calls"),
    .scenario(
      "an empty list of calls", "calls: [[]]",
      says: "locklab.yml:5:13: there is no function to call"),
    .scenario(
      "a misspelt key of calls", "calls: [{cpu: 0, cal: idle}]",
      says: "locklab.yml:5:22: unknown key 'cal' in `calls`; did you mean 'call' or 'cpu'?"),
    .scenario(
      "calls without functions", "calls: [{cpu: 0}]",
      says: "locklab.yml:5:13: which functions? write `call: [FUNCTION, …]`"),
    .scenario(
      "two lists for one CPU", "calls: [{cpu: 1, call: idle}, {cpu: 1, call: idle}]",
      says: "locklab.yml:5:41: CPU 1 has calls already; put all of them into one list"),
    .scenario(
      "a CPU that cannot be", "calls: [{cpu: 8, call: idle}]",
      says: "locklab.yml:5:19: 8 is out of range: 0 to 7"),
    .scenario(
      "too few CPUs", "cpus: 1\ncalls: [idle, idle]",
      says: "locklab.yml:5:11: there are calls on CPU 1; raise `cpus` to 2"),
    .scenario(
      "a stack that is too small", "calls: [{stack: 100, call: idle}]",
      says: "locklab.yml:5:21: a stack has 256 bytes to 1M"),
    .scenario(
      "a call without a function", "calls: [{call: {arguments: [1]}}]",
      says: "locklab.yml:5:20: a call needs a `function`"),
    .scenario(
      "a call that is made 0 times", "calls: [{call: {function: idle, times: 0}}]",
      says: "locklab.yml:5:44: 0 is out of range: 1 to 1000000"),
    .scenario(
      "an argument that is neither", "calls: [{call: {function: idle, arguments: [counter*2]}}]",
      says: "locklab.yml:5:49: the image 'kernel' has no symbol 'counter*2'; did you mean 'counter'?"),
    .scenario(
      "an argument with blanks", "calls: [{call: {function: idle, arguments: [a b]}}]",
      says: "locklab.yml:5:49: 'a b' is neither a number nor SYMBOL or SYMBOL + NUMBER"),
    .scenario(
      "a function that the image lacks", "calls: [idel]",
      says: "locklab.yml:5:13: the image 'kernel' has no symbol 'idel'; did you mean 'idle' or 'idt'?"),
    .scenario(
      "calls and a boot", "start: {symbol: idle}\ncalls: [idle]",
      says: "locklab.yml:5:12: `start` is for an image that boots; `calls` boot nothing"),
    .scenario(
      "a source without a handler", "calls: [idle]\nsources: [{name: timer, line: 0}]",
      says:
        "locklab.yml:6:14: source 'timer' needs the `function` that handles it, as nothing boots "
        + "that would set up a handler"),
    .scenario(
      "a handler in a booted image", "sources: [{name: timer, function: idle}]",
      says:
        "locklab.yml:5:14: source 'timer' has a `function`, which goes with `calls`; an image that "
        + "boots has handlers of its own"),
    .scenario(
      "a vector in a booted image", "sources: [{name: timer, line: 0, vector: 40}]",
      says: "locklab.yml:5:46: `vector` belongs to a source with a `function`, which `calls` have"),
    .scenario(
      "handlers without calls", "handlers: [{vector: 40, function: idle}]",
      says: "locklab.yml:5:15: `handlers` goes with `calls`; an image that boots has its own"),
    .scenario(
      "a handler without a vector", "calls: [idle]\nhandlers: [{function: idle}]",
      says: "locklab.yml:6:16: a handler needs a `vector` and a `function`"),
    .scenario(
      "two handlers of a vector",
      "calls: [idle]\nhandlers: [{vector: 40, function: idle}, {vector: 40, function: idle}]",
      says: "locklab.yml:6:55: vector 40 has a handler already"),
    .scenario(
      "the vector of an NMI",
      "calls: [idle]\nsources: [{name: n, nmi: true, function: idle, vector: 40}]",
      says: "locklab.yml:6:60: the vector of an NMI is 2, that of a machine check 18"),
    .scenario(
      "an unknown convention", "calls: [idle]\nconvention: stdcall",
      says: "locklab.yml:6:17: 'stdcall' is no calling convention "
        + "(cdecl, regparm)"),
    .scenario(
      "a stub of two kinds", "stubs: {idle: {returns: 1, data: 8}}",
      says: "locklab.yml:5:19: a stub is `noop`, a number to return, another function's name, or "
        + "{data: BYTES}"),
    .scenario(
      "a stub that jumps nowhere", "stubs: {idle: nowhere}",
      says: "locklab.yml:5:19: the image 'kernel' has no symbol 'nowhere'"),
    .scenario(
      "an invariant that assigns", "invariants: [\"counter = 1\"]",
      says: "locklab.yml:5:18: `counter = 1`: '=' assigns; compare with '==' (character 9)"),
    .scenario(
      "an expression that is cut off", "final: \"(counter + 1\"",
      says: "locklab.yml:5:12: `(counter + 1`: expected ')', found end (character 13)"),
    .scenario(
      "an unknown function", "final: f32(counter)",
      says:
        "locklab.yml:5:12: `f32(counter)`: there is no function 'f32' in expressions: u8, u16, u32, "
        + "u64, s8, s16, s32, s64, interrupts and held are there (character 4)"),
    .scenario(
      "an address without a symbol", "final: u32(4 + counter)",
      says:
        "locklab.yml:5:12: `u32(4 + counter)`: an address begins with a symbol, as in u32(symbol + "
        + "4) (character 17)"),
    .scenario(
      "a variable that the image lacks", "observe: [countre]",
      says: "locklab.yml:5:15: the image 'kernel' has no symbol 'countre'; did you mean 'counter'?"),
    .scenario(
      "something observed twice", "observe: [counter, counter]",
      says: "locklab.yml:5:14: 'counter' is observed twice"),
    .scenario(
      "bytes outside the symbol", "observe: [\"u32(counter + -4)\"]",
      says:
        "locklab.yml:5:15: `u32(counter + -4)`: u32(…) reads outside `counter`, which has 4 bytes"),
    .scenario(
      "an array without its elements' size", "observe: [\"counter[0]\"]",
      says:
        "locklab.yml:5:15: `counter[0]`: the image has no debug information about `counter`, so the "
        + "size of its elements is not known; write `u32(counter + 4 * …)`, or compile with -g"),
    .scenario(
      "two places of a lock",
      "locks: [{acquire: idle, release: idle, lock-argument: 1, lock: {argument: 2}}]",
      says: "locklab.yml:5:68: `lock` and `lock-argument` both say where the lock is; leave one out"
    ),
    .scenario(
      "an unknown register", "locks: [{acquire: idle, release: idle, lock: {register: rdx1}}]",
      says:
        "locklab.yml:5:61: 'rdx1' is no register; did you mean 'rdx', 'edx' or 'r11'? (\(registers))"
    ),
    .scenario(
      "readers that never leave", "locks: [{acquire: idle, release: idle, acquire-shared: idle}]",
      says:
        "locklab.yml:5:13: readers need the functions that `acquire-shared` and `release-shared` it"
    ),
    .scenario(
      "success of nothing", "locks: [{acquire: idle, release: idle, success: 0}]",
      says: "locklab.yml:5:53: `success` is what a `try-acquire` returns; there is none"),
    .scenario(
      "flags that are not handed over",
      "locks: [{kind: plain, acquire: idle, release: idle, flags-pointer: 2}]",
      says: "locklab.yml:5:72: only a lock of kind 'value' hands its flags to release"),
    JobMistake(
      "no objects",
      "version: 1\nimages: {kernel: {objects: []}}\nscenarios: [{name: s, calls: [f]}]\n",
      says: "locklab.yml:2:28: there is no object file"),
    JobMistake(
      "an object that is linked already",
      "version: 1\nimages: {kernel: {objects: idle.elf}}\nscenarios: [{name: s, calls: [idle]}]\n",
      says: "idle.elf: linked already; name it as `{file: …}`, not under `objects`"),
    JobMistake(
      "an object that is none",
      "version: 1\nimages: {kernel: {objects: idle.S}}\nscenarios: [{name: s, calls: [idle]}]\n",
      says: "idle.S: neither an ELF object file nor an archive"),
    JobMistake(
      "an object that is not there",
      "version: 1\nimages: {kernel: {objects: none.o}}\nscenarios: [{name: s, calls: [idle]}]\n",
      says: "none.o: no such file"),
  ]

  private static let registers =
    "eax, ebp, ebx, ecx, edi, edx, esi, esp, r10, r11, r12, r13, r14, r15, r8, r9, rax, rbp, rbx, "
    + "rcx, rdi, rdx, rsi, rsp"
}

@Suite struct CallErrorTests {
  @Test(arguments: JobMistake.calls)
  func a_mistake_is_shown_with_its_place(mistake: JobMistake) throws {
    let workshop = try Workshop()
    _ = try TinyKernel.idle.build(in: workshop)
    try workshop.write("locklab.yml", mistake.job)
    let outcome = try workshop.locklab("check", "locklab.yml", "--progress", "none")
    #expect(
      outcome == Outcome(status: 3, output: "", errors: "locklab: \(mistake.says)\n"))
  }
}
