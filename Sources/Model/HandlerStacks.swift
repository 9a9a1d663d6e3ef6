import Emulator

/// Stacks that handlers switch to by hand, as interrupt stacks are: learned during the search, monotonic,
/// never part of a state.
///
/// A handler loads the top of such a stack and later, at another instruction, the stack pointer that it
/// left. A task switch does neither: it comes back through the instruction by which it went. What is told
/// so late is taken into account at the end of the search, as which locks handlers take is.
///
/// Only what was seen is kept, and what follows from it is found out when it is asked for: so it does not
/// matter in which order it was seen, nor whether by one thread or by several.
struct HandlerStacks {
  /// Where a strand was begun by a handler: strand left, its stack pointer, the load.
  private struct Beginning: Hashable {
    var strand: UInt64
    var leftSP: UInt64
    var rip: UInt64
  }
  /// Where a strand without interrupts in flight was left for one with some.
  private struct Ending: Hashable {
    var strand: UInt64
    var enteredSP: UInt64
    var rip: UInt64
  }
  private var beginnings: [UInt64: Set<Beginning>] = [:]
  private var endings: [UInt64: Set<Ending>] = [:]
  /// Locks acquired on strands with no interrupt in flight on them, as `World.handlerKey`, with where.
  private(set) var locks: [UInt64: [UInt64: UInt64]] = [:]

  /// Takes up a load of the stack pointer from one strand to another; each with the number of interrupts
  /// in flight on it.
  mutating func note(
    _ event: Event, left: (strand: UInt64, depth: Int), entered: (strand: UInt64, depth: Int)
  ) {
    if left.depth > 0 && entered.strand == event.newSP {
      beginnings[entered.strand, default: []].insert(
        Beginning(strand: left.strand, leftSP: event.oldSP, rip: event.rip))
    } else if left.depth == 0 && entered.depth > 0 {
      endings[left.strand, default: []].insert(
        Ending(strand: entered.strand, enteredSP: event.newSP, rip: event.rip))
    }
  }

  mutating func noteAcquire(_ key: UInt64, on strand: UInt64, at rip: UInt64) {
    locks[strand, default: [:]][key] = min(rip, locks[strand]?[key] ?? .max)
  }

  /// Strands that were begun by a handler, and left for what it had left.
  var strands: Set<UInt64> {
    Set(
      endings.keys.filter { strand in
        guard let begun = beginnings[strand] else { return false }
        return endings[strand]!.contains { end in
          begun.contains {
            $0.strand == end.strand && $0.leftSP == end.enteredSP && $0.rip != end.rip
          }
        }
      })
  }

  /// Where a handler that runs on such a stack takes a lock.
  func site(of key: UInt64) -> UInt64? {
    for strand in strands.sorted() {
      if let site = locks[strand]?[key] { return site }
    }
    return nil
  }

  /// What both know.
  mutating func merge(_ other: HandlerStacks) {
    beginnings.merge(other.beginnings) { $0.union($1) }
    endings.merge(other.endings) { $0.union($1) }
    locks.merge(other.locks) { $0.merging($1) { a, b in min(a, b) } }
  }

  // MARK: Checkpoints

  init() {}

  func write(to out: CheckpointWriter) throws {
    try out.put(
      beginnings.flatMap { strand, all in all.flatMap { [strand, $0.strand, $0.leftSP, $0.rip] } })
    try out.put(
      endings.flatMap { strand, all in all.flatMap { [strand, $0.strand, $0.enteredSP, $0.rip] } })
    try out.put(locks.flatMap { strand, all in all.flatMap { [strand, $0.key, $0.value] } })
  }

  init(from input: CheckpointReader) throws {
    let begun = try input.getArray(UInt64.self)
    for i in stride(from: 0, to: begun.count, by: 4) {
      beginnings[begun[i], default: []].insert(
        Beginning(strand: begun[i + 1], leftSP: begun[i + 2], rip: begun[i + 3]))
    }
    let ended = try input.getArray(UInt64.self)
    for i in stride(from: 0, to: ended.count, by: 4) {
      endings[ended[i], default: []].insert(
        Ending(strand: ended[i + 1], enteredSP: ended[i + 2], rip: ended[i + 3]))
    }
    let taken = try input.getArray(UInt64.self)
    for i in stride(from: 0, to: taken.count, by: 3) {
      locks[taken[i], default: [:]][taken[i + 1]] = taken[i + 2]
    }
  }
}
