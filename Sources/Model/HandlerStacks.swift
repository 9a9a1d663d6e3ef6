import Emulator

/// Stacks that handlers switch to by hand, as interrupt stacks are: learned during the search, monotonic,
/// never part of a state.
///
/// A handler loads the top of such a stack and later, at another instruction, the stack pointer that it
/// left. A task switch does neither: it comes back through the instruction by which it went. What is told
/// so late is taken into account at the end of the search, as which locks handlers take is.
struct HandlerStacks {
  /// Where each strand was begun by a handler: strand left, its stack pointer, the load.
  private struct Beginning: Hashable {
    var strand: UInt64
    var leftSP: UInt64
    var rip: UInt64
  }
  private var beginnings: [UInt64: Set<Beginning>] = [:]
  /// Strands that were begun by a handler, and left for what it had left.
  private(set) var strands: Set<UInt64> = []
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
    } else if left.depth == 0 && entered.depth > 0, !strands.contains(left.strand),
      let begun = beginnings[left.strand],
      begun.contains(where: {
        $0.strand == entered.strand && $0.leftSP == event.newSP && $0.rip != event.rip
      })
    {
      strands.insert(left.strand)
    }
  }

  mutating func noteAcquire(_ key: UInt64, on strand: UInt64, at rip: UInt64) {
    guard beginnings[strand] != nil else { return }
    locks[strand, default: [:]][key] = min(rip, locks[strand]?[key] ?? .max)
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
    strands.formUnion(other.strands)
    locks.merge(other.locks) { $0.merging($1) { a, b in min(a, b) } }
  }
}
