/// The 8254 interval timer. Intel 8254 data sheet (231164). Channel 0 is wired to IRQ 0, channel 2's
/// output to port 61h; the gates of channels 0 and 1 are tied high.

/// One channel's registers, packed into a word; a second word holds the clock at which it started.
private struct TimerChannel {
  var raw: UInt64

  private func bits(_ shift: UInt64, _ count: UInt64) -> UInt64 {
    raw >> shift & ((1 << count) - 1)
  }
  private mutating func setBits(_ shift: UInt64, _ count: UInt64, _ value: UInt64) {
    let mask: UInt64 = ((1 << count) - 1) << shift
    raw = raw & ~mask | value << shift & mask
  }
  var reload: UInt64 {
    get { bits(0, 16) }
    set { setBits(0, 16, newValue) }
  }
  var latch: UInt64 {
    get { bits(16, 16) }
    set { setBits(16, 16, newValue) }
  }
  var status: UInt64 {
    get { bits(32, 8) }
    set { setBits(32, 8, newValue) }
  }
  /// 0...5.
  var mode: UInt64 {
    get { bits(40, 3) }
    set { setBits(40, 3, newValue) }
  }
  /// 1: low byte, 2: high byte, 3: low then high.
  var access: UInt64 {
    get { bits(43, 2) }
    set { setBits(43, 2, newValue) }
  }
  var isDecimal: Bool {
    get { bits(45, 1) != 0 }
    set { setBits(45, 1, newValue ? 1 : 0) }
  }
  var isCountLatched: Bool {
    get { bits(46, 1) != 0 }
    set { setBits(46, 1, newValue ? 1 : 0) }
  }
  var isStatusLatched: Bool {
    get { bits(47, 1) != 0 }
    set { setBits(47, 1, newValue ? 1 : 0) }
  }
  /// The next read, or write, is the high byte of a pair.
  var readsHigh: Bool {
    get { bits(48, 1) != 0 }
    set { setBits(48, 1, newValue ? 1 : 0) }
  }
  var writesHigh: Bool {
    get { bits(49, 1) != 0 }
    set { setBits(49, 1, newValue ? 1 : 0) }
  }
  /// A count was written since the mode was.
  var isRunning: Bool {
    get { bits(50, 1) != 0 }
    set { setBits(50, 1, newValue ? 1 : 0) }
  }
  var lowByte: UInt64 {
    get { bits(56, 8) }
    set { setBits(56, 8, newValue) }
  }

  /// Clock pulses of a whole count; zero stands for the largest.
  var period: UInt64 {
    if !isDecimal { return reload == 0 ? 0x1_0000 : reload }
    let value = TimerChannel.fromDecimal(reload)
    return value == 0 ? 10_000 : value
  }
  var isPeriodic: Bool { mode == 2 || mode == 3 }

  /// The count and the output, some pulses after the start.
  func state(after pulses: UInt64) -> (count: UInt64, output: Bool) {
    let range: UInt64 = isDecimal ? 10_000 : 0x1_0000
    guard isRunning else { return (reload, mode != 0) }
    let period = self.period
    switch mode {
    case 2:
      let count = period - pulses % period
      return (count % range, count != 1)
    case 3:
      // Counts down by two, twice a period.
      let position = pulses % period
      let firstHalf = (period + 1) / 2
      let isHigh = position < firstHalf
      let left = isHigh ? period - 2 * position : period - 2 * (position - firstHalf)
      return ((left & ~1) % range, isHigh)
    default:
      let count = (period &+ range &* 0x1_0000_0000 &- pulses % range) % range
      return (count, mode == 0 ? pulses >= period : pulses != period)
    }
  }

  static func fromDecimal(_ value: UInt64) -> UInt64 {
    (value >> 12 & 15) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + value & 15
  }
  static func toDecimal(_ value: UInt64) -> UInt64 {
    (value / 1000 % 10) << 12 | (value / 100 % 10) << 8 | (value / 10 % 10) << 4 | value % 10
  }
}

extension Machine {
  /// Units of `clock` (instructions, in a plain run) for one pulse of the timer's 1.193182 MHz.
  static let clocksPerPulse: UInt64 = 32

  func resetTimer() {
    for number in 0..<3 {
      var channel = TimerChannel(raw: 0)
      channel.access = 3
      channel.mode = number == 1 ? 2 : 3
      setDeviceWord(.timer, number * 2, channel.raw)
    }
    timerDeadline = .max
  }

  private func channel(_ number: Int) -> TimerChannel {
    TimerChannel(raw: deviceWord(.timer, number * 2))
  }

  private func pulses(_ number: Int) -> UInt64 {
    let start = deviceWord(.timer, number * 2 + 1)
    let now = clock
    return now > start ? (now - start) / Machine.clocksPerPulse : 0
  }

  private func count(_ number: Int) -> UInt64 {
    let channel = channel(number)
    let count = channel.state(after: pulses(number)).count
    return channel.isDecimal ? TimerChannel.toDecimal(count) : count
  }

  /// Whether a channel's output is high.
  func timerOutput(_ number: Int) -> Bool { channel(number).state(after: pulses(number)).output }

  // MARK: Ports 40h–43h

  func readTimer(_ port: UInt16) -> UInt8? {
    let number = Int(port & 3)
    // The control word cannot be read.
    if number == 3 { return 0xFF }
    var channel = channel(number)
    defer { setDeviceWord(.timer, number * 2, channel.raw) }
    if channel.isStatusLatched {
      channel.isStatusLatched = false
      return UInt8(channel.status)
    }
    noteClockRead()
    let value = channel.isCountLatched ? channel.latch : count(number)
    let isHigh = channel.access == 2 || (channel.access == 3 && channel.readsHigh)
    if channel.access == 3 { channel.readsHigh.toggle() }
    if !channel.readsHigh { channel.isCountLatched = false }
    return UInt8(truncatingIfNeeded: isHigh ? value >> 8 : value)
  }

  func writeTimer(_ port: UInt16, _ value: UInt8) -> Bool {
    let number = Int(port & 3)
    if number == 3 { return writeTimerControl(value) }
    var channel = channel(number)
    let byte = UInt64(value)
    switch channel.access {
    case 1: channel.reload = byte
    case 2: channel.reload = byte << 8
    default:
      if !channel.writesHigh {
        channel.lowByte = byte
        channel.writesHigh = true
        setDeviceWord(.timer, number * 2, channel.raw)
        return true
      }
      channel.writesHigh = false
      channel.reload = channel.lowByte | byte << 8
      channel.lowByte = 0
    }
    channel.isRunning = true
    setDeviceWord(.timer, number * 2, channel.raw)
    setDeviceWord(.timer, number * 2 + 1, clock)
    if number == 0 { updateTimerDeadline() }
    return true
  }

  private func writeTimerControl(_ value: UInt8) -> Bool {
    let number = Int(value >> 6)
    if number == 3 {
      // Read-back: bit 5 clear latches counts, bit 4 clear latches status.
      for number in 0..<3 where value & 2 << UInt8(number) != 0 {
        if value & 0x20 == 0 { latchCount(number) }
        if value & 0x10 == 0 { latchStatus(number) }
      }
      return true
    }
    let access = value >> 4 & 3
    if access == 0 {
      latchCount(number)
      return true
    }
    var channel = TimerChannel(raw: 0)
    channel.access = UInt64(access)
    // Modes 6 and 7 are other names of 2 and 3.
    channel.mode = UInt64(value >> 1 & 7) & (value & 4 != 0 && value & 8 != 0 ? 3 : 7)
    if channel.mode == 1 || channel.mode == 5 {
      return notModelled("timer mode \(channel.mode), which a gate triggers")
    }
    channel.isDecimal = value & 1 != 0
    setDeviceWord(.timer, number * 2, channel.raw)
    setDeviceWord(.timer, number * 2 + 1, 0)
    if number == 0 { updateTimerDeadline() }
    return true
  }

  private func latchCount(_ number: Int) {
    var channel = channel(number)
    if channel.isCountLatched { return }
    channel.latch = count(number)
    channel.isCountLatched = true
    setDeviceWord(.timer, number * 2, channel.raw)
  }

  private func latchStatus(_ number: Int) {
    var channel = channel(number)
    if channel.isStatusLatched { return }
    channel.status =
      (timerOutput(number) ? 0x80 : 0) | (channel.isRunning ? 0 : 0x40)
      | channel.access << 4 | channel.mode << 1 | (channel.isDecimal ? 1 : 0)
    channel.isStatusLatched = true
    setDeviceWord(.timer, number * 2, channel.raw)
  }

  // MARK: IRQ 0 in plain runs

  /// Works out when a timer, this one's channel 0 or a local APIC's, raises its interrupt next, in units
  /// of `clock`.
  func updateTimerDeadline() {
    guard timersRun, !memory.observed else {
      timerDeadline = .max
      return
    }
    updateChannelDeadline()
    timerDeadline = min(channelDeadline, localTimerDeadline())
  }

  private func updateChannelDeadline() {
    let channel = channel(0)
    guard channel.isRunning else {
      channelDeadline = .max
      return
    }
    let start = deviceWord(.timer, 1)
    let period = channel.period * Machine.clocksPerPulse
    let now = clock
    let first = start &+ period
    if now < first {
      channelDeadline = first
    } else {
      channelDeadline = channel.isPeriodic ? start + ((now - start) / period + 1) * period : .max
    }
  }

  /// To be called in a plain run when `clock` has come to `timerDeadline`.
  func timerExpired() {
    if channelDeadline <= clock { raise(line: 0) }
    expireDueTimers()
    updateTimerDeadline()
  }

  /// A plain run's CPUs are halted: time passes until a timer's next interrupt, which is raised.
  /// False when none is set to raise one.
  func sleepUntilTimer() -> Bool {
    updateTimerDeadline()
    guard timerDeadline != .max else { return false }
    let now = clock
    if timerDeadline > now { idleInstructions &+= timerDeadline - now }
    timerExpired()
    return true
  }
}
