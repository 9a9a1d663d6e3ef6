import Foundation
import Testing

/// The job that LockLab carries: the right core is proven clean, every wrong build is caught under the
/// rule's own name, with as few injected interrupts as can be.
@Suite struct ReferenceTests {
  /// Scenario, rule, fewest injected interrupts. In the order of HAZARDS' groups.
  static let caught: [(scenario: String, rule: String, interrupts: Int)] = [
    ("acquire-without-cli", "lock-held-with-interrupts-on", 0),
    ("release-without-popf", "lock-flags-not-restored", 0),
    ("one-flags-slot", "lock-flags-mismatched", 0),
    ("outer-first", "lock-release-order", 0),
    ("release-without-acquire", "lock-release-unheld", 0),
    ("acquired-twice", "lock-recursive-acquire", 0),
    ("held-at-return", "lock-held-at-user-return", 0),
    ("held-at-switch", "lock-held-at-switch", 0),
    ("long-write", "deadlock-on-interrupt", 1),
    ("preempted-writer", "deadlock-on-preemption", 1),
    ("acquire-without-cli", "irq-unsafe-lock", 0),
    ("unordered-mutexes", "deadlock", 1),
    ("late-sleep", "lost-wakeup", 1),
    ("small-stacks", "stack-overflow", 2),
    ("shared-esp0", "stack-reuse", 0),
    ("interrupt-stack-restarted", "stack-reuse", 2),
    ("entry-pushes-more", "stack-unbalanced", 0),
    ("registers-dropped", "context-corrupted", 1),
    ("one-save-area", "context-corrupted", 2),
    ("user-segments", "kernel-with-user-segments", 0),
    ("early-sti", "interrupts-on-too-early", 0),
    ("trap-gate", "interrupts-on-too-early", 0),
    ("exit-without-cli", "interrupts-on-too-early", 0),
    ("no-eoi", "missing-eoi", 1),
    ("late-eoi", "eoi-after-switch", 1),
    ("idle-without-sti", "interrupts-lost", 0),
    ("system-call-faults", "unexpected-exception", 0),
    ("no-kernel-stack", "triple-fault", 0),
    ("yield-without-cli", "assertion", 0),
    ("last-look", "assertion", 3),
    ("resampled-lock", "lock-flags-not-restored", 0),
    // On x86-64.
    ("acquire-without-cli-64", "lock-held-with-interrupts-on", 0),
    ("release-without-popf-64", "lock-flags-not-restored", 0),
    ("resampled-lock-64", "lock-flags-not-restored", 0),
    ("one-flags-slot-64", "lock-flags-mismatched", 0),
    ("outer-first-64", "lock-release-order", 0),
    ("release-without-acquire-64", "lock-release-unheld", 0),
    ("acquired-twice-64", "lock-recursive-acquire", 0),
    ("held-at-return-64", "lock-held-at-user-return", 0),
    ("held-at-switch-64", "lock-held-at-switch", 0),
    ("long-write-64", "deadlock-on-interrupt", 1),
    ("preempted-writer-64", "deadlock-on-preemption", 1),
    ("acquire-without-cli-64", "irq-unsafe-lock", 0),
    ("unordered-mutexes-64", "deadlock", 1),
    ("late-sleep-64", "lost-wakeup", 1),
    ("small-stacks-64", "stack-overflow", 2),
    ("shared-kernel-stack-64", "stack-reuse", 0),
    ("shared-rsp0-64", "stack-reuse", 2),
    ("ist-not-refreshed-64", "stack-reuse", 2),
    ("interrupt-stack-restarted-64", "stack-reuse", 2),
    ("entry-pushes-more-64", "stack-unbalanced", 0),
    ("red-zone-64", "red-zone-clobbered", 1),
    ("register-dropped-64", "context-corrupted", 1),
    ("entry-without-swapgs-64", "kernel-with-user-gs", 0),
    ("interrupt-without-swapgs-64", "kernel-with-user-gs", 1),
    ("exit-without-swapgs-64", "kernel-with-user-gs", 1),
    ("nmi-by-cs-64", "kernel-with-user-gs", 1),
    ("stack-before-sti-64", "kernel-on-user-stack", 0),
    ("nmi-without-stack-64", "kernel-on-user-stack", 1),
    ("user-stack-with-interrupts-64", "kernel-on-user-stack", 0),
    ("early-sti-64", "interrupts-on-too-early", 1),
    ("trap-gate-64", "interrupts-on-too-early", 1),
    ("system-call-with-interrupts-64", "interrupts-on-too-early", 0),
    ("exit-without-cli-64", "interrupts-on-too-early", 0),
    ("no-eoi-64", "missing-eoi", 1),
    ("late-eoi-64", "eoi-after-switch", 1),
    ("idle-without-sti-64", "interrupts-lost", 0),
    ("system-call-faults-64", "unexpected-exception", 0),
    ("no-kernel-stack-64", "triple-fault", 1),
    ("yield-without-cli-64", "assertion", 0),
    ("last-look-64", "assertion", 3),
    // Several CPUs, on both machines.
    ("smp-interrupts-off-only", "data-race", 0),
    ("smp-read-without-lock", "data-race", 0),
    ("smp-own-run-lock", "data-race", 0),
    ("smp-dying-stack", "data-race", 0),
    ("smp-inverted", "lock-order-inversion", 0),
    ("smp-early-release", "task-on-two-cpus", 0),
    ("smp-old-run-lock", "lock-wrong-owner", 0),
    ("smp-inverted", "deadlock", 0),
    ("smp-frame-without-interrupts", "deadlock", 0),
    ("smp-late-note", "deadlock", 0),
    ("smp-ticket-with-interrupts", "deadlock", 1),
    ("smp-unmasked-flag", "deadlock", 0),
    ("smp-late-sleep", "lost-wakeup", 0),
    ("smp-late-waits", "lost-wakeup", 0),
    ("smp-early-sti", "lost-wakeup", 0),
    ("smp-killed-with-mutex", "lost-wakeup", 1),
    ("smp-plain-under-spin", "deadlock-on-preemption", 1),
    ("smp-eoi-by-next", "spurious-eoi", 0),
    ("smp-wake-without-eoi", "missing-eoi", 0),
    ("smp-killed-without-eoi", "eoi-after-switch", 1),
    ("smp-killed-with-lock", "lock-held-at-switch", 1),
    ("smp-late-saved-bit", "lock-flags-not-restored", 1),
    ("smp-interrupts-off-only-64", "data-race", 0),
    ("smp-read-without-lock-64", "data-race", 0),
    ("smp-own-run-lock-64", "data-race", 0),
    ("smp-dying-stack-64", "data-race", 0),
    ("smp-inverted-64", "lock-order-inversion", 0),
    ("smp-early-release-64", "task-on-two-cpus", 0),
    ("smp-old-run-lock-64", "lock-wrong-owner", 0),
    ("smp-inverted-64", "deadlock", 0),
    ("smp-frame-without-interrupts-64", "deadlock", 0),
    ("smp-late-note-64", "deadlock", 0),
    ("smp-ticket-with-interrupts-64", "deadlock", 1),
    ("smp-unmasked-flag-64", "deadlock", 0),
    ("smp-late-sleep-64", "lost-wakeup", 0),
    ("smp-late-waits-64", "lost-wakeup", 0),
    ("smp-early-sti-64", "lost-wakeup", 0),
    ("smp-killed-with-mutex-64", "lost-wakeup", 1),
    ("smp-plain-under-spin-64", "deadlock-on-preemption", 1),
    ("smp-eoi-by-next-64", "spurious-eoi", 0),
    ("smp-wake-without-eoi-64", "missing-eoi", 0),
    ("smp-killed-without-eoi-64", "eoi-after-switch", 1),
    ("smp-killed-with-lock-64", "lock-held-at-switch", 1),
    ("smp-late-saved-bit-64", "lock-flags-not-restored", 1),
  ]

  @Test func everyScenarioMeetsItsExpectationWithTheFewestInterrupts() throws {
    let workshop = try Workshop()
    let run = try workshop.run(
      workshop.process(["check", "--progress", "none", "--format", "json"]), limit: 2400)
    #expect(run.status == 0, "\(run.output.suffix(2000)) \(run.errors)")

    let table = try workshop.locklab(
      "query", "--format", "csv",
      """
      SELECT s.name, c.rule, min(e.interrupts) FROM execution e
      JOIN counterexample c ON c.id = e.counterexample JOIN scenario s ON s.id = e.scenario
      GROUP BY 1, 2
      """)
    #expect(table.status == 0)
    var fewest: [String: Int] = [:]
    for line in table.output.split(whereSeparator: \.isNewline).dropFirst() {
      let fields = line.split(separator: ",")
      fewest["\(fields[0]) \(fields[1])"] = Int(fields[2])
    }
    for wanted in Self.caught {
      #expect(
        fewest["\(wanted.scenario) \(wanted.rule)"] == wanted.interrupts,
        "\(wanted.scenario): \(wanted.rule)")
    }

    // Row by row, in the documentation.
    let catalogue = try workshop.locklab("catalogue")
    let documented = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../docs/catalogue.md")
    let text = try String(contentsOf: documented, encoding: .utf8)
    #expect(catalogue.status == 0, "\(catalogue.errors)")
    let (now, before) = (Self.lines(catalogue.output), Self.lines(text))
    #expect(
      now == before,
      """
      docs/catalogue.md is out of date: `make catalogue` writes it anew. \
      New: \(now.filter { !before.contains($0) }.prefix(5)); gone: \(before.filter { !now.contains($0) }.prefix(5))
      """)

    // What was stored replays, each at the step where it was found.
    let ids = try workshop.locklab("query", "--format", "csv", "SELECT id FROM counterexample")
    for id in ids.output.split(whereSeparator: \.isNewline).dropFirst() {
      let replay = try workshop.locklab("replay", String(id))
      #expect(replay.status == 0, "\(id): \(replay.output)\(replay.errors)")
      #expect(replay.output.hasPrefix("Same: "), "\(id): \(replay.output)")
    }
  }

  /// Without the numbers of states: those of a search that ended early can differ.
  private static func lines(_ text: String) -> [Substring] {
    text.replacing(#/[0-9,]+ states/#, with: "states")
      .split(separator: "\n", omittingEmptySubsequences: false)
  }

  @Test func everyRowOfTheCatalogueHasARightBuildAndAWrongOneOnEachMachine() throws {
    let workshop = try Workshop()
    let lacks = try workshop.locklab("catalogue", "--lacks")
    #expect(lacks == Outcome(status: 0, output: "", errors: ""))
  }

  @Test func aRowThatNothingCoversIsMissed() throws {
    let workshop = try Workshop()
    let lacks = try workshop.locklab(
      "catalogue", "--lacks", "--scenario", "levels", "--scenario", "one-level")
    #expect(lacks.status == 1)
    let lines = lacks.output.split(separator: "\n")
    #expect(lines.contains("M34: no wrong build on i386"))
    #expect(lines.contains("M35: no clean scenario on x86-64"))
    #expect(lines.contains("deadlock: no clean scenario on i386"))
    // What does not exist on a machine cannot lack there.
    #expect(!lines.contains { $0.hasPrefix("M14:") && $0.hasSuffix("i386") })
    #expect(!lines.contains { $0.hasPrefix("M35:") && $0.hasSuffix("i386") })
  }

  @Test func theCatalogueWantsAResultOfEachScenario() throws {
    let workshop = try Workshop()
    let check = try workshop.locklab(
      "check", "--progress", "none", "--scenario", "not-handed-over")
    #expect(check.status == 0)
    let page = try workshop.locklab(
      "catalogue", "--scenario", "not-handed-over", "--scenario", "writers")
    #expect(page.status == 3)
    #expect(
      page.errors
        == "locklab: locklab.db has no result of scenario 'writers': run 'locklab check' first\n")
  }
}
