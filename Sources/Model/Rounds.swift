/// States that wait, by what it takes to come to them: all with fewer injected events come before those
/// with more, and among those with as many, all with fewer steps.
struct Rounds {
  private(set) var layer = 0
  private(set) var steps = -1
  /// Of this layer, and of the next one, by steps.
  private var now: [Int: [WaitingBlock]] = [:]
  private var later: [Int: [WaitingBlock]] = [:]

  /// Waiting states and their bytes.
  private(set) var count = 0
  private(set) var bytes = 0

  mutating func deallocate() {
    for block in now.values.joined() { block.deallocate() }
    for block in later.values.joined() { block.deallocate() }
    self = Rounds()
  }

  /// Takes what was found in the present round.
  mutating func add(plain: [WaitingBlock], injected: [WaitingBlock]) {
    for block in plain + injected {
      count += block.states
      bytes += block.capacity
    }
    if !plain.isEmpty { now[steps + 1, default: []] += plain }
    if !injected.isEmpty { later[steps + 1, default: []] += injected }
  }

  /// Goes on to the next round.
  /// - Returns: its states, which are the caller's from now on; nil when none are left.
  mutating func next() -> [WaitingBlock]? {
    if now.isEmpty {
      if later.isEmpty { return nil }
      swap(&now, &later)
      layer += 1
    }
    steps = now.keys.min()!
    let blocks = now.removeValue(forKey: steps)!
    for block in blocks {
      count -= block.states
      bytes -= block.capacity
    }
    return blocks
  }

  /// Takes back states of the present round that were not expanded.
  mutating func putBack(_ blocks: [WaitingBlock]) {
    for block in blocks {
      count += block.states
      bytes += block.capacity
    }
    if !blocks.isEmpty { now[steps, default: []] += blocks }
  }

  // MARK: Checkpoints

  func write(to out: CheckpointWriter) throws {
    try out.put(layer)
    try out.put(steps)
    for waiting in [now, later] {
      try out.put(all: waiting) {
        try out.put($0.key)
        try out.put(all: $0.value) { try $0.write(to: out) }
      }
    }
  }

  /// Into one without waiting states.
  mutating func read(from input: CheckpointReader) throws {
    layer = try input.getInt()
    steps = try input.getInt()
    func blocks() throws -> [Int: [WaitingBlock]] {
      Dictionary(
        uniqueKeysWithValues: try input.getAll {
          (try input.getInt(), try input.getAll { try WaitingBlock(from: input) })
        })
    }
    now = try blocks()
    later = try blocks()
    for block in now.values.joined() + Array(later.values.joined()) {
      count += block.states
      bytes += block.capacity
    }
  }
}
