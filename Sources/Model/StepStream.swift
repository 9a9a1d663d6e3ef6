/// The steps that one thread has found, compactly: records of a source, its choices, and where they lead.
///
/// Mostly the source is the one behind the last, and a target either has the next of the numbers that this
/// thread gives, which costs one bit, or one that was given a short time ago.
struct StepStream {
  private var bytes = ChunkedArray<UInt8>()
  private(set) var edgeCount = 0
  private var lastSource = 0
  /// The number given last.
  private var lastNew = 0

  var byteCount: Int { bytes.bytes }

  func deallocate() { bytes.deallocate() }

  /// The choice whose bit has a place in a record: the frequent ones come first.
  @inline(__always) private static func choice(at place: Int) -> Int {
    switch place {
    case 0...3: place
    case 4...6: place &+ 13
    case 7...9: place &- 3
    case 10...13: place &+ 10
    case 24: place
    default: place &- 7
    }
  }

  /// Adds what a state's choices lead to, in the order of their bits.
  ///
  /// A record begins with one bit for whether the source follows the last one, then, for each place up to
  /// the last choice, one bit for whether there is one, and if so, one for whether it leads to the next number.
  mutating func add(from source: Int, choices: UInt32, targets: UnsafeBufferPointer<Int>) {
    let follows = source == lastSource &+ 1
    var head: UInt64 = follows ? 1 : 0
    var shift: UInt64 = 1
    var new = lastNew
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 25) { others in
      var count = 0
      var rest = choices
      var place = 0
      while rest != 0 {
        let choice = StepStream.choice(at: place)
        let bit: UInt32 = 1 &<< UInt32(truncatingIfNeeded: choice)
        place &+= 1
        if rest & bit == 0 {
          shift &+= 1
          continue
        }
        rest &= ~bit
        let target = targets[(choices & (bit &- 1)).nonzeroBitCount]
        if target == new &+ 1 {
          head |= 3 &<< shift
        } else {
          head |= 1 &<< shift
          others[count] = target &- new &- 1
          count &+= 1
        }
        new = max(new, target)
        shift &+= 2
      }
      put(head)
      if !follows { put(signed: source &- lastSource) }
      for i in 0..<count { put(signed: others[i]) }
    }
    lastNew = new
    lastSource = source
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
      var head = get()
      source = head & 1 != 0 ? source + 1 : source + getSigned()
      head >>= 1
      var place = 0
      while head != 0 {
        if head & 1 != 0 {
          let isNext = head & 2 != 0
          head >>= 2
          let target = isNext ? lastNew + 1 : lastNew + 1 + getSigned()
          lastNew = max(lastNew, target)
          body(source, StepStream.choice(at: place), target)
        } else {
          head >>= 1
        }
        place += 1
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
