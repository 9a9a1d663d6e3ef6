import Emulator

/// Steps that were executed once, by what they read.
///
/// A step (one choice, up to the next state) is a function of the CPUs' blocks and of the bytes that it
/// reads before it writes them. Most states of a search differ only in what some other context has
/// done, which the step does not look at: then what it did the first time is done again without executing
/// it. For each choice and CPU block there is a tree: a node names bytes and their value, and leads
/// to what was read next; a leaf holds what was written, and the CPUs' blocks afterwards.
final class RunCache {
  /// One read on the way; when the bytes have this value, the next node follows. `place` 0: a leaf,
  /// whose number is `value`. (Nodes are entered as chains that end in a leaf.)
  private struct Node {
    var place: UInt64
    var value: UInt64
  }

  /// What follows a node, or begins a tree, when the value is another.
  private struct Branch {
    var key: (UInt64, UInt64) = (0, 0)
    var next: UInt32 = 0
  }

  private struct Leaf {
    var choices: UInt32
    var writes: Int32
    var writeCount: Int32
    var words: Int32
    var wordCount: Int32
    /// The CPUs' part of the key afterwards.
    var cpuKey: Fingerprint
  }

  /// A word of a CPU's block, and what it is to become.
  private struct Word {
    var place: UnsafeMutablePointer<UInt64>
    var value: UInt64
  }

  private var nodes: [Node] = []
  private var branches: UnsafeMutablePointer<Branch>
  private var branchCapacity = 1 << 12
  private var branchCount = 0
  private var leaves: [Leaf] = []
  private var writes: [Recorder.Bytes] = []
  private var words: [Word] = []
  private var before: [UInt64]
  private let memory: Memory
  private let masks = Recorder.masks

  private(set) var hits = 0
  private(set) var misses = 0
  /// Bytes that it may take; it then starts afresh.
  let capacity: Int

  init(memory: Memory, cpuCount: Int, capacity: Int) {
    self.memory = memory
    self.capacity = capacity
    before = Array(repeating: 0, count: CPU.wordCount * cpuCount)
    branches = .allocate(capacity: branchCapacity)
    branches.initialize(repeating: Branch(), count: branchCapacity)
  }

  deinit { branches.deallocate() }

  var bytes: Int {
    nodes.capacity * MemoryLayout<Node>.stride + branchCapacity * MemoryLayout<Branch>.stride
      + leaves.capacity * MemoryLayout<Leaf>.stride
      + writes.capacity * MemoryLayout<Recorder.Bytes>.stride
      + words.capacity * MemoryLayout<Word>.stride
  }

  func forget() {
    nodes.removeAll()
    leaves.removeAll()
    writes.removeAll()
    words.removeAll()
    branches.deallocate()
    branchCapacity = 1 << 12
    branchCount = 0
    branches = .allocate(capacity: branchCapacity)
    branches.initialize(repeating: Branch(), count: branchCapacity)
  }

  // MARK: Branches

  private func slot(_ a: UInt64, _ b: UInt64) -> Int {
    let product = (a ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: b ^ 0xE703_7ED1_A0B4_28DB)
    let mask = branchCapacity &- 1
    var at = Int(truncatingIfNeeded: product.high ^ product.low) & mask
    while branches[at].next != 0 && branches[at].key != (a, b) { at = (at &+ 1) & mask }
    return at
  }

  private func enter(_ a: UInt64, _ b: UInt64, _ node: Int) {
    branches[slot(a, b)] = Branch(key: (a, b), next: UInt32(node))
    branchCount += 1
    if branchCount * 2 > branchCapacity { growBranches() }
  }

  private func growBranches() {
    let (old, count) = (branches, branchCapacity)
    branchCapacity *= 2
    branches = .allocate(capacity: branchCapacity)
    branches.initialize(repeating: Branch(), count: branchCapacity)
    for i in 0..<count where old[i].next != 0 {
      branches[slot(old[i].key.0, old[i].key.1)] = old[i]
    }
    old.deallocate()
  }

  /// A tree is named by the choice and the CPUs' part of the key; the top bit tells its name from
  /// a node's.
  private func root(_ choice: Int, _ cpuKey: Fingerprint) -> (UInt64, UInt64) {
    (cpuKey.low | 1 << 63, cpuKey.high &+ UInt64(choice) &* 0x9E37_79B9_7F4A_7C15)
  }

  // MARK: Finding

  /// Does again what a step with this choice did that read what is there now.
  /// - Returns: the choices at the state that it led to, and the CPUs' part of its key.
  func repeatStep(
    _ choice: Int, _ cpuKey: Fingerprint, _ machine: Machine
  ) -> (choices: UInt32, cpuKey: Fingerprint)? {
    let (a, b) = root(choice, cpuKey)
    var at = branches[slot(a, b)].next
    let masks = masks
    let found: Int? = nodes.withUnsafeBufferPointer { nodes in
      while at != 0 {
        let node = nodes[Int(at)]
        if node.place == 0 { return Int(node.value) }
        let value =
          memory.contents(ofWord: node.place >> 8) & masks[Int(node.place & 0xFF)]
        at = value == node.value ? at &+ 1 : branches[slot(UInt64(at), value)].next
      }
      return nil
    }
    guard let found else {
      misses += 1
      return nil
    }
    let leaf = leaves[found]
    let applied = writes.withUnsafeBufferPointer {
      memory.apply(
        UnsafeBufferPointer(
          rebasing: $0[Int(leaf.writes)..<Int(leaf.writes + leaf.writeCount)]))
    }
    if !applied {
      misses += 1
      return nil
    }
    words.withUnsafeBufferPointer {
      for word in $0[Int(leaf.words)..<Int(leaf.words + leaf.wordCount)] {
        word.place.pointee = word.value
      }
    }
    hits += 1
    return (leaf.choices, leaf.cpuKey)
  }

  // MARK: Recording

  func begin(_ machine: Machine) {
    for (c, cpu) in machine.cpus.enumerated() {
      for i in 0..<CPU.wordCount { before[c * CPU.wordCount + i] = cpu.words[i] }
    }
    memory.beginRecording()
  }

  func abandon() { memory.endRecording() }

  /// Enters what was recorded since `begin`.
  /// - Returns: false when a step that read the same went on to read something else: what a step does
  ///   then depends on more than what is recorded, which is a defect of ours.
  func end(
    _ choice: Int, _ cpuKey: Fingerprint, choices: UInt32, cpuKeyAfter: Fingerprint,
    _ machine: Machine
  ) -> Bool {
    memory.endRecording()
    if nodes.isEmpty { nodes.append(Node(place: 0, value: 0)) }
    // Where the chain of what is new begins: at the root, or at a node with another value.
    var (a, b) = root(choice, cpuKey)
    let reads = memory.recordedReads
    var known = 0
    var at = Int(branches[slot(a, b)].next)
    while at != 0 {
      // The same step again: it could not be repeated because code follows from what it writes.
      if known == reads.count { return nodes[at].place == 0 }
      let read = reads[known]
      if nodes[at].place != read.place { return false }
      known += 1
      if nodes[at].value == read.value {
        at += 1
      } else {
        (a, b) = (UInt64(at), read.value)
        at = Int(branches[slot(a, b)].next)
      }
    }
    enter(a, b, nodes.count)
    for read in reads[known...] { nodes.append(Node(place: read.place, value: read.value)) }
    nodes.append(Node(place: 0, value: UInt64(leaves.count)))
    let firstWrite = writes.count
    memory.forEachRecordedWrite { writes.append($0) }
    let firstWord = words.count
    for (c, cpu) in machine.cpus.enumerated() {
      for i in 0..<CPU.wordCount where cpu.words[i] != before[c * CPU.wordCount + i] {
        words.append(Word(place: cpu.words + i, value: cpu.words[i]))
      }
    }
    leaves.append(
      Leaf(
        choices: choices, writes: Int32(firstWrite), writeCount: Int32(writes.count - firstWrite),
        words: Int32(firstWord), wordCount: Int32(words.count - firstWord), cpuKey: cpuKeyAfter))
    if bytes > capacity { forget() }
    return true
  }
}
