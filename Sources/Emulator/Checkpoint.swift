/// A machine's whole state in bytes, so that a long boot need not be executed twice.
///
/// Words of 64 bits, little-endian: a head (`Head`), the CPUs' blocks, the output so far, then each frame
/// that is not all zeros, and a check sum. A frame that repeats a word is kept as `SparseFrame` is, with or
/// without an allocation: what is restored has the same frames allocated, so that its fingerprint is
/// that of the machine it was taken from.
public struct Checkpoint: Sendable {
  public let bytes: [UInt8]

  public init(bytes: [UInt8]) { self.bytes = bytes }

  /// Instructions that the boot took.
  public var instructions: UInt64 {
    Checkpoint.isComplete(bytes) ? Words(bytes)[Head.instructions] : 0
  }

  fileprivate enum Head {
    static let magic = 0
    static let cpus = 1
    static let ramFrames = 2
    static let frames = 3
    static let instructions = 4
    static let idle = 5
    static let turn = 6
    static let serial = 7
    static let debug = 8
    static let kept = 9
    static let count = 10
  }
  /// "LLBOOT" and the layout's version.
  fileprivate static let magic: UInt64 = 0x0001_544F_4F42_4C4C

  /// How a frame is kept.
  fileprivate enum Kind {
    static let whole: UInt64 = 0
    static let sparse: UInt64 = 1
    /// Allocated, though it repeats a word.
    static let short: UInt64 = 2
  }

  /// Words of a byte array that has a whole number of them.
  fileprivate struct Words {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    var count: Int { bytes.count / 8 }
    subscript(_ n: Int) -> UInt64 {
      bytes.withUnsafeBytes {
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: n * 8, as: UInt64.self))
      }
    }
  }

  /// A sum over words, by which damage shows.
  fileprivate static func sum(_ bytes: UnsafeRawBufferPointer, words: Int) -> (UInt64, UInt64) {
    var low: UInt64 = 0x243F_6A88_85A3_08D3
    var high: UInt64 = 0x1319_8A2E_0370_7344
    for n in 0..<words {
      let word = UInt64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: n &* 8, as: UInt64.self))
      low = Fingerprint.fold(low ^ word, 0x9E37_79B9_7F4A_7C15)
      high = (high &+ low) &* 0xD6E8_FEB8_6659_FD93 ^ word
    }
    return (low, high)
  }

  /// Whether the bytes are those that `Machine.checkpoint` made.
  public static func isComplete(_ bytes: [UInt8]) -> Bool {
    guard bytes.count % 8 == 0, bytes.count >= (Head.count + 2) * 8 else { return false }
    let words = Words(bytes)
    guard words[0] == magic else { return false }
    let sum = bytes.withUnsafeBytes { Checkpoint.sum($0, words: words.count - 2) }
    return words[words.count - 2] == sum.0 && words[words.count - 1] == sum.1
  }

  /// A digest of bytes, to tell images apart.
  public static func digest(_ bytes: [UInt8]) -> String {
    var padded = bytes
    padded.append(1)
    while padded.count % 8 != 0 { padded.append(0) }
    let sum = padded.withUnsafeBytes { Checkpoint.sum($0, words: padded.count / 8) }
    let last = Fingerprint.fold(sum.0 ^ 0xA076_1D64_78BD_642F, sum.1 ^ 0xE703_7ED1_A0B4_28DB)
    return [last, sum.1].map { hex in
      let text = String(hex, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }.joined()
  }
}

extension Machine {
  /// The present state. Not for observed runs.
  public func checkpoint() -> Checkpoint {
    precondition(!memory.observed, "what an observed run has learned is not kept")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(memory.denseFrames * Memory.frameSize / 2)
    func add(_ word: UInt64) {
      withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    }
    func add(text: [UInt8]) {
      bytes.append(contentsOf: text)
      bytes.append(contentsOf: repeatElement(0, count: (8 - text.count % 8) % 8))
    }
    let kept = (0..<memory.frameCount).filter {
      memory.frames[$0] != nil || memory.sparseFrames[$0] != nil
    }
    add(Checkpoint.magic)
    add(UInt64(cpus.count))
    add(UInt64(memory.ramFrames))
    add(UInt64(memory.frameCount))
    add(instructions)
    add(idleInstructions)
    add(UInt64(turn))
    add(UInt64(serialOutput.count))
    add(UInt64(debugOutput.count))
    add(UInt64(kept.count))
    for cpu in cpus { for word in 0..<CPU.wordCount { add(cpu[word]) } }
    add(text: serialOutput)
    add(text: debugOutput)
    for index in kept {
      let name = UInt64(index) << 8
      if let p = memory.frames[index] {
        let words = p.assumingMemoryBound(to: UInt64.self)
        if let (fill, others) = Memory.sparseContents(words) {
          add(name | Checkpoint.Kind.short)
          add(fill)
          add(UInt64(others.count))
          for (number, value) in others {
            add(number)
            add(value)
          }
        } else {
          add(name | Checkpoint.Kind.whole)
          for w in 0..<512 { add(words[w]) }
        }
      } else if let block = memory.sparseFrames[index] {
        add(name | Checkpoint.Kind.sparse)
        for w in 0..<(2 + 2 * Int(block[SparseFrame.count])) { add(block[w]) }
      }
    }
    let sum = bytes.withUnsafeBytes { Checkpoint.sum($0, words: bytes.count / 8) }
    add(sum.0)
    add(sum.1)
    return Checkpoint(bytes: bytes)
  }

  /// Puts a new machine into the state of a checkpoint. False, with nothing changed, when it is damaged,
  /// or of another machine.
  public func restore(_ checkpoint: Checkpoint) -> Bool {
    let bytes = checkpoint.bytes
    guard !memory.observed, Checkpoint.isComplete(bytes) else { return false }
    let words = Checkpoint.Words(bytes)
    typealias Head = Checkpoint.Head
    guard words[Head.cpus] == UInt64(cpus.count),
      words[Head.ramFrames] == UInt64(memory.ramFrames),
      words[Head.frames] == UInt64(memory.frameCount)
    else { return false }
    let outputs = [Head.serial, Head.debug].map { Int(clamping: words[$0]) }
    // What the sum vouches for was written by `checkpoint`; a layout that does not add up is refused all
    // the same.
    var at = Head.count + cpus.count * CPU.wordCount
    for size in outputs {
      guard size <= bytes.count else { return false }
      at += (size + 7) / 8
    }
    guard let places = framePlaces(words, from: at) else { return false }

    instructions = words[Head.instructions]
    idleInstructions = words[Head.idle]
    turn = Int(truncatingIfNeeded: words[Head.turn])
    at = Head.count
    for cpu in cpus {
      for word in 0..<CPU.wordCount { cpu[word] = words[at + word] }
      at += CPU.wordCount
    }
    serialOutput = Array(bytes[at * 8..<at * 8 + outputs[0]])
    at += (outputs[0] + 7) / 8
    debugOutput = Array(bytes[at * 8..<at * 8 + outputs[1]])
    for index in 0..<memory.frameCount { memory.empty(index) }
    for place in places { restoreFrame(words, at: place) }
    for cpu in cpus.indices { flushTLB(cpu) }
    return true
  }

  /// Where each frame's words begin; nil when they do not fit.
  private func framePlaces(_ words: Checkpoint.Words, from start: Int) -> [Int]? {
    var at = start
    var places: [Int] = []
    let end = words.count - 2
    for _ in 0..<min(words[Checkpoint.Head.kept], UInt64(memory.frameCount)) {
      guard at < end, words[at] >> 8 < UInt64(memory.frameCount) else { return nil }
      places.append(at)
      if words[at] & 0xFF == Checkpoint.Kind.whole {
        at += 513
      } else {
        guard at + 2 < end, words[at + 2] <= UInt64(SparseFrame.limit) else { return nil }
        at += 3 + 2 * Int(words[at + 2])
      }
    }
    return at == end ? places : nil
  }

  private func restoreFrame(_ words: Checkpoint.Words, at place: Int) {
    let index = Int(words[place] >> 8)
    if words[place] & 0xFF == Checkpoint.Kind.whole {
      let p = memory.frame(index)
      words.bytes.withUnsafeBytes {
        p.copyMemory(from: $0.baseAddress! + (place + 1) * 8, byteCount: Memory.frameSize)
      }
      return
    }
    let others = (0..<Int(words[place + 2])).map {
      (number: words[place + 3 + 2 * $0] & 511, value: words[place + 4 + 2 * $0])
    }
    if words[place] & 0xFF == Checkpoint.Kind.sparse {
      memory.setSparse(index, fill: words[place + 1], others: others)
    } else {
      let p = memory.frame(index).assumingMemoryBound(to: UInt64.self)
      for w in 0..<512 { p[w] = words[place + 1] }
      for (number, value) in others { p[Int(number)] = value }
    }
  }
}

extension Memory {
  /// Zeroes a frame; one with an allocation keeps it, as there may be pointers to it.
  func empty(_ index: Int) {
    setSparse(index, fill: 0, others: [])
    frames[index]?.initializeMemory(as: UInt8.self, repeating: 0, count: Memory.frameSize)
  }
}
