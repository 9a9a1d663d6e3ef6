import Emulator
import Model

/// Where the debugger wants an execution to stop.
struct StopConditions {
  enum BreakpointKind: Hashable, Sendable { case software, hardware }
  enum WatchKind: String, Hashable, Sendable {
    case write = "watch"
    case read = "rwatch"
    case access = "awatch"
  }

  struct Watch: Hashable {
    var kind: WatchKind
    /// Linear address, as the debugger knows it.
    var address: UInt64
    var size: Int
  }

  /// By linear address.
  private(set) var breakpoints: [UInt64: Set<BreakpointKind>] = [:]
  private(set) var watches: [Watch: Span] = [:]
  /// Instruction counts.
  var steps: Set<Int> = []

  /// The bytes that a watchpoint stands for: physical ones where its address is mapped when it is
  /// set, so that another mapping of them is noticed too.
  enum Span: Equatable {
    case physical([UInt64])
    case linear
  }

  mutating func insert(_ kind: BreakpointKind, at address: UInt64) {
    breakpoints[address, default: []].insert(kind)
  }

  mutating func remove(_ kind: BreakpointKind, at address: UInt64) {
    breakpoints[address]?.remove(kind)
    if breakpoints[address]?.isEmpty == true { breakpoints[address] = nil }
  }

  mutating func insert(_ watch: Watch, machine: Machine, cpu: Int) {
    let bytes = (0..<UInt64(watch.size)).map {
      machine.physicalAddress(cpu: cpu, linear: watch.address &+ $0)
    }
    watches[watch] = bytes.contains(nil) ? .linear : .physical(bytes.map { $0! })
  }

  mutating func remove(_ watch: Watch) { watches[watch] = nil }

  /// The first watchpoint that one of these accesses, or a change of the bytes, sets off.
  func watch(hitBy accesses: [Access], changed: (Watch) -> Bool) -> Watch? {
    for (watch, span) in watches {
      let isHit = accesses.contains { access in
        let wanted =
          switch watch.kind {
          case .write: access.isWrite
          case .read: !access.isWrite
          case .access: true
          }
        guard wanted else { return false }
        switch span {
        case .linear:
          return access.linear < watch.address &+ UInt64(watch.size)
            && watch.address < access.linear &+ UInt64(access.size)
        case .physical(let bytes):
          let end = access.physical &+ UInt64(access.size)
          return bytes.contains { access.physical <= $0 && $0 < end }
        }
      }
      // The processor also writes by itself: accessed and dirty bits of page tables.
      if isHit || (watch.kind != .read && changed(watch)) { return watch }
    }
    return nil
  }
}

/// Why an execution stopped.
enum StopReason: Equatable {
  case stepped(cpu: Int)
  case breakpoint(StopConditions.BreakpointKind, cpu: Int)
  case watchpoint(StopConditions.Watch, cpu: Int)
  /// At an instruction count that was asked for.
  case reachedStep
  case interrupted
  case beginning
  case end(Execution.Ending)
}
