/// The steps that one thread has found, compactly: records `source, choices, target…`, of numbers in
/// variable length.
///
/// Mostly the source is the one behind the last, and a target either has the next of the numbers that this
/// thread gives, or one that was given a short time ago.
struct StepStream {
  private var bytes = ChunkedArray<UInt8>()
  private(set) var edgeCount = 0
  private var lastSource = 0
  /// The number given last.
  private var lastNew = 0

  var byteCount: Int { bytes.bytes }

  func deallocate() { bytes.deallocate() }

  /// Adds what a state's choices lead to, in the order of their bits.
  mutating func add(from source: Int, choices: UInt32, targets: UnsafeBufferPointer<Int>) {
    let follows = source == lastSource &+ 1
    put(UInt64(choices) << 1 | (follows ? 1 : 0))
    if !follows { put(signed: source &- lastSource) }
    lastSource = source
    for target in targets {
      put(signed: target &- lastNew &- 1)
      lastNew = max(lastNew, target)
    }
    edgeCount += targets.count
  }

  private mutating func put(signed value: Int) {
    put(UInt64(bitPattern: Int64(value << 1 ^ value >> 63)))
  }

  private mutating func put(_ value: UInt64) {
    var v = value
    while v >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: v) | 0x80)
      v >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: v))
  }

  /// Calls `body` with every step.
  func forEachEdge(_ body: (_ source: Int, _ choice: Int, _ target: Int) -> Void) {
    var i = 0
    func get() -> UInt64 {
      var v: UInt64 = 0
      var shift: UInt64 = 0
      while true {
        let b = bytes[i]
        i += 1
        v |= UInt64(b & 0x7F) << shift
        if b & 0x80 == 0 { return v }
        shift += 7
      }
    }
    func getSigned() -> Int {
      let z = get()
      return Int(truncatingIfNeeded: z >> 1) ^ -Int(truncatingIfNeeded: z & 1)
    }
    var source = 0
    var lastNew = 0
    while i < bytes.count {
      let head = get()
      source = head & 1 != 0 ? source + 1 : source + getSigned()
      var choices = UInt32(truncatingIfNeeded: head >> 1)
      while choices != 0 {
        let choice = choices.trailingZeroBitCount
        choices &= choices - 1
        let target = lastNew + 1 + getSigned()
        lastNew = max(lastNew, target)
        body(source, choice, target)
      }
    }
  }

  // MARK: Checkpoints

  init() {}

  func write(to out: CheckpointWriter) throws {
    try out.put(edgeCount)
    try out.put(bytes.count)
    try bytes.forEachChunk { try out.put(UnsafeRawBufferPointer($0)) }
  }

  init(from input: CheckpointReader) throws {
    edgeCount = try input.getInt()
    let count = try input.getInt()
    try bytes.append(count) { try input.get(into: UnsafeMutableRawBufferPointer($0)) }
  }
}
