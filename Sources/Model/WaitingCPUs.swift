import Emulator

/// Who waits for whom, where several CPUs wait.
extension Diagnosis {
  /// What a CPU that loops waits for.
  struct Wait {
    var cpu: Int
    var lock: UInt64
    var writer: Trace.Writer
    var takenAt: UInt64
    var site: UInt64
    /// The innermost interrupt in flight on the waiting code's stack.
    var interrupt: Activation?
    var strand: UInt64
    var depth: Int
  }

  /// Follows who waits for whom, beginning with the CPU that does not come to an end.
  func together() -> Result {
    let first = world.cpuIndex
    if world.cpu.cpl == 3 { return running() }
    var waits: [Wait] = []
    var next = first
    while !waits.contains(where: { $0.cpu == next }) {
      world.turn(to: next)
      guard let wait = wait(of: next) else { break }
      waits.append(wait)
      if wait.writer.strand == wait.strand { return interrupted(wait) }
      guard let holder = cpu(running: wait.writer.strand) else { break }
      next = holder
    }
    world.turn(to: first)
    guard let last = waits.last else { return running() }
    let waiters = world.machine.cpus.indices.map { describe($0, waits) }
    if cpu(running: last.writer.strand) == nil {
      return Result(
        identity: identity("deadlock-on-preemption", [last.lock], [last.takenAt, last.site]),
        title:
          "CPU \(last.cpu) waits at \(names.site(last.site)) for \(names.lock(last.lock)), held since \(names.site(last.takenAt)) by a task that no CPU runs",
        waiters: waiters)
    }
    // Which of them is looked at first must not matter to what it is called.
    let ordered = waits.sorted {
      (world.lockName($0.lock), $0.site) < (world.lockName($1.lock), $1.site)
    }
    return Result(
      identity: identity("deadlock", ordered.map(\.lock), ordered.map(\.site)),
      title: waits.map { describe($0.cpu, waits) }.joined(separator: "; ")
        + (cpu(running: last.writer.strand).map { holder in
          waits.contains { $0.cpu == holder } ? "" : "; " + describe(holder, waits)
        } ?? ""),
      waiters: waiters)
  }

  /// The CPU that runs a strand now.
  private func cpu(running strand: UInt64) -> Int? {
    world.machine.cpus.indices.first { world.ghost[Ghost.Layout.strand + $0] == strand }
  }

  private func describe(_ cpu: Int, _ waits: [Wait]) -> String {
    let c = world.machine.cpus[cpu]
    let flag = "IF=\(c.interruptsEnabled ? 1 : 0)"
    if let wait = waits.first(where: { $0.cpu == cpu }) {
      let holder = self.cpu(running: wait.writer.strand).map { " by CPU \($0)" } ?? ""
      return "CPU \(cpu) (\(flag)) waits at \(names.site(wait.site)) for "
        + "\(names.lock(wait.lock)), held since \(names.site(wait.takenAt))\(holder)"
    }
    if world.machine.isHalted(cpu: cpu) {
      return "CPU \(cpu) (\(flag)) is halted at \(names.site(c.rip))"
    }
    if world.machine.isWaitingForStartUp(cpu: cpu) { return "CPU \(cpu) is not started" }
    return "CPU \(cpu) (\(flag)) is at \(names.site(c.rip))"
  }

  /// The code that was interrupted on this CPU holds what the handler waits for.
  private func interrupted(_ wait: Wait) -> Result {
    let kind = wait.interrupt?.kind ?? .interrupt
    let rule = kind == .interrupt ? "deadlock-on-interrupt" : "deadlock-on-nmi"
    let what = wait.interrupt.map {
      "\(names.vector($0.vector, kind: $0.kind)), arriving on CPU \(wait.cpu) at \(names.site($0.interruptedIP)),"
    }
    var title =
      "\(what ?? "code on CPU \(wait.cpu)") waits for \(names.lock(wait.lock)) at \(names.site(wait.site)), held by the code it interrupted since \(names.site(wait.takenAt))"
    if kind == .interrupt,
      let on = enabledAt[Trace.Level(strand: wait.strand, depth: wait.depth - 1)]
    {
      title += ", with IF=1 since \(names.site(on))"
    }
    return Result(
      identity: identity(rule, [wait.lock], [wait.takenAt, wait.site]), title: title,
      waiters: [describe(wait.cpu, [wait])])
  }

  /// What the present CPU reads in its loop that other code wrote; nil when it does not loop, or reads
  /// nothing of the kind. The machine is left as it was.
  private func wait(of cpu: Int) -> Wait? {
    guard world.machine.cpus[cpu][CPU.Word.activity] == CPU.Activity.running else { return nil }
    var snapshot = Snapshot(world.machine)
    snapshot.take(world.machine)
    let reads = awaitedBytes()
    snapshot.putBack(world.machine)
    world.turn(to: cpu)
    if reads.changed { return nil }
    let strand = world.strand
    let depth = world.depth
    let known = Set(heldLocks().map(\.address))
    let candidates = othersThatWrote(reads.addresses, strand: strand, depth: depth)
    guard
      let (access, writer) = candidates.first(where: { known.contains($0.0.linear) })
        ?? candidates.first(where: { isStackless($0.0) }) ?? candidates.first
    else { return nil }
    let lock = access.linear
    let held = heldLocks().last { $0.address == lock }
    return Wait(
      cpu: cpu, lock: lock, writer: writer,
      takenAt: held?.site ?? callSite(of: lock, by: writer.strand) ?? writer.rip,
      site: waitSite(), interrupt: world.activationsOnStrand().first { $0.isAsynchronous },
      strand: strand, depth: depth)
  }
}
