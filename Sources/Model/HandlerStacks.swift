import Emulator

/// Stacks that handlers switch to by hand, as interrupt stacks are: learned during the search, monotonic,
/// never part of a state.
///
/// A handler loads the top of such a stack and later, at another instruction, the stack pointer that it
/// left. A task switch does neither: it comes back through the instruction by which it went. What is told
/// so late is taken into account at the end of the search, as which locks handlers take is.
struct HandlerStacks {
  /// A load of the stack pointer: the strand at its other end, the stack pointer there, the instruction.
  private struct Load: Hashable {
    var strand: UInt64
    var sp: UInt64
    var rip: UInt64
  }
  /// By which loads a handler began each strand, and by which it was left for a handler.
  private var begun: [UInt64: Set<Load>] = [:]
  private var left: [UInt64: Set<Load>] = [:]
  /// Locks acquired on strands with no interrupt in flight on them, as `World.handlerKey`, with where.
  private var locks: [UInt64: [UInt64: UInt64]] = [:]

  init() {}

  /// Takes up a load of the stack pointer from one strand to another; each with the number of interrupts
  /// in flight on it.
  mutating func note(
    _ event: Event, left old: (strand: UInt64, depth: Int),
    entered new: (strand: UInt64, depth: Int)
  ) {
    if old.depth > 0 && new.strand == event.newSP {
      begun[new.strand, default: []].insert(
        Load(strand: old.strand, sp: event.oldSP, rip: event.rip))
    } else if old.depth == 0 && new.depth > 0 {
      left[old.strand, default: []].insert(
        Load(strand: new.strand, sp: event.newSP, rip: event.rip))
    }
  }

  mutating func noteAcquire(_ key: UInt64, on strand: UInt64, at rip: UInt64) {
    locks[strand, default: [:]][key] = min(rip, locks[strand]?[key] ?? .max)
  }

  /// Whether handlers switch to a strand by hand: begun by one, and left for what that had left.
  func contains(_ strand: UInt64) -> Bool {
    guard let begun = begun[strand], let left = left[strand] else { return false }
    return begun.contains { b in
      left.contains { $0.strand == b.strand && $0.sp == b.sp && $0.rip != b.rip }
    }
  }

  /// Where a handler that runs on such a stack takes a lock.
  func site(of key: UInt64) -> UInt64? {
    locks.compactMap { strand, sites in sites[key].flatMap { contains(strand) ? $0 : nil } }.min()
  }

  /// What both know.
  mutating func merge(_ other: HandlerStacks) {
    begun.merge(other.begun) { $0.union($1) }
    left.merge(other.left) { $0.union($1) }
    locks.merge(other.locks) { $0.merging($1) { a, b in min(a, b) } }
  }

  // MARK: For a checkpoint

  init(from input: CheckpointReader) throws {
    func loads() throws -> [UInt64: Set<Load>] {
      let words = try input.getArray(UInt64.self)
      var loads: [UInt64: Set<Load>] = [:]
      for i in stride(from: 0, to: words.count, by: 4) {
        loads[words[i], default: []].insert(
          Load(strand: words[i + 1], sp: words[i + 2], rip: words[i + 3]))
      }
      return loads
    }
    begun = try loads()
    left = try loads()
    let words = try input.getArray(UInt64.self)
    for i in stride(from: 0, to: words.count, by: 3) {
      locks[words[i], default: [:]][words[i + 1]] = words[i + 2]
    }
  }

  func write(to out: CheckpointWriter) throws {
    for loads in [begun, left] {
      try out.put(
        loads.flatMap { strand, all in all.flatMap { [strand, $0.strand, $0.sp, $0.rip] } })
    }
    try out.put(locks.flatMap { strand, sites in sites.flatMap { [strand, $0.key, $0.value] } })
  }
}
