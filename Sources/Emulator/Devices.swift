/// Where devices keep their state, and which device answers which port.
///
/// All state lies in the first hidden frame of memory, a fixed word (or run of words) per register
/// file, so that undo, comparison and fingerprint of memory cover it.
enum DeviceWord: UInt64 {
  case masterController = 0
  case slaveController = 1
  /// What RDTSC and the timer read while memory is observed.
  case time = 2
  /// Configuration address of PCI (port CF8h).
  case pciAddress = 3
  /// CMOS index in bits 0–7, status A in 8–15, status B in 16–23, status C in 24–31.
  case cmos = 4
  /// Bits 0–1: gate of timer channel 2 and speaker (port 61h); bits 8–15: port 92h.
  case systemControl = 5
  /// CRT controller: index.
  case videoIndex = 6
  case keyboardController = 8
  case keyboardQueue = 9
  case mouseQueue = 10
  case mouse = 11
  case serial = 12
  case serialQueue = 13
  /// Two words for each of three channels.
  case timer = 16
  /// Four words: registers 0–31 of the CRT controller.
  case videoRegisters = 24
  /// I/O APIC: index register in bits 0–7, ID register in 32–63.
  case ioAPIC = 32
  /// Levels of its pins.
  case ioAPICLines = 33
  /// Its redirection entries, a word each.
  case ioAPICEntries = 34
  /// The IDE channel: see `Channel`, and the level of its interrupt line.
  case disk = 58
  /// The second serial port.
  case secondSerial = 63
  case secondSerialQueue = 64
  /// The HPET: configuration, status and start; the counter; the timers' registers, two words each.
  case eventTimer = 65
}

extension Machine {
  @inline(__always) func deviceWord(_ word: DeviceWord, _ index: Int = 0) -> UInt64 {
    memory.word(at: memory.hiddenBase + (word.rawValue + UInt64(index)) * 8)
  }

  @inline(__always) func setDeviceWord(_ word: DeviceWord, _ index: Int, _ value: UInt64) {
    memory.setWord(at: memory.hiddenBase + (word.rawValue + UInt64(index)) * 8, value)
  }

  @inline(__always) func setDeviceWord(_ word: DeviceWord, _ value: UInt64) {
    setDeviceWord(word, 0, value)
  }

  /// What the clock of RDTSC and the timer reads: instructions retired, plus the time slept through
  /// in HLT; while memory is observed, a word that only `setObservedTime` changes.
  var clock: UInt64 {
    memory.observed
      ? deviceWord(.time) : instructions &+ executedInSlice &+ idleInstructions
  }

  /// Sets what RDTSC and the timer read while memory is observed.
  public func setObservedTime(_ time: UInt64) { setDeviceWord(.time, time) }

  /// Puts every device into the state in which a boot loader leaves it.
  func resetDevices() {
    setDeviceWord(.masterController, InterruptController.afterFirmware(slave: false).raw)
    setDeviceWord(.slaveController, InterruptController.afterFirmware(slave: true).raw)
    resetKeyboardController()
    resetSerial()
    resetTimer()
    resetLocalAPICs()
    resetIOAPIC()
    resetVectorState()
    resetClock()
    resetDisk()
    setDeviceWord(.systemControl, 0x02 << 8)
  }

  /// Whether a write to the port ends the run: those of QEMU's isa-debug-exit, its usual place and its
  /// default one.
  static func isExitPort(_ port: Int) -> Bool { port == 0xF4 || port == 0x501 }

  /// Output has grown: does it end with what a run is to stop at?
  func lookForText(in output: [UInt8]) {
    guard !stopText.isEmpty, output.last == stopText.last, output.count >= stopText.count,
      output.suffix(stopText.count).elementsEqual(stopText)
    else { return }
    isTextReached = true
  }

  // MARK: Ports

  /// Reads a port of 1, 2 or 4 bytes, as IN does. nil when nothing that is modelled is there;
  /// `unmodelled` then says so.
  public func readPort(_ port: UInt16, size: Int) -> UInt32? {
    faultVector = -1
    if let value = readWide(port, size: size) { return value }
    // A device of the 8-bit bus sees a wide access as one to each of several ports.
    var result: UInt32 = 0
    for i in 0..<size {
      guard let byte = readByte(port &+ UInt16(i)) else {
        if faultVector < 0 {
          _ = notModelled("IN from port 0x\(hex(port)), \(size) byte\(size == 1 ? "" : "s")")
        }
        return nil
      }
      result |= UInt32(byte) << UInt32(8 * i)
    }
    return result
  }

  /// Writes a port of 1, 2 or 4 bytes, as OUT does. False when nothing that is modelled is there;
  /// `unmodelled` then says so.
  @discardableResult
  public func writePort(_ port: UInt16, size: Int, _ value: UInt32) -> Bool {
    faultVector = -1
    if writeWide(port, size: size, value) { return true }
    for i in 0..<size {
      let byte = UInt8(truncatingIfNeeded: value >> UInt32(8 * i))
      guard writeByte(port &+ UInt16(i), byte) else {
        if faultVector >= 0 { return false }
        return notModelled(
          "OUT of 0x\(hex(UInt64(value))) to port 0x\(hex(port)), \(size) byte\(size == 1 ? "" : "s")"
        )
      }
    }
    return true
  }

  /// PCI configuration mechanism #1 with no device behind it: every read yields ones.
  private func readWide(_ port: UInt16, size: Int) -> UInt32? {
    switch port {
    case 0xCF8 where size == 4: UInt32(truncatingIfNeeded: deviceWord(.pciAddress))
    case 0xCFC...0xCFF: UInt32.max >> UInt32(32 - 8 * size)
    case 0x1F0 where size > 1 && hasDisk: readDiskData(size: size)
    default: nil
    }
  }

  private func writeWide(_ port: UInt16, size: Int, _ value: UInt32) -> Bool {
    switch port {
    case 0xCF8 where size == 4: setDeviceWord(.pciAddress, UInt64(value & 0x80FF_FFFC))
    case 0xCFC...0xCFF: break
    case 0x1F0 where size > 1 && hasDisk: writeDiskData(size: size, value)
    case 0xF4, 0x501: exitValue = value
    default: return false
    }
    return true
  }

  private func readByte(_ port: UInt16) -> UInt8? {
    switch port {
    case 0x20, 0x21, 0xA0, 0xA1: return readController(port)
    // No interrupt mode configuration register: the MP table says virtual wire mode.
    case 0x22, 0x23: return 0xFF
    case 0x4D0: return controllers.master.levelLines
    case 0x4D1: return controllers.slave.levelLines
    case 0x40...0x43: return readTimer(port)
    case 0x60: return readKeyboardData()
    case 0x64: return keyboardStatus
    case 0x61: return readSystemControl()
    case 0x70: return nil
    case 0x71: return readCMOS()
    case 0x80, 0xED: return 0xFF
    case 0x92: return UInt8(truncatingIfNeeded: deviceWord(.systemControl) >> 8)
    case 0xE9: return 0xE9
    case 0x3D4: return UInt8(truncatingIfNeeded: deviceWord(.videoIndex))
    case 0x3D5: return readVideoRegister()
    case 0x3DA: return readVideoStatus()
    case 0x1F0...0x1F7, 0x3F6: return readDisk(port)
    // No second IDE channel: the bus reads as zero, as where a channel has no disks.
    case 0x170...0x177, 0x376: return 0
    case 0x3F8...0x3FF, 0x2F8...0x2FF: return readSerial(port)
    // No third and fourth serial port.
    case 0x3E8...0x3EF, 0x2E8...0x2EF: return 0xFF
    default: return nil
    }
  }

  private func writeByte(_ port: UInt16, _ value: UInt8) -> Bool {
    switch port {
    case 0x20, 0x21, 0xA0, 0xA1: writeController(port, value)
    case 0x22, 0x23: break
    case 0x4D0, 0x4D1:
      var pair = controllers
      // The lines of timer, keyboard, cascade, clock and coprocessor are always edge-triggered.
      if port == 0x4D0 {
        pair.master.levelLines = value & 0xF8
      } else {
        pair.slave.levelLines = value & 0xDE
      }
      pair.propagate()
      controllers = pair
    case 0x40...0x43: return writeTimer(port, value)
    case 0x60: return writeKeyboardData(value)
    case 0x64: return writeKeyboardCommand(value)
    case 0x61:
      setDeviceWord(
        .systemControl, deviceWord(.systemControl) & ~0xFF | UInt64(value & 3))
    case 0x70: setDeviceWord(.cmos, deviceWord(.cmos) & ~0xFF | UInt64(value & 0x7F))
    case 0x71: writeCMOS(value)
    case 0x80, 0xED: break
    case 0x92:
      if value & 1 != 0 { return notModelled("reset through port 0x92") }
      setDeviceWord(
        .systemControl, deviceWord(.systemControl) & ~0xFF00 | UInt64(value) << 8)
    case 0xE9:
      if keepsOutput {
        debugOutput.append(value)
        lookForText(in: debugOutput)
      }
    case 0x3D4: setDeviceWord(.videoIndex, UInt64(value & 0x1F))
    case 0x3D5: writeVideoRegister(value)
    case 0x3F8...0x3FF, 0x2F8...0x2FF: writeSerial(port, value)
    case 0x3E8...0x3EF, 0x2E8...0x2EF: break
    case 0x1F0...0x1F7, 0x3F6: return writeDisk(port, value)
    case 0x170...0x177, 0x376: break
    default: return false
    }
    return true
  }

  private func readController(_ port: UInt16) -> UInt8 {
    var pair = controllers
    let odd = port & 1 != 0
    let value =
      port < 0x80
      ? pair.master.read(odd: odd, cascade: InterruptControllerPair.cascade)
      : pair.slave.read(odd: odd, cascade: nil)
    pair.propagate()
    controllers = pair
    return value
  }

  private func writeController(_ port: UInt16, _ value: UInt8) {
    var pair = controllers
    let odd = port & 1 != 0
    var ended: EndOfInterrupt?
    if port < 0x80 {
      ended = pair.master.write(value, odd: odd)
    } else {
      ended = pair.slave.write(value, odd: odd)
      ended?.isSlave = true
    }
    if let ended { lastEndOfInterrupt = ended }
    pair.propagate()
    controllers = pair
  }

  /// Port 61h: gate and speaker bits as written, channel 2's output in bit 5.
  private func readSystemControl() -> UInt8 {
    noteClockRead()
    let low = UInt8(truncatingIfNeeded: deviceWord(.systemControl)) & 3
    return low | (timerOutput(2) ? 0x20 : 0)
  }

  /// Port 3DAh: vertical retrace (bit 3) and no display (bit 0) for a part of each frame of some 14 ms.
  private func readVideoStatus() -> UInt8 {
    noteClockRead()
    return clock >> 13 & 63 < 4 ? 9 : 0
  }

  private func readVideoRegister() -> UInt8 {
    let index = Int(deviceWord(.videoIndex)) & 31
    return UInt8(
      truncatingIfNeeded: deviceWord(.videoRegisters, index >> 3) >> (UInt64(index & 7) * 8))
  }

  private func writeVideoRegister(_ value: UInt8) {
    let index = Int(deviceWord(.videoIndex)) & 31
    let shift = UInt64(index & 7) * 8
    let old = deviceWord(.videoRegisters, index >> 3)
    setDeviceWord(.videoRegisters, index >> 3, old & ~(0xFF << shift) | UInt64(value) << shift)
  }
}
