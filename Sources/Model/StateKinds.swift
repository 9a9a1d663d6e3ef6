import Synchronization

/// What is known of each state, two bytes each: the number of its flags among all that occur, and whether it
/// waits for the next layer.
final class StateKinds: @unchecked Sendable {
  /// The state was found by raising a source and has not been expanded yet; a way with fewer may come.
  static let waits: UInt16 = 1 << 15
  /// Its turn has come, and no cheaper way was found: whoever meets it among what waits expands it.
  static let isDue: UInt16 = 1 << 14

  private let region: Region<UInt16>
  private let cells: UnsafeMutablePointer<Atomic<UInt16>>
  /// Flags by number; the first is that of numbers without a state.
  private let known = Mutex<[StateGraph.Flags]>([StateGraph.Info.sink])

  init(limit: Int) {
    region = Region(limit: limit)
    cells = UnsafeMutableRawPointer(region.base).assumingMemoryBound(to: Atomic<UInt16>.self)
  }

  deinit { region.deallocate() }

  /// The numbers of the flags that one thread has met.
  struct Cache {
    private var flags: [StateGraph.Flags] = [.max, .max, .max, .max]
    private var kinds: [UInt16] = [0, 0, 0, 0]
    private var all: [StateGraph.Flags: UInt16] = [:]

    fileprivate mutating func kind(_ f: StateGraph.Flags, of owner: StateKinds) -> UInt16 {
      let at = Int((f ^ f >> 7 ^ f >> 15) & 3)
      if flags[at] == f { return kinds[at] }
      let kind = all[f] ?? owner.number(f)
      all[f] = kind
      flags[at] = f
      kinds[at] = kind
      return kind
    }
  }

  private func number(_ f: StateGraph.Flags) -> UInt16 {
    known.withLock { known in
      if let i = known.firstIndex(of: f) { return UInt16(i) }
      precondition(known.count < Int(StateKinds.isDue), "more kinds of states than are numbered")
      known.append(f)
      return UInt16(known.count - 1)
    }
  }

  /// All flags, by the number that stands for them.
  var flags: [StateGraph.Flags] { known.withLock { $0 } }

  /// The number that stands for a state's flags.
  @inline(__always) subscript(_ state: Int) -> UInt16 { region.base[state] & (StateKinds.isDue - 1) }

  @inline(__always) func set(
    _ state: Int, _ flags: StateGraph.Flags, waits: Bool, _ cache: inout Cache
  ) {
    let kind = cache.kind(flags, of: self)
    cells[state].store(waits ? kind | StateKinds.waits : kind, ordering: .releasing)
  }

  /// Takes a state that waits for the next layer, or for a later round of this one, because a cheaper way to it
  /// was found.
  /// - Returns: whether it was still waiting; of several threads, one gets true.
  @inline(__always) func claim(_ state: Int) -> Bool {
    while true {
      let now = cells[state].load(ordering: .acquiring)
      // Whoever has found it just now has not said yet what it is.
      if now == 0 { continue }
      if now & StateKinds.waits == 0 { return false }
      if cells[state].compareExchange(
        expected: now, desired: now & ~StateKinds.waits, ordering: .acquiringAndReleasing
      ).exchanged {
        return true
      }
    }
  }

  /// The turn of a state has come that has waited, if nobody took it before. By one thread, between rounds: what
  /// this round finds of its own states is no cheaper way.
  func makeDue(_ state: Int) {
    let now = cells[state].load(ordering: .relaxed)
    if now & StateKinds.waits == 0 { return }
    cells[state].store(now & ~StateKinds.waits | StateKinds.isDue, ordering: .relaxed)
  }

  /// Whether a state met among what waits is to be expanded there; once.
  @inline(__always) func takeDue(_ state: Int) -> Bool {
    let now = cells[state].load(ordering: .relaxed)
    if now & StateKinds.isDue == 0 { return false }
    cells[state].store(now & ~StateKinds.isDue, ordering: .relaxed)
    return true
  }

  // MARK: Checkpoints

  func write(to out: CheckpointWriter, count: Int) throws {
    try out.put(flags)
    try out.put(UnsafeRawBufferPointer(start: region.base, count: count * 2))
  }

  func read(from input: CheckpointReader, count: Int) throws {
    let flags = try input.getArray(StateGraph.Flags.self)
    known.withLock { $0 = flags }
    try input.get(into: UnsafeMutableRawBufferPointer(start: region.base, count: count * 2))
  }
}
