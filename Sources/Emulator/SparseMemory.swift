/// Frames without an allocation.
///
/// A kernel that fills every free page with junk, or links its free pages through their first words, touches
/// all of memory and means nothing by it. Of such a frame its repeated word and the few others are kept:
/// a block of words (`SparseFrame`). The next access that needs more than a look gives it an allocation
/// again. Frames are only made sparse in plain runs: what an observed run knows of a frame stays.

/// The words of a block: the repeated word, how many others there are, and each one's number and value.
enum SparseFrame {
  static let fill = 0
  static let count = 1
  static let first = 2
  /// Frames with more other words keep their allocation.
  static let limit = 8
}

extension Memory {
  /// Allocated frames at which a plain run looks for sparse ones first: 34 MB of the host's memory.
  static let firstCompaction = 4096

  /// Whether so many frames were allocated that `compact` may be worth its time.
  @inline(__always) var wantsCompaction: Bool { denseFrames >= compactionMark }

  /// Whether the frame holds something though it has no allocation.
  @inline(__always) func isSparse(_ index: Int) -> Bool {
    frames[index] == nil && (sparseFrames[index] != nil || !diskFrames.isEmpty)
  }

  /// A word of a frame without an allocation, by physical address / 8.
  @inline(never) func sparseWord(_ number: UInt64) -> UInt64 {
    let index = Int(truncatingIfNeeded: number >> 9)
    guard let block = sparseFrames[index] else {
      return diskFrames.isEmpty ? 0 : diskWord(index, Int(truncatingIfNeeded: number & 511))
    }
    for i in 0..<Int(block[SparseFrame.count])
    where block[SparseFrame.first + 2 * i] == number & 511 {
      return block[SparseFrame.first + 2 * i + 1]
    }
    return block[SparseFrame.fill]
  }

  /// Gives a new allocation, which is all zeros, the contents that the frame had without it.
  func fill(_ p: UnsafeMutableRawPointer, withSparse index: Int) {
    let words = p.assumingMemoryBound(to: UInt64.self)
    guard let block = sparseFrames[index] else {
      if let (disk, offset) = diskPlace(index) {
        disks[disk].withUnsafeBytes {
          p.copyMemory(
            from: $0.baseAddress! + offset, byteCount: min(Memory.frameSize, $0.count - offset))
        }
      }
      return
    }
    if block[SparseFrame.fill] != 0 {
      for w in 0..<512 { words[w] = block[SparseFrame.fill] }
    }
    for i in 0..<Int(block[SparseFrame.count]) {
      words[Int(block[SparseFrame.first + 2 * i])] = block[SparseFrame.first + 2 * i + 1]
    }
    block.deallocate()
    sparseFrames[index] = nil
  }

  /// Keeps a frame without an allocation as a repeated word and others, by number.
  func setSparse(_ index: Int, fill: UInt64, others: [(number: UInt64, value: UInt64)]) {
    sparseFrames[index]?.deallocate()
    sparseFrames[index] = nil
    if fill == 0 && others.isEmpty { return }
    let block = UnsafeMutablePointer<UInt64>.allocate(capacity: 2 + 2 * others.count)
    block[SparseFrame.fill] = fill
    block[SparseFrame.count] = UInt64(others.count)
    for (i, other) in others.enumerated() {
      block[SparseFrame.first + 2 * i] = other.number
      block[SparseFrame.first + 2 * i + 1] = other.value
    }
    sparseFrames[index] = block
  }

  /// What a frame that repeats one word can be kept as; nil when too many of its words differ. The last
  /// word is taken for the repeated one: kernels write to the beginning of a free page.
  static func sparseContents(
    _ words: UnsafePointer<UInt64>
  ) -> (fill: UInt64, others: [(number: UInt64, value: UInt64)])? {
    let fill = words[511]
    var count = 0
    var w = 0
    while w < 512 {
      // Sixteen at a time: most are as they should be.
      var difference: UInt64 = 0
      for i in 0..<16 { difference |= words[w &+ i] ^ fill }
      if difference != 0 {
        for i in 0..<16 where words[w &+ i] != fill { count &+= 1 }
        if count > SparseFrame.limit { return nil }
      }
      w &+= 16
    }
    if count == 0 { return (fill, []) }
    return (fill, (0..<512).filter { words[$0] != fill }.map { (UInt64($0), words[$0]) })
  }

  /// Takes their allocations from RAM's frames that can be kept as less. Whoever keeps host addresses of
  /// frames must forget them.
  func compact() {
    precondition(!observed, "an observed run knows more of a frame than its contents")
    for index in 0..<ramFrames {
      guard let p = frames[index], frameUses[index] == 0, baseCopies[index] == nil,
        let (fill, others) = Memory.sparseContents(p.assumingMemoryBound(to: UInt64.self))
      else { continue }
      frames[index] = nil
      denseFrames -= 1
      setSparse(index, fill: fill, others: others)
      if spareAllocations.count < Memory.firstCompaction {
        spareAllocations.append(p)
      } else {
        p.deallocate()
      }
    }
    compactionMark = max(Memory.firstCompaction, 2 * denseFrames)
  }

  /// What a frame without an allocation adds to a fingerprint.
  func addSparse(_ index: Int, to sum: inout Fingerprint) {
    guard let block = sparseFrames[index] else { return }
    let base = UInt64(index) << 12
    // An odd address: no word's.
    sum.replace(0, by: block[SparseFrame.fill], at: base | 1)
    for i in 0..<Int(block[SparseFrame.count]) {
      sum.replace(
        0, by: block[SparseFrame.first + 2 * i + 1],
        at: base | block[SparseFrame.first + 2 * i] << 3)
    }
  }

  /// Bytes of the host that contents take, the tables of all frames aside.
  public var hostBytes: Int {
    var bytes = denseFrames * Memory.allocationSize
    for index in 0..<frameCount {
      if let block = sparseFrames[index] { bytes += 16 + 16 * Int(block[SparseFrame.count]) }
      if baseCopies[index] != nil { bytes += Memory.frameSize }
    }
    return bytes
  }

  // MARK: Disks

  /// Which disk's bytes, from which offset on, a frame begins with.
  private func diskPlace(_ index: Int) -> (disk: Int, offset: Int)? {
    guard let disk = diskFrames.lastIndex(where: { $0 <= index }) else { return nil }
    let offset = (index - diskFrames[disk]) * Memory.frameSize
    return offset < disks[disk].count ? (disk, offset) : nil
  }

  private func diskWord(_ index: Int, _ word: Int) -> UInt64 {
    guard let (disk, offset) = diskPlace(index) else { return 0 }
    var value: UInt64 = 0
    let start = offset + word * 8
    for i in 0..<max(0, min(8, disks[disk].count - start)) {
      value |= UInt64(disks[disk][start + i]) << UInt64(8 * i)
    }
    return value
  }

  /// Physical address of a disk's first byte, where its contents and what was written to it lie.
  func diskBase(_ disk: Int) -> UInt64 { UInt64(diskFrames[disk]) << 12 }
}

extension Machine {
  /// Physical address of a file's contents on a disk, where they begin a sector and lie in a row; nil: they
  /// do not.
  public func place(onDisk file: [UInt8]) -> UInt64? {
    for (number, disk) in memory.disks.enumerated() where disk.count >= file.count {
      for start in stride(from: 0, through: disk.count - file.count, by: 512)
      where disk[start] == file[0] && disk[start + file.count - 1] == file[file.count - 1] {
        if disk[start..<start + file.count].elementsEqual(file) {
          return memory.diskBase(number) + UInt64(start)
        }
      }
    }
    return nil
  }

  /// Makes frames sparse where a boot has used so many that later runs would feel it.
  public func compactMemoryIfLarge() {
    if memory.denseFrames >= Memory.firstCompaction / 4 { compactMemory() }
  }

  /// Between two slices of plain runs: gives memory back that says nothing.
  func compactMemory() {
    memory.compact()
    flushAllTLBs()
  }
}
