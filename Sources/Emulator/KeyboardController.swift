/// The 8042 keyboard controller with a keyboard and a PS/2 mouse behind it. IBM PS/2 Hardware
/// Interface Technical Reference, "Keyboard and Auxiliary Device Controller".

/// The controller's registers, packed into a word.
private struct Controller {
  var raw: UInt64

  private func byte(_ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: raw >> shift) }
  private mutating func setByte(_ shift: UInt64, _ value: UInt8) {
    raw = raw & ~(0xFF << shift) | UInt64(value) << shift
  }
  private func flag(_ bit: UInt64) -> Bool { raw >> bit & 1 != 0 }
  private mutating func setFlag(_ bit: UInt64, _ on: Bool) {
    raw = on ? raw | 1 << bit : raw & ~(1 << bit)
  }

  /// Command byte: bits 0, 1 interrupts of keyboard and mouse; 2 system flag; 4, 5 clocks of
  /// keyboard and mouse off; 6 translation.
  var command: UInt8 {
    get { byte(0) }
    set { setByte(0, newValue) }
  }
  /// Output buffer.
  var output: UInt8 {
    get { byte(8) }
    set { setByte(8, newValue) }
  }
  /// The controller's command that waits for its data byte, or 0.
  var expecting: UInt8 {
    get { byte(16) }
    set { setByte(16, newValue) }
  }
  /// The keyboard's command that waits for its data byte, or 0.
  var keyboardExpecting: UInt8 {
    get { byte(24) }
    set { setByte(24, newValue) }
  }
  var outputPort: UInt8 {
    get { byte(32) }
    set { setByte(32, newValue) }
  }
  var isFull: Bool {
    get { flag(40) }
    set { setFlag(40, newValue) }
  }
  var isFromMouse: Bool {
    get { flag(41) }
    set { setFlag(41, newValue) }
  }
  /// Status bit 3: the last write went to port 64h.
  var lastWasCommand: Bool {
    get { flag(42) }
    set { setFlag(42, newValue) }
  }
  var keyboardCount: Int {
    get { Int(raw >> 44) & 15 }
    set { raw = raw & ~(15 << 44) | UInt64(newValue) << 44 }
  }
  var mouseCount: Int {
    get { Int(raw >> 48) & 15 }
    set { raw = raw & ~(15 << 48) | UInt64(newValue) << 48 }
  }
  /// Scan code set 1...3.
  var scanCodeSet: UInt8 {
    get { UInt8(raw >> 52) & 3 }
    set { raw = raw & ~(3 << 52) | UInt64(newValue & 3) << 52 }
  }

  static let keyboardOff: UInt8 = 0x10
  static let mouseOff: UInt8 = 0x20
}

/// The mouse's own registers, packed into a word.
private struct Mouse {
  var raw: UInt64
  /// Command that waits for its data byte, or 0.
  var expecting: UInt8 {
    get { UInt8(truncatingIfNeeded: raw) }
    set { raw = raw & ~0xFF | UInt64(newValue) }
  }
  var rate: UInt8 {
    get { UInt8(truncatingIfNeeded: raw >> 8) }
    set { raw = raw & ~0xFF00 | UInt64(newValue) << 8 }
  }
  var resolution: UInt8 {
    get { UInt8(truncatingIfNeeded: raw >> 16) }
    set { raw = raw & ~0xFF_0000 | UInt64(newValue) << 16 }
  }
  /// Status byte: bit 4 scaling 2:1, 5 reporting enabled, 6 remote mode.
  var status: UInt8 {
    get { UInt8(truncatingIfNeeded: raw >> 24) }
    set { raw = raw & ~0xFF00_0000 | UInt64(newValue) << 24 }
  }

  static var defaults: Mouse {
    var mouse = Mouse(raw: 0)
    mouse.rate = 100
    mouse.resolution = 2
    return mouse
  }
}

extension Machine {
  private var controller: Controller {
    get { Controller(raw: deviceWord(.keyboardController)) }
    set { setDeviceWord(.keyboardController, newValue.raw) }
  }
  private var mouse: Mouse {
    get { Mouse(raw: deviceWord(.mouse)) }
    set { setDeviceWord(.mouse, newValue.raw) }
  }

  /// As firmware leaves it: keyboard on, translated, with its interrupt; mouse off.
  func resetKeyboardController() {
    var controller = Controller(raw: 0)
    controller.command = 0x65
    controller.outputPort = 0x03
    controller.scanCodeSet = 2
    self.controller = controller
    mouse = Mouse.defaults
    setDeviceWord(.keyboardQueue, 0)
    setDeviceWord(.mouseQueue, 0)
  }

  /// The keyboard sends a byte, given as software sees it (scan code set 1). IRQ 1 follows when the
  /// output buffer takes it. False when the keyboard's queue of eight is full.
  @discardableResult public func injectKeyboard(byte: UInt8) -> Bool {
    send(byte, fromMouse: false)
  }

  /// The mouse sends a byte of a packet; IRQ 12 follows. Whether the kernel enabled reporting is the
  /// caller's to ask (`mouseReports`).
  @discardableResult public func injectMouse(byte: UInt8) -> Bool { send(byte, fromMouse: true) }

  /// Whether the kernel has enabled the mouse's data reporting and the mouse's clock.
  public var mouseReports: Bool {
    mouse.status & 0x20 != 0 && controller.command & Controller.mouseOff == 0
  }

  /// Why no key can lead to IRQ 1 as the controller is programmed; nil: one can.
  var keyboardObstacle: String? {
    if controller.command & 1 == 0 { return "its interrupt is off in the PS/2 controller" }
    return controller.command & Controller.keyboardOff != 0 ? "its clock is off" : nil
  }

  /// The same of the mouse and IRQ 12.
  var mouseObstacle: String? {
    if controller.command & 2 == 0 { return "its interrupt is off in the PS/2 controller" }
    return mouseReports ? nil : "it was not told to report"
  }

  /// Whether port 60h holds a byte that nobody has read.
  public var keyboardOutputFull: Bool { controller.isFull }

  private func send(_ byte: UInt8, fromMouse: Bool) -> Bool {
    var controller = self.controller
    let count = fromMouse ? controller.mouseCount : controller.keyboardCount
    if count == 8 { return false }
    let word: DeviceWord = fromMouse ? .mouseQueue : .keyboardQueue
    setDeviceWord(word, deviceWord(word) | UInt64(byte) << UInt64(count * 8))
    if fromMouse {
      controller.mouseCount += 1
    } else {
      controller.keyboardCount += 1
    }
    self.controller = controller
    fillOutputBuffer()
    return true
  }

  /// Moves the next byte of a queue whose clock is on into the empty output buffer, and drives
  /// IRQ 1 and IRQ 12.
  private func fillOutputBuffer() {
    var controller = self.controller
    if !controller.isFull {
      let keyboardReady =
        controller.keyboardCount > 0 && controller.command & Controller.keyboardOff == 0
      let mouseReady = controller.mouseCount > 0 && controller.command & Controller.mouseOff == 0
      if keyboardReady || mouseReady {
        let word: DeviceWord = keyboardReady ? .keyboardQueue : .mouseQueue
        let queue = deviceWord(word)
        setDeviceWord(word, queue >> 8)
        controller.output = UInt8(truncatingIfNeeded: queue)
        controller.isFull = true
        controller.isFromMouse = !keyboardReady
        if keyboardReady {
          controller.keyboardCount -= 1
        } else {
          controller.mouseCount -= 1
        }
        self.controller = controller
      }
    }
    let full = controller.isFull
    setLine(1, full && !controller.isFromMouse && controller.command & 1 != 0)
    setLine(12, full && controller.isFromMouse && controller.command & 2 != 0)
  }

  // MARK: Ports

  /// Port 64h: output buffer full, system flag, last write, unlocked, from the mouse.
  var keyboardStatus: UInt8 {
    let c = controller
    return (c.isFull ? 1 : 0) | c.command & 4 | (c.lastWasCommand ? 8 : 0) | 0x10
      | (c.isFull && c.isFromMouse ? 0x20 : 0)
  }

  /// Port 60h: empties the output buffer; a byte that waits follows, with a new edge.
  func readKeyboardData() -> UInt8 {
    var controller = self.controller
    let value = controller.output
    guard controller.isFull else { return value }
    controller.isFull = false
    controller.isFromMouse = false
    self.controller = controller
    setLine(1, false)
    setLine(12, false)
    fillOutputBuffer()
    return value
  }

  /// The controller's own answer goes straight into the output buffer.
  private func answer(_ byte: UInt8, asMouse: Bool = false) {
    var controller = self.controller
    controller.output = byte
    controller.isFull = true
    controller.isFromMouse = asMouse
    self.controller = controller
    fillOutputBuffer()
  }

  func writeKeyboardCommand(_ value: UInt8) -> Bool {
    var controller = self.controller
    controller.lastWasCommand = true
    controller.expecting = 0
    var reply: UInt8?
    switch value {
    case 0x20: reply = controller.command
    case 0x60, 0xD1, 0xD2, 0xD3, 0xD4: controller.expecting = value
    case 0xA7: controller.command |= Controller.mouseOff
    case 0xA8: controller.command &= ~Controller.mouseOff
    case 0xA9, 0xAB: reply = 0x00
    case 0xAA: reply = 0x55
    case 0xAD: controller.command |= Controller.keyboardOff
    case 0xAE: controller.command &= ~Controller.keyboardOff
    case 0xC0: reply = 0xA0
    case 0xD0: reply = controller.outputPort
    case 0xF1, 0xF3, 0xF5, 0xF7, 0xF9, 0xFB, 0xFD, 0xFF: break
    default:
      return notModelled("keyboard controller command 0x\(hex(value))")
    }
    self.controller = controller
    if let reply {
      answer(reply)
    } else {
      fillOutputBuffer()
    }
    return true
  }

  func writeKeyboardData(_ value: UInt8) -> Bool {
    var controller = self.controller
    controller.lastWasCommand = false
    let expecting = controller.expecting
    controller.expecting = 0
    switch expecting {
    case 0x60:
      controller.command = value & 0x7F
      self.controller = controller
      fillOutputBuffer()
    case 0xD1:
      if value & 1 == 0 { return notModelled("reset through the keyboard controller") }
      controller.outputPort = value
      self.controller = controller
    case 0xD2, 0xD3:
      self.controller = controller
      answer(value, asMouse: expecting == 0xD3)
    case 0xD4:
      self.controller = controller
      return commandMouse(value)
    default:
      self.controller = controller
      return commandKeyboard(value)
    }
    return true
  }

  private static let acknowledge: UInt8 = 0xFA

  private func commandKeyboard(_ value: UInt8) -> Bool {
    var controller = self.controller
    controller.command &= ~Controller.keyboardOff
    let expecting = controller.keyboardExpecting
    controller.keyboardExpecting = 0
    var replies: [UInt8] = [Machine.acknowledge]
    if expecting != 0 {
      if expecting == 0xF0 {
        if value == 0 {
          replies.append(controller.scanCodeSet)
        } else {
          controller.scanCodeSet = value
        }
      }
    } else {
      switch value {
      case 0xED, 0xF0, 0xF3: controller.keyboardExpecting = value
      case 0xEE: replies = [0xEE]
      // Identification bytes ABh 83h; translation makes 41h of the second.
      case 0xF2: replies += [0xAB, controller.command & 0x40 != 0 ? 0x41 : 0x83]
      case 0xF4, 0xF5, 0xF6: break
      case 0xFF: replies.append(0xAA)
      default: return notModelled("keyboard command 0x\(hex(value))")
      }
    }
    self.controller = controller
    for byte in replies { _ = send(byte, fromMouse: false) }
    return true
  }

  private func commandMouse(_ value: UInt8) -> Bool {
    var mouse = self.mouse
    let expecting = mouse.expecting
    mouse.expecting = 0
    var replies: [UInt8] = [Machine.acknowledge]
    if expecting != 0 {
      if expecting == 0xF3 { mouse.rate = value } else { mouse.resolution = value & 3 }
    } else {
      switch value {
      case 0xE6: mouse.status &= ~0x10
      case 0xE7: mouse.status |= 0x10
      case 0xE8, 0xF3: mouse.expecting = value
      case 0xE9: replies += [mouse.status, mouse.resolution, mouse.rate]
      case 0xEA: mouse.status &= ~0x40
      case 0xEB: replies += [0x08, 0, 0]
      case 0xF0: mouse.status |= 0x40
      case 0xF2: replies.append(0)
      case 0xF4: mouse.status |= 0x20
      case 0xF5: mouse.status &= ~0x20
      case 0xF6: mouse = Mouse.defaults
      case 0xFF:
        mouse = Mouse.defaults
        replies += [0xAA, 0]
      default: return notModelled("mouse command 0x\(hex(value))")
      }
    }
    self.mouse = mouse
    for byte in replies { _ = send(byte, fromMouse: true) }
    return true
  }
}
