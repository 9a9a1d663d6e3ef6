import Emulator
import Synchronization

/// Keeps checkpoints of boots from one run of the command to the next. What it does with them is its own
/// matter; a checkpoint that it gives back is looked at before it is used.
public protocol CheckpointStore: AnyObject, Sendable {
  /// The checkpoint with this name, and where it is, for messages.
  func checkpoint(named name: String) -> (checkpoint: Checkpoint, place: String)?
  /// Keeps one, if it can.
  func keep(_ checkpoint: Checkpoint, named name: String)
}

/// Checkpoints of an image's boots: those of this run, and those of earlier ones where there is a store.
public final class BootCheckpoints: Sendable {
  /// Boots with fewer instructions are executed again: that takes no longer.
  static let worthKeeping: UInt64 = 1_000_000
  /// Bytes of checkpoints that a run keeps in its own memory.
  private static let limit = 256 << 20

  private struct Kept {
    var store: (any CheckpointStore)?
    var checkpoints: [(name: String, checkpoint: Checkpoint)] = []
  }
  private let kept = Mutex(Kept())

  init() {}

  /// Where checkpoints outlive the run; nil: nowhere.
  public var store: (any CheckpointStore)? {
    get { kept.withLock { $0.store } }
    set { kept.withLock { $0.store = newValue } }
  }

  /// A checkpoint of this run's.
  func own(_ name: String) -> Checkpoint? {
    kept.withLock { $0.checkpoints.first { $0.name == name }?.checkpoint }
  }

  /// One of an earlier run's.
  func stored(_ name: String) -> (checkpoint: Checkpoint, place: String)? {
    store?.checkpoint(named: name)
  }

  func keep(_ checkpoint: Checkpoint, _ name: String, storing: Bool) {
    kept.withLock { kept in
      kept.checkpoints.removeAll { $0.name == name }
      kept.checkpoints.append((name, checkpoint))
      while kept.checkpoints.count > 1,
        kept.checkpoints.reduce(0, { $0 + $1.checkpoint.bytes.count }) > Self.limit
      {
        kept.checkpoints.removeFirst()
      }
    }
    if storing { store?.keep(checkpoint, named: name) }
  }
}
