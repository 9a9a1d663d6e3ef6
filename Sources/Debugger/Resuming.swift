import Emulator
import Model

/// The packets that move the execution, and what is said when it stops.
extension Session {
  // MARK: Moving

  /// `c`, `s`, and with a signal `C`, `S`: no kernel gets signals. GDB manual, appendix E.2.
  func resume(_ operation: Character, _ rest: Substring) -> [UInt8] {
    // An address to go on from would be another execution.
    let address =
      operation.isLowercase
      ? rest : rest.split(separator: ";", maxSplits: 1).dropFirst().first ?? ""
    guard address.isEmpty else { return Self.readOnly }
    return operation.lowercased() == "c" ? go() : step(movingCPU ?? cpu)
  }

  /// `bc`, `bs`. GDB manual, appendix E.2.
  func resumeBackward(_ rest: Substring) -> [UInt8] {
    switch rest {
    case "c": return stop(travel.backward())
    case "s": return stop(travel.backward(cpu: movingCPU ?? cpu))
    default: return Self.unknown
    }
  }

  /// `vCont`: what each thread is to do. The schedule says which CPU moves when, so that a step of one
  /// CPU takes the others along as far as they went.
  func resume(actions: Substring) -> [UInt8] {
    for action in actions.split(separator: ";", omittingEmptySubsequences: true) {
      let parts = action.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      var target: Int?
      if parts.count == 2, parts[1] != "-1" {
        guard let found = thread(parts[1]) else { return Self.invalid }
        target = found
      }
      let what = parts[0]
      switch what.first {
      case "c", "C": return go()
      case "s", "S": return step(target ?? cpu)
      case "r":
        let bounds = what.dropFirst().split(separator: ",")
        guard bounds.count == 2, let low = Hex.number(bounds[0]), let high = Hex.number(bounds[1])
        else { return Self.invalid }
        return step(target ?? cpu, within: low, high)
      default: return Self.invalid
      }
    }
    return Self.invalid
  }

  private func go() -> [UInt8] { stop(travel.forward()) }

  private func step(_ cpu: Int) -> [UInt8] { stop(travel.forward { $0 == cpu }) }

  private func step(_ cpu: Int, within low: UInt64, _ high: UInt64) -> [UInt8] {
    stop(
      travel.forward { [machine] moved in
        guard moved == cpu else { return false }
        let pc = machine.cpus[cpu].rip
        return pc < low || pc >= high
      })
  }

  private func stop(_ reason: StopReason) -> [UInt8] {
    lastStop = reason
    switch reason {
    case .stepped(let moved), .breakpoint(_, let moved), .watchpoint(_, let moved): cpu = moved
    case .end(let ending):
      cpu = execution.movingCPU
      tell(printable(sentence(ending)))
    case .reachedStep, .interrupted, .beginning: cpu = execution.movingCPU
    }
    return stopReply(reason)
  }

  private func sentence(_ ending: Execution.Ending) -> String {
    let c = execution.counterexample
    switch ending {
    case .broken, .scheduleEnds:
      return "\(c.rule), after \(execution.steps) instructions:\n\(c.title)\n"
    case .diverged(let reason):
      return "The execution leaves the schedule after \(execution.steps) instructions: \(reason)\n"
    }
  }

  // MARK: Stop replies

  /// GDB manual, appendix E.3. Signal 5 is SIGTRAP, 2 SIGINT.
  func stopReply(_ reason: StopReason) -> [UInt8] {
    var signal = "05"
    var what = ""
    switch reason {
    case .stepped, .reachedStep: break
    case .interrupted: signal = "02"
    case .breakpoint(.software, _): what = knowsSoftwareBreakpoints ? "swbreak:;" : ""
    case .breakpoint(.hardware, _): what = knowsHardwareBreakpoints ? "hwbreak:;" : ""
    case .watchpoint(let watch, _):
      what = "\(watch.kind.rawValue):\(String(watch.address, radix: 16));"
    case .beginning: what = "replaylog:begin;"
    case .end: what = "replaylog:end;"
    }
    let thread = String(cpu + 1, radix: 16)
    let pc = String(registers.pc, radix: 16)
    let sp = String(registers.sp, radix: 16)
    let cpu = machine.cpus[cpu]
    return Array(
      ("T\(signal)thread:\(thread);core:\(String(self.cpu, radix: 16));\(what)"
        + "\(pc):\(registers.text(registers.pc, of: cpu));\(sp):\(registers.text(registers.sp, of: cpu));")
        .utf8)
  }
}
