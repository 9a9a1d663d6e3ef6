/// Several CPUs: how they are started, and how a plain run takes them in turn.
/// Intel SDM Vol. 3A §8.4 (multiple-processor initialization), §9.1.1 (state after INIT).

extension Machine {
  /// INIT: the CPU is as after a reset, but for its caches and a few registers, and waits for a
  /// start-up message. §9.1, table 9-1.
  func initialise(_ cpu: Int) {
    let c = cpus[cpu]
    for word in 0..<CPU.wordCount { c[word] = 0 }
    c.rflags = CPU.Flag.fixed
    // Family 6, as CPUID says.
    c[CPU.Register.dx] = 0x600
    c.rip = 0xFFF0
    c[CPU.Word.cr0] = ControlBit.cd | ControlBit.nw | ControlBit.et
    c[CPU.Word.dr0 + 6] = 0xFFFF_0FF0
    c[CPU.Word.dr0 + 7] = 0x400
    c[CPU.Word.pat] = 0x0007_0406_0007_0406
    c[CPU.Word.gdtrLimit] = 0xFFFF
    c[CPU.Word.idtrLimit] = 0xFFFF
    for segment in 0..<6 {
      let isCode = segment == CPU.Segment.cs
      c.setSegment(
        segment, selector: isCode ? 0xF000 : 0, base: isCode ? 0xFFFF_0000 : 0, limit: 0xFFFF,
        attributes: isCode ? 0x9B : 0x93)
    }
    c.setSegment(CPU.Segment.ldtr, selector: 0, base: 0, limit: 0xFFFF, attributes: 0x82)
    c.setSegment(CPU.Segment.tr, selector: 0, base: 0, limit: 0xFFFF, attributes: 0x8B)
    c[CPU.Word.activity] = CPU.Activity.waitForSIPI
    apic(cpu).reset(cpu: cpu)
    flushTLB(cpu)
  }

  /// A start-up message: the CPU begins in real mode at page `vector`. One that is not waiting for it
  /// takes no notice. §8.4.3, §10.6.1.
  func startUp(_ cpu: Int, vector: Int) {
    let c = cpus[cpu]
    guard c[CPU.Word.activity] == CPU.Activity.waitForSIPI else { return }
    c.setSegment(
      CPU.Segment.cs, selector: UInt16(vector) << 8, base: UInt64(vector) << 12, limit: 0xFFFF,
      attributes: 0x9B)
    c.rip = 0
    c[CPU.Word.activity] = CPU.Activity.running
  }

  // MARK: Questions

  public func isInRealMode(cpu: Int) -> Bool { isReal(cpu) }

  /// Whether the CPU can do something by itself: it runs, or would wake at this boundary.
  public func canRun(cpu: Int) -> Bool {
    switch cpus[cpu][CPU.Word.activity] {
    case CPU.Activity.running: true
    case CPU.Activity.halted: isAboutToDeliver(cpu)
    default: false
    }
  }

  public func isHalted(cpu: Int) -> Bool { cpus[cpu][CPU.Word.activity] == CPU.Activity.halted }

  /// Whether the CPU has not been started yet.
  public func isWaitingForStartUp(cpu: Int) -> Bool {
    cpus[cpu][CPU.Word.activity] == CPU.Activity.waitForSIPI
  }

  /// Whether a CPU other than this one can run.
  func anotherCanRun(than cpu: Int) -> Bool {
    for other in cpus.indices where other != cpu && canRun(cpu: other) { return true }
    return false
  }

  // MARK: Plain runs

  /// Instructions after which a plain run looks at its memory.
  private static let loneQuantum = 1 << 18

  /// Executes up to `limit` instructions, a few dozen of each CPU in turn: the same machine always runs
  /// in the same way. Time passes for all of them together.
  /// - Parameter quantum: instructions of one CPU before it is the next one's turn; of no importance
  ///   where there is only one.
  /// - Returns: why the run ended, and which CPU ended it. `.halted`: no CPU can go on; `.event`: it has
  ///   sent `stopText`.
  public func runAll(limit: Int, quantum: Int = 64) -> (stop: Stop, cpu: Int) {
    let end = instructions &+ UInt64(limit)
    let quantum = cpus.count == 1 ? Machine.loneQuantum : quantum
    while instructions < end {
      if memory.wantsCompaction { compactMemory() }
      var ran = false
      for _ in cpus.indices {
        let cpu = turn % cpus.count
        let before = instructions
        if canRun(cpu: cpu) || (isHalted(cpu: cpu) && !anotherCanRun(than: cpu)) {
          let stop = run(cpu: cpu, limit: min(quantum, Int(end &- instructions)))
          switch stop {
          case .limit: ran = true
          case .halted: if instructions != before { ran = true }
          default: return (stop, cpu)
          }
          if instructions >= end { return (.limit, cpu) }
        }
        turn &+= 1
      }
      if !ran { return (.halted, 0) }
    }
    return (.limit, turn % cpus.count)
  }
}
