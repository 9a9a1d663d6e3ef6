import Emulator

/// What markers need to be remembered: words at the end of the devices' frame, so that they are part of a
/// state like the rest of the checker's memory.
extension Ghost {
  enum Mark {
    /// Windows of interest that are open.
    static let interest = 0
    /// The CPU, from 1, whose marker offers another value at the present state; 0: none.
    static let choosing = 1
    /// The value that each CPU's marker yields, and which marker that is; 8 words each.
    static let chosen = 8
    static let chosenAt = 16
    /// How many acquires are in flight that store their flags by a pointer; then of each its key and the
    /// pointer, by key.
    static let flagsPointers = 24
    static let flagsPointerLimit = 16
  }

  private static let firstMark: UInt64 = 440

  subscript(mark word: Int) -> UInt64 {
    get { memory.word(at: memory.hiddenBase + (Ghost.firstMark + UInt64(word)) * 8) }
    nonmutating set {
      memory.setWord(at: memory.hiddenBase + (Ghost.firstMark + UInt64(word)) * 8, newValue)
    }
  }

  /// Remembers where an acquire stores its flags.
  /// - Returns: false when there are too many.
  func keepFlagsPointer(_ pointer: UInt64, key: UInt64) -> Bool {
    let count = Int(self[mark: Mark.flagsPointers])
    guard count < Mark.flagsPointerLimit else { return false }
    var row = count
    while row > 0, self[mark: Mark.flagsPointers + 2 * row - 1] > key {
      self[mark: Mark.flagsPointers + 2 * row + 1] = self[mark: Mark.flagsPointers + 2 * row - 1]
      self[mark: Mark.flagsPointers + 2 * row + 2] = self[mark: Mark.flagsPointers + 2 * row]
      row -= 1
    }
    self[mark: Mark.flagsPointers + 2 * row + 1] = key
    self[mark: Mark.flagsPointers + 2 * row + 2] = pointer
    self[mark: Mark.flagsPointers] = UInt64(count + 1)
    return true
  }

  /// Takes back where it stores them; nil: nothing is remembered of it.
  func takeFlagsPointer(key: UInt64) -> UInt64? {
    let count = Int(self[mark: Mark.flagsPointers])
    guard
      let row = (0..<count).first(where: { self[mark: Mark.flagsPointers + 2 * $0 + 1] == key })
    else { return nil }
    let pointer = self[mark: Mark.flagsPointers + 2 * row + 2]
    for next in row..<(count - 1) {
      self[mark: Mark.flagsPointers + 2 * next + 1] = self[mark: Mark.flagsPointers + 2 * next + 3]
      self[mark: Mark.flagsPointers + 2 * next + 2] = self[mark: Mark.flagsPointers + 2 * next + 4]
    }
    self[mark: Mark.flagsPointers + 2 * count - 1] = 0
    self[mark: Mark.flagsPointers + 2 * count] = 0
    self[mark: Mark.flagsPointers] = UInt64(count - 1)
    return pointer
  }
}
