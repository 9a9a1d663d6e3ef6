import Foundation
import Testing

/// Markers in code, from the header that `locklab markers` prints.
@Suite struct MarkerTests {
  private static let code = """
    #include "locklab.h"
    volatile int lock, count, inside, picked, other, done;
    static int xchg(volatile int *p, int v) {
      __asm__ volatile("xchg %0,%1" : "+r"(v), "+m"(*p) :: "memory");
      return v;
    }
    static inline __attribute__((always_inline)) unsigned long take(volatile int *l) {
      unsigned long flags;
      LOCKLAB_ACQUIRING(l, LOCKLAB_VALUE);
      __asm__ volatile("pushf; pop %0; cli" : "=r"(flags) :: "memory");
      while (xchg(l, 1)) __asm__ volatile("pause");
      LOCKLAB_ACQUIRED(l, LOCKLAB_VALUE, flags);
      return flags;
    }
    static inline __attribute__((always_inline)) void give(volatile int *l, unsigned long flags) {
      LOCKLAB_RELEASING(l, LOCKLAB_VALUE, flags);
      *l = 0;
      if (flags & 0x200) __asm__ volatile("sti" ::: "memory");
      LOCKLAB_RELEASED(l, LOCKLAB_VALUE);
    }
    void right(void) { unsigned long f = take(&lock); count++; give(&lock, f); }
    void early(void) {
      unsigned long f = take(&lock);
      count++;
      __asm__ volatile("sti" ::: "memory");
      give(&lock, f);
    }
    void lost(void) { unsigned long f = take(&lock); count++; give(&lock, f & ~0x200ul); }
    void twice(void) { unsigned long f = take(&lock); give(&lock, f); give(&lock, f); }
    void choose(void) {
      picked = (int)LOCKLAB_CHOOSE(3);
      other = (int)LOCKLAB_CHOOSE(2);
    }
    void assume(void) { choose(); LOCKLAB_ASSUME(picked != 1); done = 1; }
    void checked(void) { choose(); LOCKLAB_ASSERT(picked + other < 3); }
    """

  /// In an object of its own: with a window in an image, nothing is raised outside of windows.
  private static let windowCode = """
    #include "locklab.h"
    volatile int count, other;
    void window(void) {
      count = 1;
      LOCKLAB_INTEREST_BEGINS();
      count = 2;
      LOCKLAB_INTEREST_ENDS();
      count = 3;
    }
    void tick(void) { other = count; }
    """

  @Test(
    "Locks, values, assertions and windows", arguments: ObjectCode.Target.allCases, ["all", "none"])
  func markers(target: ObjectCode.Target, reduce: String) throws {
    let workshop = try Workshop()
    try workshop.write("locklab.h", try workshop.locklab("markers").output)
    try ObjectCode.compile(Self.code, to: "code", for: target, in: workshop)
    try ObjectCode.compile(Self.windowCode, to: "window", for: target, in: workshop)
    let found = try CallsTests.check(
      """
      version: 1
      images: {code: {objects: code.o}, window: {objects: window.o}}
      defaults: {atomics: [other], image: code}
      scenarios:
        - {name: right, calls: [right, right], sources: [{name: t, function: right, arrivals: 1}],
           invariants: ["held(lock) <= 1"], observe: [count]}
        - {name: early, calls: [early], sources: [{name: t, function: right, arrivals: 1}],
           expect: {violated: [lock-held-with-interrupts-on, deadlock-on-interrupt]}}
        - {name: lost, calls: [lost], sources: [{name: t, function: right, arrivals: 1}],
           expect: {violated: [lock-flags-not-restored, lock-flags-mismatched, interrupts-lost]}}
        - {name: twice, calls: [twice], expect: {violated: lock-release-unheld}}
        - {name: choose, calls: [choose], observe: [picked, other]}
        - {name: two, calls: [choose, right], observe: [picked, other]}
        - {name: handler, calls: [choose], sources: [{name: t, function: choose, arrivals: 1}],
           observe: [picked]}
        - {name: assume, calls: [assume], observe: [picked, other], final: done == 1}
        - {name: checked, calls: [checked], expect: {violated: assertion}}
        - {name: window, image: window, calls: [window], sources: [{name: t, function: tick, arrivals: 1}],
           observe: [other]}
      """, reduce: reduce, in: workshop)
    for name in found.keys.sorted() where name != "lost" {
      #expect(found[name]?.met == true, "\(name): \(found[name]!)")
    }
    #expect(found["lost"]?.verdict == "violated")
    #expect(CallsTests.values(found["right"], "count") == [[2], [3]])
    let all: Set<[Int]> = [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]
    for name in ["choose", "two"] {
      #expect(CallsTests.values(found[name], "picked", "other") == all)
    }
    #expect(CallsTests.values(found["handler"], "picked") == [[0], [1], [2]])
    #expect(
      CallsTests.values(found["assume"], "picked", "other") == [[0, 0], [0, 1], [2, 0], [2, 1]])
    #expect(
      found["assume"]?.notes.contains(
        "Left out, as `LOCKLAB_ASSUME` says: executions that come to a false assumption.") == true)
    #expect(
      found["checked"]?.counterexamples.first?.title.hasPrefix(
        "the assertion `picked + other < 3` fails at `checked+0x") == true)
    // Before the first store nothing is raised, and after the window only where the CPU halts.
    #expect(CallsTests.values(found["window"], "other") == [[0], [1], [2], [3]])
  }

  @Test func invariants_in_code_are_checked() throws {
    let workshop = try Workshop()
    try workshop.write("locklab.h", try workshop.locklab("markers").output)
    try ObjectCode.compile(
      """
      #include "locklab.h"
      LOCKLAB_INVARIANT("inside <= 1");
      int inside;
      void deep(void) { inside++; inside++; }
      """, to: "code", for: .x64, options: ["-O0"], in: workshop)
    let found = try CallsTests.check(
      """
      version: 1
      images: {code: {objects: code.o}}
      scenarios: [{name: s, calls: [deep], expect: {violated: assertion}}]
      """, in: workshop)
    #expect(found["s"]?.met == true)
    #expect(
      found["s"]?.counterexamples.first?.title.hasPrefix("the invariant `inside <= 1` (inside = 2)")
        == true)
  }

  /// Markers do nothing on the processor that the tests run on.
  @Test func a_processor_takes_no_notice() throws {
    let workshop = try Workshop()
    try workshop.write("locklab.h", try workshop.locklab("markers").output)
    try workshop.write(
      "main.c",
      """
      #include "locklab.h"
      int lock;
      int main(void) {
        LOCKLAB_ASSERT(lock == 1);
        LOCKLAB_ACQUIRING(&lock, LOCKLAB_PLAIN);
        LOCKLAB_ACQUIRED(&lock, LOCKLAB_PLAIN, 0);
        LOCKLAB_RELEASED(&lock, LOCKLAB_PLAIN);
        LOCKLAB_INTEREST_BEGINS();
        LOCKLAB_ASSUME(0);
        return (int)LOCKLAB_CHOOSE(7);
      }
      """)
    try TinyKernel.run(["clang", "-O1", "main.c", "-o", "main"], in: workshop.folder)
    try TinyKernel.run(["clang", "-O1", "-x", "c++", "main.c", "-o", "main"], in: workshop.folder)
    try TinyKernel.run([workshop.path("main")])
  }

  @Test(arguments: ["c", "rust", "swift", "nasm", "gas"])
  func every_language_has_the_same_markers(language: String) throws {
    let text = try Workshop().locklab("markers", "--language", language).output
    #expect(text.contains("LockLab"))
    if language != "swift" { #expect(text.contains("0x80, ")) }
  }
}
