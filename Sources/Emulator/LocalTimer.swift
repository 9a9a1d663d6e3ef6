/// The local APIC's timer. Intel SDM Vol. 3A §10.5.4.
///
/// In plain runs it counts the machine's clock; while memory is observed it stands still, and when it
/// expires is decided from outside (`expireTimer`).

extension Machine {
  private func isPeriodic(_ apic: LocalAPIC) -> Bool {
    apic[LocalAPIC.LocalVector.timer] >> 17 & 3 == 1
  }

  /// Units of `clock` for one count. Figure 10-10.
  private func clocksPerCount(_ apic: LocalAPIC) -> UInt64 {
    let divide = apic[LocalAPIC.Word.divide]
    let code = divide & 3 | divide >> 1 & 4
    return code == 7 ? 1 : 2 << code
  }

  func currentCount(_ cpu: Int) -> UInt64 {
    let apic = apic(cpu)
    let initial = apic[LocalAPIC.Word.initialCount]
    guard initial != 0, isPeriodic(apic) || apic[LocalAPIC.Word.timerArmed] != 0 else { return 0 }
    let passed = (clock &- apic[LocalAPIC.Word.timerStart]) / clocksPerCount(apic)
    return isPeriodic(apic) ? initial - passed % initial : initial - min(passed, initial)
  }

  /// The value of `clock` at which some local timer expires next; `UInt64.max` when none will.
  func localTimerDeadline() -> UInt64 {
    var deadline = UInt64.max
    for cpu in cpus.indices { deadline = min(deadline, localTimerDeadline(cpu)) }
    return deadline
  }

  private func localTimerDeadline(_ cpu: Int) -> UInt64 {
    let apic = apic(cpu)
    let initial = apic[LocalAPIC.Word.initialCount]
    guard initial != 0 else { return .max }
    let start = apic[LocalAPIC.Word.timerStart]
    let period = initial &* clocksPerCount(apic)
    if isPeriodic(apic) {
      // Expiries up to `timerArmed` - 1 periods were taken.
      return start &+ max(1, apic[LocalAPIC.Word.timerArmed]) &* period
    }
    return apic[LocalAPIC.Word.timerArmed] != 0 ? start &+ period : .max
  }

  /// Expires the local timers that are due in a plain run.
  func expireDueTimers() {
    let now = clock
    for cpu in cpus.indices where localTimerDeadline(cpu) <= now {
      let apic = apic(cpu)
      expireTimer(cpu: cpu)
      if isPeriodic(apic) {
        let period = apic[LocalAPIC.Word.initialCount] &* clocksPerCount(apic)
        let passed = (now - apic[LocalAPIC.Word.timerStart]) / period
        apic[LocalAPIC.Word.timerArmed] = passed + 1
      }
    }
  }

  /// The CPU's local timer comes to zero: its interrupt is requested unless it is masked.
  public func expireTimer(cpu: Int) {
    let apic = apic(cpu)
    if !isPeriodic(apic) { apic[LocalAPIC.Word.timerArmed] = 0 }
    let local = apic[LocalAPIC.LocalVector.timer]
    if local & LocalAPIC.LocalVector.masked == 0 { apic.accept(Int(local & 0xFF), level: false) }
  }

  /// Whether the CPU's local timer counts, so that it can expire.
  public func isTimerRunning(cpu: Int) -> Bool {
    let apic = apic(cpu)
    return apic[LocalAPIC.Word.initialCount] != 0
      && (isPeriodic(apic) || apic[LocalAPIC.Word.timerArmed] != 0)
  }

  /// Whether the local timer's interrupt would be requested if it expired now.
  public func isTimerMasked(cpu: Int) -> Bool {
    apic(cpu)[LocalAPIC.LocalVector.timer] & LocalAPIC.LocalVector.masked != 0
  }

  /// Whether it begins again when it has expired.
  public func isTimerPeriodic(cpu: Int) -> Bool { isPeriodic(apic(cpu)) }

  public func timerVector(cpu: Int) -> Int {
    Int(apic(cpu)[LocalAPIC.LocalVector.timer] & 0xFF)
  }
}
