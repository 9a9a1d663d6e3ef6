/// The 8259A interrupt controller, and the pair of them in a PC. Intel 8259A data sheet (231468);
/// the wiring is that of the PC/AT: the slave's output is the master's IR2.

/// One 8259A, packed into a word so that it lies in device memory as it is.
struct InterruptController {
  var raw: UInt64

  init(raw: UInt64) { self.raw = raw }

  /// As after firmware that set vectors 08h–0Fh and 70h–77h and masked every line but the cascade.
  static func afterFirmware(slave: Bool) -> InterruptController {
    var chip = InterruptController(raw: 0)
    chip.base = slave ? 0x70 : 0x08
    chip.mask = slave ? 0xFF : 0xFB
    chip.lowestPriority = 7
    return chip
  }

  private func field(_ shift: Int) -> UInt8 { UInt8(truncatingIfNeeded: raw >> UInt64(shift)) }
  private mutating func setField(_ shift: Int, _ value: UInt8) {
    raw = raw & ~(0xFF << UInt64(shift)) | UInt64(value) << UInt64(shift)
  }
  private func flag(_ bit: Int) -> Bool { raw >> UInt64(bit) & 1 != 0 }
  private mutating func setFlag(_ bit: Int, _ on: Bool) {
    raw = on ? raw | 1 << UInt64(bit) : raw & ~(1 << UInt64(bit))
  }

  /// Interrupt request register.
  var requests: UInt8 {
    get { field(0) }
    set { setField(0, newValue) }
  }
  /// In-service register.
  var inService: UInt8 {
    get { field(8) }
    set { setField(8, newValue) }
  }
  /// Interrupt mask register.
  var mask: UInt8 {
    get { field(16) }
    set { setField(16, newValue) }
  }
  /// Levels of the input lines, for edge detection and level-triggered lines.
  var lines: UInt8 {
    get { field(24) }
    set { setField(24, newValue) }
  }
  /// Vector of IR0.
  var base: UInt8 {
    get { field(32) }
    set { setField(32, newValue) }
  }
  /// Lines that the edge/level register (ports 4D0h, 4D1h) makes level-triggered.
  var levelLines: UInt8 {
    get { field(40) }
    set { setField(40, newValue) }
  }
  /// The level with the lowest priority; the next one has the highest.
  var lowestPriority: Int {
    get { Int(raw >> 48) & 7 }
    set { raw = raw & ~(7 << 48) | UInt64(newValue & 7) << 48 }
  }
  /// 0: ready; 2, 3, 4: that initialization word is expected next.
  var expectedWord: Int {
    get { Int(raw >> 51) & 7 }
    set { raw = raw & ~(7 << 51) | UInt64(newValue) << 51 }
  }
  var readsInService: Bool {
    get { flag(54) }
    set { setFlag(54, newValue) }
  }
  var polls: Bool {
    get { flag(55) }
    set { setFlag(55, newValue) }
  }
  var specialMask: Bool {
    get { flag(56) }
    set { setFlag(56, newValue) }
  }
  var automaticEOI: Bool {
    get { flag(57) }
    set { setFlag(57, newValue) }
  }
  var rotatesOnAutomaticEOI: Bool {
    get { flag(58) }
    set { setFlag(58, newValue) }
  }
  var specialFullyNested: Bool {
    get { flag(59) }
    set { setFlag(59, newValue) }
  }
  /// ICW1: all lines are level-triggered.
  var levelTriggered: Bool {
    get { flag(60) }
    set { setFlag(60, newValue) }
  }
  var needsWord4: Bool {
    get { flag(61) }
    set { setFlag(61, newValue) }
  }
  var isSingle: Bool {
    get { flag(62) }
    set { setFlag(62, newValue) }
  }
  /// The output went high for a request that is gone: the next acknowledge finds none.
  var glitch: Bool {
    get { flag(63) }
    set { setFlag(63, newValue) }
  }

  func isLevelTriggered(_ level: Int) -> Bool {
    levelTriggered || levelLines >> UInt8(level) & 1 != 0
  }

  // MARK: Requests and priorities

  /// Drives an input line. An edge is latched even while its line is masked.
  mutating func setLine(_ level: Int, _ high: Bool) {
    let bit: UInt8 = 1 << UInt8(level)
    if isLevelTriggered(level) {
      requests = high ? requests | bit : requests & ~bit
    } else if high && lines & bit == 0 {
      requests |= bit
    }
    lines = high ? lines | bit : lines & ~bit
  }

  /// A rising edge, whatever the line was; on a level-triggered line, the level.
  mutating func raise(_ level: Int) {
    if isLevelTriggered(level) {
      setLine(level, true)
    } else {
      requests |= 1 << UInt8(level)
    }
  }

  /// The level of highest priority among `levels`.
  private func highest(_ levels: UInt8) -> (level: Int, rank: Int)? {
    if levels == 0 { return nil }
    for rank in 0..<8 {
      let level = (lowestPriority + 1 + rank) & 7
      if levels >> UInt8(level) & 1 != 0 { return (level, rank) }
    }
    return nil
  }

  /// The level that the output asks for, if any: unmasked, and above every level in service.
  /// Special mask mode: a masked level in service holds nothing back. Special fully nested mode:
  /// the cascade's level does not hold back the slave.
  func request(cascade: Int?) -> Int? {
    guard let candidate = highest(requests & ~mask) else { return nil }
    var blocking = inService
    if specialMask { blocking &= ~mask }
    if specialFullyNested, let cascade { blocking &= ~(1 << UInt8(cascade)) }
    if let current = highest(blocking), current.rank <= candidate.rank { return nil }
    return candidate.level
  }

  /// The acknowledge sequence for a level that `request` gave.
  mutating func acknowledge(_ level: Int) {
    let bit: UInt8 = 1 << UInt8(level)
    if !isLevelTriggered(level) { requests &= ~bit }
    if automaticEOI {
      if rotatesOnAutomaticEOI { lowestPriority = level }
    } else {
      inService |= bit
    }
  }

  // MARK: Ports

  /// A write to the even port (`odd` false) or the odd one.
  mutating func write(_ value: UInt8, odd: Bool) -> EndOfInterrupt? {
    if odd {
      writeOdd(value)
    } else if value & 0x10 != 0 {
      writeWord1(value)
    } else if value & 0x08 != 0 {
      writeCommand3(value)
    } else {
      return writeCommand2(value)
    }
    return nil
  }

  /// ICW1 resets edge detection, masks, service, priorities, special mask mode, and, without IC4,
  /// the functions of ICW4.
  private mutating func writeWord1(_ value: UInt8) {
    levelTriggered = value & 8 != 0
    isSingle = value & 2 != 0
    needsWord4 = value & 1 != 0
    requests = 0
    for level in 0..<8 where isLevelTriggered(level) { requests |= lines & 1 << UInt8(level) }
    inService = 0
    mask = 0
    lowestPriority = 7
    readsInService = false
    polls = false
    specialMask = false
    rotatesOnAutomaticEOI = false
    automaticEOI = false
    specialFullyNested = false
    glitch = false
    expectedWord = 2
  }

  private mutating func writeOdd(_ value: UInt8) {
    switch expectedWord {
    case 2:
      base = value & 0xF8
      expectedWord = isSingle ? (needsWord4 ? 4 : 0) : 3
    case 3: expectedWord = needsWord4 ? 4 : 0
    case 4:
      automaticEOI = value & 2 != 0
      specialFullyNested = value & 0x10 != 0
      expectedWord = 0
    default: mask = value
    }
  }

  /// OCW2: ends of interrupt and rotations.
  private mutating func writeCommand2(_ value: UInt8) -> EndOfInterrupt? {
    let level = Int(value & 7)
    let rotates = value & 0x80 != 0
    let isSpecific = value & 0x40 != 0
    guard value & 0x20 != 0 else {
      if isSpecific {
        if rotates { lowestPriority = level }
      } else {
        rotatesOnAutomaticEOI = rotates
      }
      return nil
    }
    let ended: Int?
    if isSpecific {
      ended = inService >> UInt8(level) & 1 != 0 ? level : nil
    } else {
      // In special mask mode a masked level is not ended by a non-specific EOI.
      ended = highest(specialMask ? inService & ~mask : inService)?.level
    }
    if let ended { inService &= ~(1 << UInt8(ended)) }
    if rotates, let lowest = isSpecific ? level : ended { lowestPriority = lowest }
    return EndOfInterrupt(
      isSpecific: isSpecific, requestedLevel: isSpecific ? level : nil, endedLevel: ended)
  }

  private mutating func writeCommand3(_ value: UInt8) {
    if value & 0x40 != 0 { specialMask = value & 0x20 != 0 }
    if value & 4 != 0 { polls = true }
    if value & 2 != 0 { readsInService = value & 1 != 0 }
  }

  /// A read; the poll command makes the next one an acknowledge.
  mutating func read(odd: Bool, cascade: Int?) -> UInt8 {
    if polls {
      polls = false
      guard let level = request(cascade: cascade) else { return 0 }
      acknowledge(level)
      return 0x80 | UInt8(level)
    }
    return odd ? mask : readsInService ? inService : requests
  }
}

/// What an end-of-interrupt command did.
public struct EndOfInterrupt: Equatable, Sendable {
  public var isSlave = false
  public var isSpecific: Bool
  /// The level (0...7 of the chip) that a specific command named.
  public var requestedLevel: Int?
  /// The level whose in-service bit it cleared; nil when it found none: a spurious EOI.
  public var endedLevel: Int?
  /// The same of a local APIC: the vector whose in-service bit was cleared.
  public var endedVector: Int?
  /// The CPU whose local APIC was written to; nil for a command to a controller of the 8259 pair.
  public var cpu: Int?

  /// Nothing was in service.
  public var isSpurious: Bool { endedLevel == nil && endedVector == nil }
}

/// Both controllers.
struct InterruptControllerPair {
  var master: InterruptController
  var slave: InterruptController

  static let cascade = 2

  /// Passes the slave's output on to the master's IR2.
  mutating func propagate() {
    master.setLine(
      InterruptControllerPair.cascade, slave.request(cascade: nil) != nil || slave.glitch)
  }

  /// Whether the master's output is high.
  var isRequesting: Bool {
    master.glitch || master.request(cascade: InterruptControllerPair.cascade) != nil
  }

  /// The acknowledge sequence: vector and line (0–15). A request that is gone by then yields the
  /// chip's IR7 without an in-service bit (data sheet, "spurious").
  mutating func acknowledge() -> (vector: Int, line: Int) {
    guard let level = master.request(cascade: InterruptControllerPair.cascade) else {
      master.glitch = false
      return (Int(master.base) + 7, 7)
    }
    master.acknowledge(level)
    guard level == InterruptControllerPair.cascade else {
      return (Int(master.base) + level, level)
    }
    var slaveLevel = 7
    if let level = slave.request(cascade: nil) {
      slave.acknowledge(level)
      slaveLevel = level
    } else {
      slave.glitch = false
    }
    propagate()
    return (Int(slave.base) + slaveLevel, 8 + slaveLevel)
  }

  mutating func setLine(_ line: Int, _ high: Bool) {
    if line < 8 {
      master.setLine(line, high)
    } else {
      slave.setLine(line - 8, high)
      propagate()
    }
  }

  mutating func raise(_ line: Int) {
    if line < 8 {
      master.raise(line)
    } else {
      slave.raise(line - 8)
      propagate()
    }
  }
}
