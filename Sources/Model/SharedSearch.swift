import Emulator
import Synchronization

/// What the threads of one pass share. Nothing in it takes a lock while states are expanded, but for what
/// is met for the first time.
final class SharedSearch: @unchecked Sendable {
  let table: StateTable
  let kinds: StateKinds
  let contexts: ContextRegistry

  /// Why a round is left before its end.
  enum Halt {
    static let none = 0
    /// The table must grow; the round goes on afterwards.
    static let grow = 1
    /// The search is cut short, or begins anew.
    static let end = 2
    /// The search is to be written down; it goes on afterwards.
    static let pause = 3
  }
  let halt = Atomic<Int>(Halt.none)

  /// Injected events and steps of the states being expanded.
  var layer = 0
  var steps = 0
  /// What waits in this round, taken block by block.
  var blocks: [WaitingBlock] = []
  let nextBlock = Atomic<Int>(0)

  /// Figures that the threads add to every few states.
  let expanded = Atomic<Int>(0)
  let entered = Atomic<Int>(0)
  let transitions = Atomic<Int>(0)
  let instructions = Atomic<Int>(0)
  let stepBytes = Atomic<Int>(0)
  /// Bytes of caches, and of what was found in this round.
  let bytes = Atomic<Int>(0)
  /// States entered by a process that a checkpoint is of.
  var enteredBefore = 0
  /// Expanded states when something was learned first; 0: nothing was.
  let learnedAt = Atomic<Int>(0)

  init(memoryLimit: Int, contexts: ContextRegistry) {
    table = StateTable(memoryLimit: memoryLimit)
    kinds = StateKinds(limit: table.limit)
    self.contexts = contexts
  }
}
