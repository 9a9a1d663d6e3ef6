/// The states found and the steps between them, compactly; the basis of progress and of shortest
/// paths.
struct StateGraph {
  /// What is known of a state.
  struct Info {
    /// A CPU is in user code, or idle with IF=1: bit 0, and 16–22 for CPUs 1–7.
    static func userOrIdle(_ cpu: Int) -> Flags { cpu == 0 ? 1 << 0 : 1 << Flags(15 + cpu) }
    /// Its IF is 1: bit 1, and 24–30.
    static func interruptsOn(_ cpu: Int) -> Flags { cpu == 0 ? 1 << 1 : 1 << Flags(23 + cpu) }
    /// No CPU can go on.
    static let halted: Flags = 1 << 2
    static let spinning: Flags = 1 << 3
    static let exited: Flags = 1 << 4
    /// A bound keeps a source from firing here.
    static let bounded: Flags = 1 << 5
    /// Stands for executions that a broken rule or an obstacle ended.
    static let sink: Flags = 1 << 6
    /// Bits 8–15: user contexts that are in the kernel.
    static let contextShift = 8
  }

  typealias Flags = UInt32

  private(set) var info = ChunkedArray<Flags>()
  /// Records `source, choices, target…`, all variable-length: see `addEdges`.
  private var stream = ChunkedArray<UInt8>()
  private(set) var edgeCount = 0
  /// States that the records so far speak of: new ones have the numbers from here on.
  private var known = 0

  mutating func add(_ stateInfo: Flags) { info.append(stateInfo) }

  var bytes: Int { info.bytes + stream.bytes }

  func deallocate() {
    info.deallocate()
    stream.deallocate()
  }

  /// Adds what a state's choices lead to, in the order of their bits.
  ///
  /// Mostly the source is the state found last, and a new target has the next number: one byte each.
  mutating func addEdges(
    from source: Int, choices: UInt32, targets: UnsafeBufferPointer<Int>
  ) {
    let follows = source == known - 1
    put(UInt64(choices) << 1 | (follows ? 1 : 0))
    if !follows { put(UInt64(source)) }
    let first = known
    for target in targets {
      if target >= first {
        put(UInt64(target - first) << 1 | 1)
      } else {
        let d = Int64(target - source)
        put(UInt64(bitPattern: d << 1 ^ d >> 63) << 1)
      }
      known = max(known, target + 1)
    }
    known = max(known, source + 1)
    edgeCount += targets.count
  }

  private mutating func put(_ value: UInt64) {
    var v = value
    while v >= 0x80 {
      stream.append(UInt8(truncatingIfNeeded: v) | 0x80)
      v >>= 7
    }
    stream.append(UInt8(truncatingIfNeeded: v))
  }

  /// Calls `body` with every edge.
  func forEachEdge(_ body: (_ source: Int, _ choice: Int, _ target: Int) -> Void) {
    var i = 0
    func get() -> UInt64 {
      var v: UInt64 = 0
      var shift: UInt64 = 0
      while true {
        let b = stream[i]
        i += 1
        v |= UInt64(b & 0x7F) << shift
        if b & 0x80 == 0 { return v }
        shift += 7
      }
    }
    var known = 0
    while i < stream.count {
      let head = get()
      let source = head & 1 != 0 ? known - 1 : Int(get())
      var choices = UInt32(truncatingIfNeeded: head >> 1)
      let first = known
      while choices != 0 {
        let choice = choices.trailingZeroBitCount
        choices &= choices - 1
        let code = get()
        let z = code >> 1
        let target =
          code & 1 != 0
          ? first + Int(z) : source + Int(Int64(bitPattern: z >> 1) ^ -Int64(bitPattern: z & 1))
        body(source, choice, target)
        known = max(known, target + 1)
      }
      known = max(known, source + 1)
    }
  }

  /// Edges by source.
  func forward() -> Adjacency {
    Adjacency(stateCount: info.count, edgeCount: edgeCount) { add in
      forEachEdge { s, c, t in add(s, c, t) }
    }
  }

  /// Edges by target.
  func backward() -> Adjacency {
    Adjacency(stateCount: info.count, edgeCount: edgeCount) { add in
      forEachEdge { s, c, t in add(t, c, s) }
    }
  }
}

/// Edges of a graph, in one array, by one of their ends.
struct Adjacency {
  private var starts: [UInt32]
  private var ends: [UInt32]
  private var labels: [UInt8]

  init(stateCount: Int, edgeCount: Int, _ each: ((Int, Int, Int) -> Void) -> Void) {
    var starts = [UInt32](repeating: 0, count: stateCount + 1)
    each { key, _, _ in starts[key + 1] += 1 }
    for i in 0..<stateCount { starts[i + 1] += starts[i] }
    var next = starts
    var ends = [UInt32](repeating: 0, count: edgeCount)
    var labels = [UInt8](repeating: 0, count: edgeCount)
    each { key, label, other in
      let at = Int(next[key])
      ends[at] = UInt32(other)
      labels[at] = UInt8(label)
      next[key] += 1
    }
    self.starts = starts
    self.ends = ends
    self.labels = labels
  }

  @inline(__always) func forEach(_ state: Int, _ body: (_ other: Int, _ choice: Int) -> Void) {
    for e in Int(starts[state])..<Int(starts[state + 1]) { body(Int(ends[e]), Int(labels[e])) }
  }
}

/// Cheapest ways from the first state: fewest injected events, then fewest steps.
struct ShortestPaths {
  /// Injected events in the upper half, steps in the lower.
  private(set) var cost: [UInt64]
  private var parent: [UInt32]
  private var choice: [UInt8]

  static let unreachable = UInt64.max

  init(graph: StateGraph, from root: Int) {
    let edges = graph.forward()
    let n = graph.info.count
    var cost = [UInt64](repeating: ShortestPaths.unreachable, count: n)
    var parent = [UInt32](repeating: .max, count: n)
    var choice = [UInt8](repeating: 0, count: n)
    cost[root] = 0
    // Levels of injected events; within a level, buckets by steps.
    var level: [UInt32: [UInt32]] = [0: [UInt32(root)]]
    var injected: UInt64 = 0
    while !level.isEmpty {
      var next: [UInt32: [UInt32]] = [:]
      var steps = level.keys.min()!
      var remaining = level
      while !remaining.isEmpty {
        guard let bucket = remaining.removeValue(forKey: steps) else {
          steps = remaining.keys.min()!
          continue
        }
        let here = injected << 32 | UInt64(steps)
        for s32 in bucket where cost[Int(s32)] == here {
          let s = Int(s32)
          edges.forEach(s) { target, c in
            let up: UInt64 = Choice.isInjection(c) ? 1 : 0
            let new = (injected + up) << 32 | UInt64(steps + 1)
            // Of equal costs the one from the lower-numbered choice stays: the result does not
            // depend on the order of the search.
            if new < cost[target] {
              cost[target] = new
              parent[target] = s32
              choice[target] = UInt8(c)
              if up == 0 {
                remaining[steps + 1, default: []].append(UInt32(target))
              } else {
                next[steps + 1, default: []].append(UInt32(target))
              }
            }
          }
        }
        if remaining[steps] == nil { steps += 1 }
      }
      level = next
      injected += 1
    }
    self.cost = cost
    self.parent = parent
    self.choice = choice
  }

  /// The choices that lead to a state, in order.
  func choices(to state: Int) -> [Int] {
    var result: [Int] = []
    var s = state
    while parent[s] != .max {
      result.append(Int(choice[s]))
      s = Int(parent[s])
    }
    return result.reversed()
  }
}
