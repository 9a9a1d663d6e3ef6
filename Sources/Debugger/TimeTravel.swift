import Emulator
import Model

/// An execution that can be gone through forwards and backwards.
///
/// Every so many moments it is marked. To go back is to go back to a mark, which undoes the journal of
/// memory, and to execute again from there; what happens is the same, instruction by instruction.
final class TimeTravel {
  let execution: Execution
  var conditions = StopConditions()
  /// Asked every few thousand moments: whether the debugger wants to stop.
  var isInterrupted: () -> Bool = { false }

  /// Marks, earliest first; the first is of moment 0, none is later than the present one.
  private var marks: [Execution.Mark]
  /// Moments between marks.
  private static let interval = 256

  init(_ execution: Execution) {
    self.execution = execution
    marks = [execution.mark()]
  }

  var machine: Machine { execution.machine }

  // MARK: Forwards

  /// Goes on until a condition holds, or `isDone` says so after a motion of the CPU it is told.
  func forward(until isDone: (Int) -> Bool = { _ in false }) -> StopReason {
    execution.logsAccesses = !conditions.watches.isEmpty
    defer { execution.logsAccesses = false }
    var isFirst = true
    while true {
      if execution.moment & 0xFFF == 0xFFF, !isFirst, isInterrupted() { return .interrupted }
      let here = isFirst || !isAtBreakpoint ? nil : execution.mark()
      isFirst = false
      switch move() {
      case .ended(let ending): return .end(ending)
      case .moved(let motion):
        if let here, let kind = motion.breakpoint {
          execution.goBack(to: here)
          return .breakpoint(kind, cpu: motion.cpu)
        }
        if let watch = motion.watch { return .watchpoint(watch, cpu: motion.cpu) }
        if isDone(motion.cpu) { return .stepped(cpu: motion.cpu) }
        if motion.isInstruction, conditions.steps.contains(execution.steps) { return .reachedStep }
      }
    }
  }

  // MARK: Backwards

  /// Goes back to the latest earlier moment from which a condition is met, or to the beginning.
  func backward() -> StopReason {
    goBack { motion in
      if let kind = motion.breakpoint { return .breakpoint(kind, cpu: motion.cpu) }
      if let watch = motion.watch { return .watchpoint(watch, cpu: motion.cpu) }
      if motion.isInstruction, conditions.steps.contains(motion.steps) { return .reachedStep }
      return nil
    }
  }

  /// Goes back by one motion of a CPU, and whatever others did since.
  func backward(cpu: Int) -> StopReason {
    goBack { motion in
      if motion.cpu == cpu { return .stepped(cpu: cpu) }
      if let kind = motion.breakpoint { return .breakpoint(kind, cpu: motion.cpu) }
      if let watch = motion.watch { return .watchpoint(watch, cpu: motion.cpu) }
      return nil
    }
  }

  /// Searches stretch after stretch, the latest first: executes each again and remembers the last
  /// motion for which `judge` has a reason.
  private func goBack(_ judge: (Motion) -> StopReason?) -> StopReason {
    execution.logsAccesses = !conditions.watches.isEmpty
    defer { execution.logsAccesses = false }
    var end = execution.moment
    while end > 0 {
      let mark = markBefore(end)
      execution.goBack(to: mark)
      var latest: (moment: Int, reason: StopReason)?
      while execution.moment < end {
        let moment = execution.moment
        guard case .moved(let motion) = move() else { break }
        if let reason = judge(motion) { latest = (moment, reason) }
      }
      if let latest {
        travel(to: latest.moment)
        return latest.reason
      }
      end = mark.moment
      if end > 0, isInterrupted() {
        travel(to: end)
        return .interrupted
      }
    }
    travel(to: 0)
    return .beginning
  }

  /// Goes to an earlier moment.
  private func travel(to moment: Int) {
    execution.goBack(to: markBefore(moment + 1))
    while execution.moment < moment, case .moved = move() {}
  }

  private func markBefore(_ moment: Int) -> Execution.Mark {
    while marks.count > 1, marks[marks.count - 1].moment >= moment { marks.removeLast() }
    return marks[marks.count - 1]
  }

  // MARK: One motion

  private struct Motion {
    var cpu: Int
    var isInstruction: Bool
    /// Instructions executed before it.
    var steps: Int
    var breakpoint: StopConditions.BreakpointKind?
    var watch: StopConditions.Watch?
  }

  private enum Move {
    case moved(Motion)
    case ended(Execution.Ending)
  }

  private var counters: [UInt64] = []
  private var contents: [StopConditions.Watch: [UInt8?]] = [:]

  private func move() -> Move {
    if execution.moment >= marks[marks.count - 1].moment + Self.interval {
      marks.append(execution.mark())
    }
    counters.removeAll(keepingCapacity: true)
    for cpu in machine.cpus.indices { counters.append(pc(cpu)) }
    contents.removeAll(keepingCapacity: true)
    for watch in conditions.watches.keys { contents[watch] = bytes(of: watch) }
    let steps = execution.steps
    var motion: Motion
    switch execution.advance() {
    case .end(let ending): return .ended(ending)
    case .instruction(let cpu):
      motion = Motion(cpu: cpu, isInstruction: true, steps: steps)
      // A request that is taken comes before a breakpoint's instruction. Intel SDM Vol. 3A §6.9.
      let kinds = conditions.breakpoints[counters[cpu]]
      motion.breakpoint = kinds?.contains(.hardware) == true ? .hardware : kinds?.first
    case .delivery(let cpu): motion = Motion(cpu: cpu, isInstruction: false, steps: steps)
    }
    if !conditions.watches.isEmpty {
      motion.watch = conditions.watch(hitBy: execution.accesses) {
        contents[$0] != bytes(of: $0)
      }
    }
    return .moved(motion)
  }

  private var isAtBreakpoint: Bool {
    !conditions.breakpoints.isEmpty
      && machine.cpus.indices.contains { conditions.breakpoints[pc($0)] != nil }
  }

  /// Linear address of a CPU's next instruction.
  private func pc(_ cpu: Int) -> UInt64 {
    machine.cpus[cpu].base(CPU.Segment.cs) &+ machine.cpus[cpu].rip
  }

  private func bytes(of watch: StopConditions.Watch) -> [UInt8?] {
    switch conditions.watches[watch] {
    case .physical(let bytes): bytes.map { machine.memory.byte(at: $0) }
    // A change of the mapping is no write of the bytes.
    case .linear, nil: []
    }
  }
}
