/// What each CPU may still touch, from where it stands: learned during the search, to a fixpoint, never part
/// of a state.
///
/// A *standpoint* is a CPU's own state: its registers, and what it has on its stack. Each that was met is a
/// node; each step that was taken from one to another is an edge. What a CPU may touch from a standpoint is
/// what the nodes that can be reached from it touch. A decision that relied on something not being touched
/// is remembered; when it turns out to be touched all the same, the pass is worth nothing as a proof, and the
/// search starts again with what it has learned.
struct Futures {
  /// A set of resources: of 256, each of which is a granule of memory, or stands for several.
  struct Resources: Equatable {
    private(set) var bits = SIMD4<UInt64>()

    var isEmpty: Bool { bits == SIMD4() }
    mutating func insert(_ n: Int) { bits[n >> 6] |= 1 << UInt64(n & 63) }
    /// - Returns: whether that added something.
    mutating func formUnion(_ other: Resources) -> Bool {
      let union = bits | other.bits
      if union == bits { return false }
      bits = union
      return true
    }
    func meets(_ other: Resources) -> Bool { bits & other.bits != SIMD4() }
  }

  /// What a step touches, or all steps from a standpoint on.
  struct Touches: Equatable {
    var reads = Resources()
    var writes = Resources()

    mutating func formUnion(_ other: Touches) -> Bool {
      let r = reads.formUnion(other.reads)
      return writes.formUnion(other.writes) || r
    }

    /// Whether the order of the two matters.
    func conflicts(with other: Touches) -> Bool {
      writes.meets(other.writes) || writes.meets(other.reads) || reads.meets(other.writes)
    }
  }

  struct Node {
    /// What the CPU's next instruction touches; nil where it concerns more than memory and the CPU.
    var next: Touches?
    var future: Touches
    /// What decisions relied on not being in `future`.
    var excluded = Touches()
    var before: [Int32] = []
  }

  /// Resources that stand for more than a granule.
  enum Special {
    /// Devices, other CPUs: whatever orders all.
    static let everything = 0
    /// Which CPU is on which stack.
    static let stacks = 1
    /// Granules beyond those that have a number of their own.
    static let others = 2
    static let count = 3
  }

  private var index: [UInt64: Int] = [:]
  private(set) var nodes: [Node] = []
  private var granules: [UInt64: Int] = [:]
  /// Decisions of this pass that turned out to be wrong.
  private(set) var mistakes = 0
  /// Passes that were begun again for one.
  private(set) var repetitions = 0

  static let nodeLimit = 1 << 20
  static let repetitionLimit = 24

  var isFull: Bool { nodes.count >= Self.nodeLimit || repetitions >= Self.repetitionLimit }

  /// Begins a pass: what was decided is forgotten, what was learned stays.
  mutating func beginPass() {
    if mistakes > 0 { repetitions += 1 }
    mistakes = 0
    for n in nodes.indices { nodes[n].excluded = Touches() }
  }

  /// The reduction cannot be used in this scenario after all: what this pass decided may be wrong.
  mutating func giveUp() { mistakes += 1 }

  /// Forgets all: which bytes are shared has changed, and so what is a standpoint.
  mutating func forget() {
    index.removeAll()
    nodes.removeAll()
    granules.removeAll()
    mistakes = 0
  }

  func node(_ standpoint: UInt64) -> Int? { index[standpoint] }

  /// Adds a standpoint.
  /// - Parameters:
  ///   - next: what the CPU's next instruction touches, when that is all that it concerns.
  ///   - touches: what it touches, as far as others are concerned.
  mutating func add(_ standpoint: UInt64, next: Touches?, touches: Touches) -> Int {
    nodes.append(Node(next: next, future: touches))
    index[standpoint] = nodes.count - 1
    return nodes.count - 1
  }

  /// The number of the granule of four bytes with this physical address / 4.
  mutating func resource(_ granule: UInt64) -> Int {
    if let known = granules[granule] { return known }
    let n = Special.count + granules.count
    if n >= 256 { return Special.others }
    granules[granule] = n
    return n
  }

  /// Takes up a step from one standpoint to another.
  mutating func note(from a: Int, to b: Int) {
    if a == b || nodes[b].before.contains(Int32(a)) { return }
    nodes[b].before.append(Int32(a))
    propagate(nodes[b].future, to: a)
  }

  private mutating func propagate(_ touches: Touches, to first: Int) {
    var work = [Int32(first)]
    var what = [touches]
    while let n32 = work.popLast() {
      let n = Int(n32)
      let t = what.removeLast()
      guard nodes[n].future.formUnion(t) else { continue }
      let future = nodes[n].future
      if future.reads.meets(nodes[n].excluded.reads) || future.writes.meets(nodes[n].excluded.writes)
      {
        mistakes += 1
      }
      for p in nodes[n].before {
        work.append(p)
        what.append(future)
      }
    }
  }

  /// Whether what a CPU may do from a standpoint on could depend on a step, or the step on it. If not, that
  /// is relied on.
  mutating func depends(_ n: Int, on step: Touches) -> Bool {
    let future = nodes[n].future
    if !future.writes.isEmpty {
      var everything = Resources()
      everything.insert(Special.everything)
      if future.writes.meets(everything) { return true }
    }
    return future.conflicts(with: step)
  }

  mutating func rely(_ n: Int, on step: Touches) {
    _ = nodes[n].excluded.reads.formUnion(step.writes)
    _ = nodes[n].excluded.writes.formUnion(step.writes)
    _ = nodes[n].excluded.writes.formUnion(step.reads)
    var everything = Resources()
    everything.insert(Special.everything)
    _ = nodes[n].excluded.writes.formUnion(everything)
  }
}
