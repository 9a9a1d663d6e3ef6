/// IDE disks on the first channel, by programmed input and output: ports 1F0h–1F7h and 3F6h, IRQ 14. ATA/ATAPI-5
/// (T13/1321D) chapters 7 to 9, with the 48-bit commands of ATA/ATAPI-6.
///
/// A disk's sectors are hidden frames of memory which begin with the contents of its file: what is written to it
/// is part of the state, and the file stays as it is. A command that takes a disk time is *pending* until
/// `completeDisk`; in plain runs, and where nobody calls that, it is complete at once.

/// The registers of the channel, packed into four words.
private struct Channel {
  /// Features, sector count, LBA low, mid, high, device, status, error: a byte each.
  var registers: UInt64 = 0
  /// Bits 0–7 device control, 8–15 the command, 16–19 `Phase`, 24–31 and 32–39 sectors a block (SET MULTIPLE
  /// MODE) of both disks, 40 interrupt request, 41 the command reads.
  var progress: UInt64 = 0
  /// Bits 0–47 the next sector, 48–63 sectors left (65536 is 0).
  var place: UInt64 = 0
  /// Bits 0–31: the sector count and LBA registers before they were last written, for 48-bit commands; 32–47
  /// bytes of the block passed on; 48–63 bytes of the block.
  var previous: UInt64 = 0

  static func get(_ word: UInt64, _ shift: UInt64, _ bits: UInt64) -> UInt64 {
    word >> shift & ((1 << bits) - 1)
  }
  static func set(_ word: inout UInt64, _ shift: UInt64, _ bits: UInt64, _ value: UInt64) {
    let mask: UInt64 = ((1 << bits) - 1) << shift
    word = word & ~mask | value << shift & mask
  }
  subscript(_ register: Register) -> UInt8 {
    get { UInt8(Self.get(registers, register.rawValue * 8, 8)) }
    set { Self.set(&registers, register.rawValue * 8, 8, UInt64(newValue)) }
  }
  enum Register: UInt64 { case features, count, low, middle, high, device, status, error }
  enum Phase {
    static let idle: UInt64 = 0
    static let pending: UInt64 = 1
    static let input: UInt64 = 2
    static let output: UInt64 = 3
  }
  enum Status {
    static let error: UInt8 = 0x01
    static let request: UInt8 = 0x08
    static let seekDone: UInt8 = 0x10
    static let ready: UInt8 = 0x40
    static let busy: UInt8 = 0x80
    static let idle: UInt8 = ready | seekDone
  }
  var control: UInt64 {
    get { Self.get(progress, 0, 8) }
    set { Self.set(&progress, 0, 8, newValue) }
  }
  var command: UInt64 {
    get { Self.get(progress, 8, 8) }
    set { Self.set(&progress, 8, 8, newValue) }
  }
  var phase: UInt64 {
    get { Self.get(progress, 16, 4) }
    set { Self.set(&progress, 16, 4, newValue) }
  }
  func multiple(_ disk: Int) -> UInt64 { Self.get(progress, 24 + 8 * UInt64(disk), 8) }
  mutating func setMultiple(_ disk: Int, _ value: UInt64) {
    Self.set(&progress, 24 + 8 * UInt64(disk), 8, value)
  }
  var requests: Bool {
    get { Self.get(progress, 40, 1) != 0 }
    set { Self.set(&progress, 40, 1, newValue ? 1 : 0) }
  }
  var sector: UInt64 {
    get { Self.get(place, 0, 48) }
    set { Self.set(&place, 0, 48, newValue) }
  }
  /// Sectors that are still to come, this block's among them.
  var left: UInt64 {
    get { Self.get(place, 48, 16) }
    set { Self.set(&place, 48, 16, newValue) }
  }
  var position: UInt64 {
    get { Self.get(previous, 32, 16) }
    set { Self.set(&previous, 32, 16, newValue) }
  }
  var block: UInt64 {
    get { Self.get(previous, 48, 16) }
    set { Self.set(&previous, 48, 16, newValue) }
  }
  var isSlave: Bool { self[.device] & 0x10 != 0 }
  /// nIEN: the interrupt line is not driven.
  var isSilent: Bool { control & 2 != 0 }
}

extension Machine {
  private var channel: Channel {
    get {
      Channel(
        registers: deviceWord(.disk, 0), progress: deviceWord(.disk, 1),
        place: deviceWord(.disk, 2), previous: deviceWord(.disk, 3))
    }
    set {
      setDeviceWord(.disk, 0, newValue.registers)
      setDeviceWord(.disk, 1, newValue.progress)
      setDeviceWord(.disk, 2, newValue.place)
      setDeviceWord(.disk, 3, newValue.previous)
      let level = newValue.requests && !newValue.isSilent
      if level != (deviceWord(.disk, 4) != 0) {
        setDeviceWord(.disk, 4, level ? 1 : 0)
        setLine(14, level)
      }
    }
  }

  var hasDisk: Bool { !memory.disks.isEmpty }

  func resetDisk() {
    guard hasDisk else { return }
    var channel = Channel()
    setSignature(&channel)
    self.channel = channel
  }

  /// What the registers hold after a reset. ATA/ATAPI-5 §9.1, §9.12.
  private func setSignature(_ channel: inout Channel) {
    channel.registers = 0
    channel[.count] = 1
    channel[.low] = 1
    channel[.error] = 1
    channel[.status] = Channel.Status.idle
    channel.phase = Channel.Phase.idle
    channel.requests = false
    channel.previous = 0
  }

  /// Sectors of a disk; nil: there is no such disk.
  private func sectors(_ disk: Int) -> UInt64? {
    disk < memory.disks.count ? UInt64((memory.disks[disk].count + 511) / 512) : nil
  }

  static let diskHeads: UInt64 = 16
  static let diskTrack: UInt64 = 63
  static func cylinders(ofSectors sectors: UInt64) -> UInt64 {
    max(1, min(16383, sectors / (diskHeads * diskTrack)))
  }

  // MARK: Completion

  /// Whether a command waits for the disk.
  public var isDiskBusy: Bool { hasDisk && channel.phase == Channel.Phase.pending }

  /// The disk has done what the pending command wants of it: data can be passed on, or all is done; the
  /// interrupt is requested.
  public func completeDisk() {
    var channel = self.channel
    guard channel.phase == Channel.Phase.pending else { return }
    complete(&channel)
    self.channel = channel
  }

  private func complete(_ channel: inout Channel) {
    channel.requests = true
    channel.position = 0
    channel[.status] = Channel.Status.idle
    if channel.left == 0 {
      channel.phase = Channel.Phase.idle
    } else {
      channel.phase = isWrite(channel.command) ? Channel.Phase.output : Channel.Phase.input
      channel[.status] |= Channel.Status.request
      channel.block = min(channel.left, blockSectors(channel)) * 512
    }
  }

  private func isWrite(_ command: UInt64) -> Bool {
    [0x30, 0x31, 0x34, 0xC5, 0x39].contains(command)
  }

  private func blockSectors(_ channel: Channel) -> UInt64 {
    switch channel.command {
    case 0xC4, 0xC5, 0x29, 0x39: max(1, channel.multiple(channel.isSlave ? 1 : 0))
    default: 1
    }
  }

  private func wait(_ channel: inout Channel) {
    channel.phase = Channel.Phase.pending
    channel[.status] = Channel.Status.busy | Channel.Status.seekDone
    if !memory.observed || !diskTakesTime { complete(&channel) }
  }

  private func refuse(_ channel: inout Channel, _ error: UInt8) {
    channel[.error] = error
    channel[.status] = Channel.Status.idle | Channel.Status.error
    channel.phase = Channel.Phase.idle
    channel.requests = true
  }

  // MARK: Ports

  private func noDisk() -> Bool {
    notModelled(
      "an access to the IDE disk's ports, as this machine has no disk; name its file as a disk")
  }

  /// Ports 1F1h–1F7h and 3F6h, a byte. nil: not modelled.
  func readDisk(_ port: UInt16) -> UInt8? {
    guard hasDisk else {
      _ = noDisk()
      return nil
    }
    var channel = self.channel
    // Nobody answers for a disk that is not there.
    if sectors(channel.isSlave ? 1 : 0) == nil && port != 0x1F6 { return 0 }
    if channel[.status] & Channel.Status.busy != 0 && port != 0x1F6 {
      return channel[.status]
    }
    switch port {
    case 0x1F0: return UInt8(truncatingIfNeeded: readDiskData(size: 1))
    case 0x1F1: return channel[.error]
    case 0x1F2...0x1F5:
      let register = Channel.Register(rawValue: UInt64(port - 0x1F1))!
      if channel.control & 0x80 != 0 {
        return UInt8(Channel.get(channel.previous, (register.rawValue - 1) * 8, 8))
      }
      return channel[register]
    case 0x1F6: return channel[.device] | 0xA0
    case 0x1F7:
      let status = channel[.status]
      if channel.requests {
        channel.requests = false
        self.channel = channel
      }
      return status
    default: return channel[.status]
    }
  }

  /// The same ports. False: not modelled.
  func writeDisk(_ port: UInt16, _ value: UInt8) -> Bool {
    guard hasDisk else { return noDisk() }
    var channel = self.channel
    switch port {
    case 0x1F0:
      writeDiskData(size: 1, UInt32(value))
      return true
    case 0x1F1: channel[.features] = value
    case 0x1F2...0x1F5:
      guard channel[.status] & Channel.Status.busy == 0 else { return true }
      let register = Channel.Register(rawValue: UInt64(port - 0x1F1))!
      Channel.set(
        &channel.previous, (register.rawValue - 1) * 8, 8, UInt64(channel[register]))
      channel[register] = value
      channel.control &= ~0x80
    case 0x1F6: channel[.device] = value
    case 0x1F7:
      guard channel[.status] & Channel.Status.busy == 0,
        let sectors = sectors(channel.isSlave ? 1 : 0)
      else { return true }
      channel.requests = false
      begin(value, &channel, sectors)
    default:
      // SRST: the reset is over when the bit is cleared. ATA/ATAPI-5 §9.2.
      let wasReset = channel.control & 4 != 0
      channel.control = UInt64(value)
      if value & 4 != 0 {
        channel.phase = Channel.Phase.idle
        channel[.status] = Channel.Status.busy
      } else if wasReset {
        setSignature(&channel)
      }
    }
    self.channel = channel
    return true
  }

  private func begin(_ command: UInt8, _ channel: inout Channel, _ sectors: UInt64) {
    let disk = channel.isSlave ? 1 : 0
    channel.command = UInt64(command)
    channel[.error] = 0
    channel[.status] = Channel.Status.idle
    channel.left = 0
    switch command {
    case 0x20, 0x21, 0x24, 0x29, 0x30, 0x31, 0x34, 0x39, 0x40, 0x41, 0x42, 0xC4, 0xC5:
      if [0xC4, 0xC5, 0x29, 0x39].contains(command) && channel.multiple(disk) == 0 {
        return refuse(&channel, 4)
      }
      let isWide = [0x24, 0x29, 0x34, 0x39, 0x42].contains(command)
      let (first, count) = extent(channel, isWide: isWide)
      guard count < 1 << 16 else { return refuse(&channel, 4) }
      guard let first, first + count <= sectors else { return refuse(&channel, 0x10) }
      channel.sector = first
      if command >= 0x40 && command <= 0x42 { return wait(&channel) }
      channel.left = count
      if !isWrite(channel.command) { return wait(&channel) }
      // The first block is asked for at once, without an interrupt. §9.6.
      channel.phase = Channel.Phase.output
      channel.position = 0
      channel.block = min(count, blockSectors(channel)) * 512
      channel[.status] |= Channel.Status.request
    case 0xEC:
      channel.left = 1
      wait(&channel)
    case 0xC6:
      let value = UInt64(channel[.count])
      guard value <= 16, value & (value &- 1) == 0 else { return refuse(&channel, 4) }
      channel.setMultiple(disk, value)
      wait(&channel)
    case 0x90:
      setSignature(&channel)
      channel.command = UInt64(command)
      wait(&channel)
      channel[.error] = 1
    // Recalibrate, initialize parameters, power modes, flush, set features: nothing to do.
    case 0x10...0x1F, 0x91, 0xE0...0xE3, 0xE7, 0xEA, 0xEF: wait(&channel)
    case 0xE5:
      channel[.count] = 0xFF
      wait(&channel)
    // DMA and packets: there is no bus master, and no packet device.
    default: refuse(&channel, 4)
    }
  }

  /// First sector (nil: no such place) and number of sectors that the registers name.
  private func extent(_ channel: Channel, isWide: Bool) -> (first: UInt64?, count: UInt64) {
    func register(_ r: Channel.Register) -> UInt64 { UInt64(channel[r]) }
    func earlier(_ r: Channel.Register) -> UInt64 {
      Channel.get(channel.previous, (r.rawValue - 1) * 8, 8)
    }
    if isWide {
      let count = register(.count) | earlier(.count) << 8
      let low = register(.low) | register(.middle) << 8 | register(.high) << 16
      let high = earlier(.low) | earlier(.middle) << 8 | earlier(.high) << 16
      return (low | high << 24, count == 0 ? 65536 : count)
    }
    let count = register(.count) == 0 ? 256 : register(.count)
    let head = register(.device) & 15
    if channel[.device] & 0x40 != 0 {
      return (
        register(.low) | register(.middle) << 8 | register(.high) << 16 | head << 24, count
      )
    }
    guard channel[.low] != 0 else { return (nil, count) }
    let cylinder = register(.middle) | register(.high) << 8
    return (
      (cylinder * Machine.diskHeads + head) * Machine.diskTrack + register(.low) - 1, count
    )
  }

  // MARK: Data

  /// IN from port 1F0h.
  func readDiskData(size: Int) -> UInt32 {
    var channel = self.channel
    guard channel.phase == Channel.Phase.input else { return 0 }
    let disk = channel.isSlave ? 1 : 0
    var value: UInt64 = 0
    if channel.command == 0xEC {
      let words = identification(disk, channel)
      for i in 0..<UInt64(size) {
        let at = channel.position + i
        let word = at < 512 ? words[Int(at / 2)] : 0
        value |= UInt64(word >> UInt16(8 * (at & 1)) & 0xFF) << (8 * i)
      }
    } else {
      value = memory.value(
        at: memory.diskBase(disk) + channel.sector * 512 + channel.position, size: size)
    }
    pass(&channel, size)
    return UInt32(truncatingIfNeeded: value)
  }

  /// OUT to port 1F0h.
  func writeDiskData(size: Int, _ value: UInt32) {
    var channel = self.channel
    guard channel.phase == Channel.Phase.output else { return }
    let disk = channel.isSlave ? 1 : 0
    memory.setValue(
      at: memory.diskBase(disk) + channel.sector * 512 + channel.position, size: size,
      UInt64(value))
    pass(&channel, size)
  }

  /// Bytes of the block were passed on; after the last one the disk goes on.
  private func pass(_ channel: inout Channel, _ size: Int) {
    channel.position += UInt64(size)
    if channel.position >= channel.block {
      let count = channel.block / 512
      channel.sector += count
      channel.left -= min(channel.left, count)
      channel.position = 0
      if channel.phase == Channel.Phase.input && channel.left == 0 {
        channel.phase = Channel.Phase.idle
        channel[.status] = Channel.Status.idle
      } else {
        wait(&channel)
      }
    }
    self.channel = channel
  }

  /// IDENTIFY DEVICE. ATA/ATAPI-5 §8.12, table 20; words 83, 86 and 100–103 of ATA/ATAPI-6.
  private func identification(_ disk: Int, _ channel: Channel) -> [UInt16] {
    var words = [UInt16](repeating: 0, count: 256)
    let sectors = sectors(disk) ?? 0
    func text(_ first: Int, _ count: Int, _ text: String) {
      let bytes = Array(text.utf8) + [UInt8](repeating: 0x20, count: count * 2)
      for i in 0..<count { words[first + i] = UInt16(bytes[2 * i]) << 8 | UInt16(bytes[2 * i + 1]) }
    }
    let cylinders = UInt16(Machine.cylinders(ofSectors: sectors))
    words[0] = 0x0040
    words[1] = cylinders
    words[3] = UInt16(Machine.diskHeads)
    words[6] = UInt16(Machine.diskTrack)
    text(10, 10, "LL\(disk)")
    text(23, 4, "1")
    text(27, 20, "LOCKLAB DISK")
    words[47] = 0x8010
    words[49] = 0x0200
    words[53] = 1
    words[54] = cylinders
    words[55] = UInt16(Machine.diskHeads)
    words[56] = UInt16(Machine.diskTrack)
    let reachable = UInt64(cylinders) * Machine.diskHeads * Machine.diskTrack
    words[57] = UInt16(truncatingIfNeeded: reachable)
    words[58] = UInt16(truncatingIfNeeded: reachable >> 16)
    let multiple = channel.multiple(disk)
    words[59] = multiple == 0 ? 0 : 0x100 | UInt16(multiple)
    let short = min(sectors, 0x0FFF_FFFF)
    words[60] = UInt16(truncatingIfNeeded: short)
    words[61] = UInt16(truncatingIfNeeded: short >> 16)
    words[80] = 0x7E
    words[83] = 0x7400
    words[84] = 0x4000
    words[86] = 0x3400
    words[87] = 0x4000
    for i in 0..<4 { words[100 + i] = UInt16(truncatingIfNeeded: sectors >> UInt64(16 * i)) }
    return words
  }
}
