/// The local APIC of each CPU. Intel SDM Vol. 3A chapter 10 (section numbers as of the 2022 edition,
/// where x2APIC is §10.12, which is not offered).

/// One CPU's local APIC, whose registers are words of the third hidden frame of memory, so that undo,
/// comparison and fingerprint cover them.
struct LocalAPIC {
  /// Words of one CPU's registers; eight CPUs fill a frame.
  static let wordCount = 64
  static let cpuLimit = 8
  /// Where the registers are in physical memory: they do not move. §10.4.4.
  static let address: UInt64 = 0xFEE0_0000

  /// Word numbers.
  enum Word {
    /// 256 bits each. §10.8.4.
    static let requests = 0
    static let inService = 4
    static let triggerMode = 8
    static let id = 12
    static let taskPriority = 13
    static let spurious = 14
    static let logicalDestination = 15
    static let destinationFormat = 16
    static let commandLow = 17
    static let commandHigh = 18
    /// Errors since the error status register was written, and what it then showed. §10.5.3.
    static let errors = 19
    static let errorStatus = 20
    /// Timer, thermal sensor, performance counters, LINT0, LINT1, error. §10.5.1.
    static let localVectors = 21
    static let initialCount = 27
    static let divide = 28
    /// `Machine.clock` when the count began.
    static let timerStart = 29
    /// 1 while a one-shot count runs.
    static let timerArmed = 30
    /// IA32_APIC_BASE. §10.4.4.
    static let base = 31
    // Machine check: Vol. 3B §15.3.
    static let checkStatus = 32
    static let bankControl = 33
    static let bankStatus = 34
    static let bankAddress = 35
    static let bankMisc = 36
    /// Follows from others, so that most instruction boundaries have to look at one word only: bit 0
    /// some vector is requested, bit 1 LINT0 takes what the 8259 pair asks for.
    static let summary = 37
  }

  enum LocalVector {
    static let timer = Word.localVectors
    static let lint0 = Word.localVectors + 3
    static let lint1 = Word.localVectors + 4
    static let error = Word.localVectors + 5
    static let count = 6
    static let masked: UInt64 = 1 << 16
  }

  /// Bits of the error status register. §10.5.3, figure 10-9.
  enum ErrorBit {
    static let sendIllegalVector: UInt64 = 1 << 5
    static let receiveIllegalVector: UInt64 = 1 << 6
    static let illegalRegister: UInt64 = 1 << 7
  }

  static let baseEnabled: UInt64 = 1 << 11
  static let baseBootstrap: UInt64 = 1 << 8
  static let softwareEnabled: UInt64 = 1 << 8

  let memory: Memory
  let physical: UInt64
  let words: UnsafeMutablePointer<UInt64>

  @inline(__always) subscript(_ word: Int) -> UInt64 {
    get {
      if memory.isRecording { memory.noteRead(word: physical >> 3 + UInt64(word)) }
      return words[word]
    }
    nonmutating set {
      memory.setWord(at: physical + UInt64(word) * 8, newValue)
      switch word {
      case Word.requests..<Word.requests + 4, Word.base, LocalVector.lint0: summarise()
      default: break
      }
    }
  }

  private func summarise() {
    let requests = highest(Word.requests) >= 0
    self[Word.summary] = (requests ? 1 : 0) | (looksAtExternalController ? 2 : 0)
  }

  var isEnabled: Bool { self[Word.base] & LocalAPIC.baseEnabled != 0 }
  var isSoftwareEnabled: Bool { self[Word.spurious] & LocalAPIC.softwareEnabled != 0 }

  // MARK: 256-bit registers

  func bit(_ register: Int, _ vector: Int) -> Bool {
    self[register + (vector >> 6)] >> UInt64(vector & 63) & 1 != 0
  }

  func setBit(_ register: Int, _ vector: Int, _ on: Bool) {
    let word = register + (vector >> 6)
    let mask: UInt64 = 1 << UInt64(vector & 63)
    self[word] = on ? self[word] | mask : self[word] & ~mask
  }

  /// The highest vector of a register, -1 when it is empty.
  @inline(__always) func highest(_ register: Int) -> Int {
    var word = 3
    while word >= 0 {
      let bits = self[register + word]
      if bits != 0 { return word * 64 + 63 - bits.leadingZeroBitCount }
      word -= 1
    }
    return -1
  }

  // MARK: Priorities

  /// PPR: the task priority or the class of the highest vector in service. §10.8.3.1.
  var processorPriority: UInt64 {
    let task = self[Word.taskPriority]
    let service = UInt64(max(highest(Word.inService), 0)) & 0xF0
    return task & 0xF0 >= service ? task : service
  }

  /// The vector that the CPU would be given now; -1 when there is none above its priority.
  @inline(__always) var deliverable: Int {
    if self[Word.summary] & 1 == 0 { return -1 }
    let vector = highest(Word.requests)
    if vector < 0 || !isSoftwareEnabled || !isEnabled { return -1 }
    return UInt64(vector) & 0xF0 > processorPriority & 0xF0 ? vector : -1
  }

  /// A fixed interrupt arrives. It is latched once for each vector (§10.8.4); a software-disabled APIC
  /// takes INIT, NMI and start-up messages only (§10.4.7.2).
  /// - Returns: whether it was accepted.
  @discardableResult func accept(_ vector: Int, level: Bool) -> Bool {
    guard isEnabled, isSoftwareEnabled else { return false }
    if vector < 16 {
      note(ErrorBit.receiveIllegalVector)
      return false
    }
    setBit(Word.requests, vector, true)
    setBit(Word.triggerMode, vector, level)
    return true
  }

  /// Gives a vector to the CPU: from requested to in service.
  func acknowledge(_ vector: Int) {
    setBit(Word.requests, vector, false)
    setBit(Word.inService, vector, true)
  }

  /// An error; its interrupt is sent when it is a new one and not masked. §10.5.3.
  func note(_ error: UInt64) {
    let isNew = self[Word.errors] & error == 0
    self[Word.errors] |= error
    let local = self[LocalVector.error]
    if isNew && local & LocalVector.masked == 0 && local & 0xFF >= 16 {
      accept(Int(local & 0xFF), level: false)
    }
  }

  // MARK: Reset

  /// As after power-up; INIT keeps the ID and the machine-check registers. §10.4.7.1, §10.4.7.3.
  func reset(cpu: Int) {
    for word in 0..<Word.base where word != Word.id { self[word] = 0 }
    self[Word.id] = UInt64(cpu) << 24
    self[Word.spurious] = 0xFF
    self[Word.destinationFormat] = 0xFFFF_FFFF
    for i in 0..<LocalVector.count { self[Word.localVectors + i] = LocalVector.masked }
    self[Word.base] =
      LocalAPIC.address | LocalAPIC.baseEnabled | (cpu == 0 ? LocalAPIC.baseBootstrap : 0)
  }

  /// Virtual wire mode, as firmware leaves the first CPU: LINT0 takes what the 8259 asks for, LINT1 NMI.
  /// MultiProcessor Specification 1.4 §3.6.2.2.
  func setVirtualWire() {
    self[Word.spurious] = 0x1FF
    self[LocalVector.lint0] = 0x8700
    self[LocalVector.lint1] = 0x8400
  }

  /// Whether LINT0 passes on the requests of the 8259 pair.
  @inline(__always) var takesExternalController: Bool { self[Word.summary] & 2 != 0 }

  private var looksAtExternalController: Bool {
    if !isEnabled { return self[Word.base] & LocalAPIC.baseBootstrap != 0 }
    return self[LocalVector.lint0] & 0x1_0700 == 0x700
  }
}

extension Machine {
  @inline(__always) func apic(_ cpu: Int) -> LocalAPIC {
    LocalAPIC(
      memory: memory,
      physical: memory.hiddenBase + UInt64(2 * Memory.frameSize + cpu * LocalAPIC.wordCount * 8),
      words: apicWords + cpu * LocalAPIC.wordCount)
  }

  func resetLocalAPICs() {
    for cpu in cpus.indices { apic(cpu).reset(cpu: cpu) }
    apic(0).setVirtualWire()
  }

  // MARK: Registers

  /// Reads the register at an offset of the APIC's page; nil when it is not modelled.
  func readLocalAPIC(_ cpu: Int, _ offset: UInt64) -> UInt64? {
    let apic = apic(cpu)
    typealias Word = LocalAPIC.Word
    switch offset {
    case 0x20: return apic[Word.id]
    // Version 14h, the highest local vector is number 5. §10.4.8.
    case 0x30: return 0x14 | UInt64(LocalAPIC.LocalVector.count - 1) << 16
    case 0x80: return apic[Word.taskPriority]
    case 0x90, 0xB0, 0xC0: return 0
    case 0xA0: return apic.processorPriority
    case 0xD0: return apic[Word.logicalDestination]
    case 0xE0: return apic[Word.destinationFormat]
    case 0xF0: return apic[Word.spurious]
    case 0x100..<0x180: return wide(apic, Word.inService, offset)
    case 0x180..<0x200: return wide(apic, Word.triggerMode, offset)
    case 0x200..<0x280: return wide(apic, Word.requests, offset)
    case 0x280: return apic[Word.errorStatus]
    case 0x300: return apic[Word.commandLow]
    case 0x310: return apic[Word.commandHigh]
    case 0x320...0x370: return apic[Word.localVectors + (Int(offset - 0x320) >> 4)]
    case 0x380: return apic[Word.initialCount]
    case 0x390:
      noteClockRead()
      return currentCount(cpu)
    case 0x3E0: return apic[Word.divide]
    default:
      apic.note(LocalAPIC.ErrorBit.illegalRegister)
      return 0
    }
  }

  /// 32 bits of a 256-bit register.
  private func wide(_ apic: LocalAPIC, _ register: Int, _ offset: UInt64) -> UInt64 {
    let part = Int(offset >> 4 & 7)
    return apic[register + (part >> 1)] >> UInt64((part & 1) * 32) & 0xFFFF_FFFF
  }

  /// Writes the register at an offset of the APIC's page. False when what is written is not modelled.
  func writeLocalAPIC(_ cpu: Int, _ offset: UInt64, _ value: UInt64) -> Bool {
    let apic = apic(cpu)
    typealias Word = LocalAPIC.Word
    switch offset {
    // Software may change the ID (§10.4.6); then messages go by the new one.
    case 0x20: apic[Word.id] = value & 0xFF00_0000
    case 0x80:
      apic[Word.taskPriority] = value & 0xFF
      // CR8 is another name of its upper half. §10.8.6.1.
      cpus[cpu][CPU.Word.cr8] = value >> 4 & 15
    case 0xB0: endOfInterrupt(cpu)
    case 0xD0: apic[Word.logicalDestination] = value & 0xFF00_0000
    case 0xE0: apic[Word.destinationFormat] = value | 0x0FFF_FFFF
    case 0xF0:
      apic[Word.spurious] = value & 0x1FF
      if !apic.isSoftwareEnabled {
        // §10.4.7.2: the mask bits are set and stay so.
        for i in 0..<LocalAPIC.LocalVector.count {
          apic[Word.localVectors + i] |= LocalAPIC.LocalVector.masked
        }
      }
    case 0x280:
      apic[Word.errorStatus] = apic[Word.errors]
      apic[Word.errors] = 0
    case 0x300: return sendCommand(cpu, value)
    case 0x310: apic[Word.commandHigh] = value & 0xFF00_0000
    case 0x320...0x370: return writeLocalVector(cpu, Int(offset - 0x320) >> 4, value)
    case 0x380:
      apic[Word.initialCount] = value
      apic[Word.timerStart] = clock
      apic[Word.timerArmed] = value == 0 ? 0 : 1
      updateTimerDeadline()
    case 0x3E0:
      apic[Word.divide] = value & 0xB
      updateTimerDeadline()
    // Read-only, or reserved in this version.
    case 0x30, 0x90, 0xA0, 0xC0, 0x100..<0x280, 0x390: break
    default: apic.note(LocalAPIC.ErrorBit.illegalRegister)
    }
    return true
  }

  /// §10.5.1, figure 10-8.
  private func writeLocalVector(_ cpu: Int, _ number: Int, _ value: UInt64) -> Bool {
    let apic = apic(cpu)
    let word = LocalAPIC.Word.localVectors + number
    let known: [UInt64] = [0x7_00FF, 0x1_07FF, 0x1_07FF, 0x1_A7FF, 0x1_A7FF, 0x1_00FF]
    var value = value & known[number]
    if !apic.isSoftwareEnabled { value |= LocalAPIC.LocalVector.masked }
    let mode = value >> 8 & 7
    let isMasked = value & LocalAPIC.LocalVector.masked != 0
    if word == LocalAPIC.LocalVector.timer && value >> 17 & 3 > 1 {
      return notModelled("local APIC timer mode \(value >> 17 & 3)")
    }
    if word == LocalAPIC.LocalVector.lint0 && !isMasked && mode != 7 {
      return notModelled("delivery mode \(mode) of the local APIC's LINT0")
    }
    if (number == 1 || number == 2) && !isMasked && mode != 0 {
      return notModelled("delivery mode \(mode) of the local APIC's vector \(number)")
    }
    apic[word] = value
    if word == LocalAPIC.LocalVector.timer { updateTimerDeadline() }
    return true
  }

  // MARK: End of interrupt

  /// §10.8.5: the highest vector in service ends; for a level-triggered one the I/O APIC is told.
  private func endOfInterrupt(_ cpu: Int) {
    let apic = apic(cpu)
    let vector = apic.highest(LocalAPIC.Word.inService)
    lastEndOfInterrupt = EndOfInterrupt(
      isSpecific: false, requestedLevel: nil, endedLevel: nil,
      endedVector: vector < 0 ? nil : vector, cpu: cpu)
    guard vector >= 0 else { return }
    apic.setBit(LocalAPIC.Word.inService, vector, false)
    if apic.bit(LocalAPIC.Word.triggerMode, vector) { endInputOutputInterrupt(vector) }
  }

  // MARK: Interrupt command register

  /// The CPUs that a destination names. §10.6.2.
  func destinations(_ destination: Int, logical: Bool) -> [Int] {
    cpus.indices.filter { cpu in
      let apic = apic(cpu)
      guard apic.isEnabled else { return false }
      if !logical { return destination == 0xFF || apic[LocalAPIC.Word.id] >> 24 == destination }
      if destination == 0xFF { return true }
      let mine = Int(apic[LocalAPIC.Word.logicalDestination] >> 24)
      if apic[LocalAPIC.Word.destinationFormat] >> 28 == 0xF { return mine & destination != 0 }
      return mine >> 4 == destination >> 4 && mine & destination & 15 != 0
    }
  }

  /// Of several CPUs the one that a lowest-priority message goes to: the lowest processor priority,
  /// and of equals the lowest number. §10.6.2.4 leaves that to the implementation.
  func lowestPriority(_ targets: [Int]) -> [Int] {
    targets.min { (apic($0).processorPriority, $0) < (apic($1).processorPriority, $1) }.map { [$0] }
      ?? []
  }

  /// Sends an interprocessor interrupt; it arrives at once. §10.6.1, figure 10-12.
  private func sendCommand(_ cpu: Int, _ value: UInt64) -> Bool {
    let apic = apic(cpu)
    apic[LocalAPIC.Word.commandLow] = value & 0xC_CFFF
    let mode = value >> 8 & 7
    let vector = Int(value & 0xFF)
    var targets: [Int]
    switch value >> 18 & 3 {
    case 0:
      targets = destinations(
        Int(apic[LocalAPIC.Word.commandHigh] >> 24), logical: value & 1 << 11 != 0)
    case 1: targets = [cpu]
    case 2: targets = Array(cpus.indices)
    default: targets = cpus.indices.filter { $0 != cpu }
    }
    switch mode {
    case 0, 1:
      if vector < 16 {
        apic.note(LocalAPIC.ErrorBit.sendIllegalVector)
        return true
      }
      if mode == 1 { targets = lowestPriority(targets) }
      for target in targets { self.apic(target).accept(vector, level: false) }
    case 4: for target in targets { raiseNMI(cpu: target) }
    case 5:
      // Level 0 with trigger mode 1 is the INIT level de-assert of old APICs: nothing to do.
      if value & 0xC000 == 0x8000 { return true }
      for target in targets {
        if target == cpu { return notModelled("an INIT that a CPU sends to itself") }
        initialise(target)
      }
    case 6: for target in targets { startUp(target, vector: vector) }
    default: return notModelled("interprocessor interrupt with delivery mode \(mode)")
    }
    return true
  }
}
