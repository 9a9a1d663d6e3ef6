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

  /// Numbers given to states, and to none: below this.
  let count: Int
  private let streams: [StepStream]

  init(kinds: StateKinds, count: Int, streams: [StepStream]) {
    self.count = count
    info = InfoView(kinds: kinds, flags: kinds.flags, endIndex: count)
    self.streams = streams
  }

  var edgeCount: Int { streams.reduce(0) { $0 + $1.edgeCount } }

  /// What is known of each state. A number without a state is like the sink.
  let info: InfoView

  struct InfoView: RandomAccessCollection {
    fileprivate let kinds: StateKinds
    fileprivate let flags: [Flags]
    let endIndex: Int
    var startIndex: Int { 0 }
    @inline(__always) subscript(_ state: Int) -> Flags { flags[Int(kinds[state])] }
  }

  /// Calls `body` with every edge.
  func forEachEdge(_ body: (_ source: Int, _ choice: Int, _ target: Int) -> Void) {
    for stream in streams { stream.forEachEdge(body) }
  }

  /// Edges by source.
  func forward() -> Adjacency {
    Adjacency(stateCount: count, edgeCount: edgeCount) { add in
      forEachEdge { s, c, t in add(s, c, t) }
    }
  }

  /// Edges by target.
  func backward() -> Adjacency {
    Adjacency(stateCount: count, edgeCount: edgeCount) { add in
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
