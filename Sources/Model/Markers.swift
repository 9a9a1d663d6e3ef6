import Emulator

/// Markers: instructions in a kernel's code that do nothing on hardware and tell LockLab something.
///
/// A marker is the NOP of seven bytes `0F 1F 80 nn 00 4C 4B` (NOP DWORD [EAX + 4B4C00nn]; Intel SDM Vol.
/// 2B, NOP: no memory is accessed), where `nn` says which. Its first argument is in EDX (RDX), its second
/// in ECX (RCX); what it answers comes in EAX (RAX).
enum Marker: UInt8, CaseIterable {
  /// EDX: a text, or 0.
  case assertionFailed = 1
  /// EDX: a lock, ECX: its kind, as in `kinds`.
  case acquiring = 2
  /// ECX: the kind, and in bit 9 IF as the caller will give it back.
  case acquired = 3
  /// The lock was not had after all.
  case gaveUp = 4
  /// ECX: the kind, and in bit 9 IF as it will be.
  case releasing = 5
  case released = 6
  /// EDX: a number n; EAX becomes one of 0 to n - 1.
  case choose = 7
  /// From here on, and until the end, interrupts are explored.
  case interestBegins = 8
  case interestEnds = 9
  /// Executions that come here are of no interest.
  case pathEnds = 10

  static let pattern: [UInt8?] = [0x0F, 0x1F, 0x80, nil, 0x00, 0x4C, 0x4B]

  /// Kinds of locks by their number in ECX; in bits 0 to 7.
  static let kinds: [LockDiscipline.Kind] = [.plain, .value, .count, .field, .sleeping]

  /// Markers in an image's code, by linear address.
  static func sites(in elf: ELFImage) -> [UInt64: Marker] {
    var sites: [UInt64: Marker] = [:]
    for segment in elf.segments where segment.flags & 1 != 0 {
      elf.bytes.withUnsafeBufferPointer { bytes in
        var at = segment.file.lowerBound
        let end = segment.file.upperBound - pattern.count
        while at <= end {
          if bytes[at] == 0x0F, bytes[at + 1] == 0x1F, bytes[at + 2] == 0x80, bytes[at + 4] == 0,
            bytes[at + 5] == 0x4C, bytes[at + 6] == 0x4B,
            let marker = Marker(rawValue: bytes[at + 3])
          {
            sites[segment.virtual + UInt64(at - segment.file.lowerBound)] = marker
          }
          at += 1
        }
      }
    }
    return sites
  }
}

extension Marker {
  var isLockOperation: Bool {
    (Marker.acquiring.rawValue...Marker.released.rawValue).contains(rawValue)
  }
}

extension World {
  /// The disciplines of locks that are known by markers: behind those of the scenario.
  static let markedDisciplines = Marker.kinds.map { kind in
    var discipline = LockDiscipline(acquire: [], release: [])
    discipline.kind = kind
    discipline.flagsArgument = nil
    return discipline
  }

  /// The marker that the present CPU stands before takes effect.
  func passMarker(_ marker: Marker, rip: UInt64) {
    switch marker {
    case .assertionFailed:
      var h = Happening(.assertion, rip: rip)
      h.marked = true
      happen(h)
    case .pathEnds: isCutOff = true
    case .interestBegins: ghost[mark: Ghost.Mark.interest] &+= 1
    case .interestEnds:
      if ghost[mark: Ghost.Mark.interest] > 0 { ghost[mark: Ghost.Mark.interest] &-= 1 }
    case .choose:
      cpu[CPU.Register.ax] = chosenValue
      ghost[mark: Ghost.Mark.chosen + cpuIndex] = 0
      ghost[mark: Ghost.Mark.chosenAt + cpuIndex] = 0
    case .acquiring, .acquired, .gaveUp, .releasing, .released: passLockMarker(marker, rip: rip)
    }
  }

  // MARK: Values

  /// Which marker, in which call, the present CPU stands before.
  private var markerHere: UInt64 { cpu.rip ^ cpu.rsp << 32 | 1 }

  /// The value that the marker yields which the present CPU stands before.
  var chosenValue: UInt64 {
    get {
      ghost[mark: Ghost.Mark.chosenAt + cpuIndex] == markerHere
        ? ghost[mark: Ghost.Mark.chosen + cpuIndex] : 0
    }
    set {
      ghost[mark: Ghost.Mark.chosen + cpuIndex] = newValue
      ghost[mark: Ghost.Mark.chosenAt + cpuIndex] = newValue == 0 ? 0 : markerHere
    }
  }

  /// The bit of the choice for another value, where the present CPU stands before a marker that has one.
  func offerNextValue() -> UInt32 {
    guard marksChoices else { return 0 }
    let hasMore = chosenValue + 1 < valuesOffered
    ghost[mark: Ghost.Mark.choosing] = hasMore ? UInt64(cpuIndex) + 1 : 0
    return hasMore ? 1 << UInt32(Choice.nextValue) : 0
  }

  /// Takes that choice: the CPU stands where it stood.
  func takeNextValue() -> Outcome {
    turn(to: Int(ghost[mark: Ghost.Mark.choosing]) - 1)
    chosenValue += 1
    lookAhead(stopped: true)
    let choices = branches()
    if choices != 0 { return settle(choices) }
    if !passHooks() { return .ended }
    return runToChoice(pass: true)
  }

  /// Whether interrupts are left out here: a window of interest is not open, and the CPU does something
  /// without them.
  var isOutsideInterest: Bool {
    !looksOutside && ghost[mark: Ghost.Mark.interest] == 0
      && cpu[CPU.Word.activity] == CPU.Activity.running
  }

  /// How many values the marker offers that the present CPU stands before; 1 where it stands before none.
  var valuesOffered: UInt64 {
    guard marksChoices, mayHaveHook(cpu.rip), hookSites[cpu.rip]?.marker == .choose else {
      return 1
    }
    return max(1, image.elf.is64Bit ? cpu[CPU.Register.dx] : cpu[CPU.Register.dx] & 0xFFFF_FFFF)
  }

  private func passLockMarker(_ marker: Marker, rip: UInt64) {
    let lock = cpu[CPU.Register.dx]
    let second = cpu[CPU.Register.cx]
    let kind = Int(second & 0xFF)
    guard kind < Marker.kinds.count else {
      obstacle = "a marker at \(image.symbols.describe(rip)) names lock kind \(kind)"
      return
    }
    let discipline = scenario.locks.count - Marker.kinds.count + kind
    let flags = second & CPU.Flag.if != 0
    switch marker {
    case .acquiring:
      forgetMarkedOperation(lock)
      beginLockOperation(
        .acquire, discipline, lock: lock, site: rip, key: cpu.rsp | 1, returnAddress: rip,
        flagsInterrupts: nil)
    case .acquired:
      if markedOperation(lock) == nil {
        beginLockOperation(
          .acquire, discipline, lock: lock, site: rip, key: cpu.rsp | 1, returnAddress: rip,
          flagsInterrupts: nil, interruptsBefore: flags)
      }
      if let row = markedOperation(lock) {
        endLockOperation(row: row, rip: rip, hasLock: true, returned: flags)
      }
    case .gaveUp: forgetMarkedOperation(lock)
    case .releasing:
      forgetMarkedOperation(lock)
      beginLockOperation(
        .release, discipline, lock: lock, site: rip, key: cpu.rsp | 1, returnAddress: rip,
        flagsInterrupts: Marker.kinds[kind] == .value ? flags : nil)
    default:
      if markedOperation(lock) == nil {
        beginLockOperation(
          .release, discipline, lock: lock, site: rip, key: cpu.rsp | 1, returnAddress: rip,
          flagsInterrupts: nil)
      }
      if let row = markedOperation(lock) {
        endLockOperation(row: row, rip: rip, hasLock: true, returned: flags)
      }
    }
  }

  /// Row of the operation on a lock that markers have begun on the present strand.
  private func markedOperation(_ lock: UInt64) -> Int? {
    let t = Ghost.Layout.calls
    let s = strand
    // Not those of what an interrupt on this stack has interrupted: they lie above its frame.
    let end = activationsOnStrand().first { $0.isAsynchronous }?.frame ?? .max
    return (0..<ghost.count(t)).first { row in
      ghost.field(t, row, 0) & 1 != 0 && ghost.field(t, row, 0) < end && ghost.field(t, row, 2) == lock
        && ghost.field(t, row, 4) == s
    }
  }

  private func forgetMarkedOperation(_ lock: UInt64) {
    while let row = markedOperation(lock) { ghost.remove(Ghost.Layout.calls, row: row) }
  }
}

extension World {
  /// The text that a marker of a failed assertion hands over, if the present CPU stands before one.
  var assertedText: String? {
    guard hookSites[cpu.rip]?.marker == .assertionFailed else { return nil }
    let start = image.elf.is64Bit ? cpu[CPU.Register.dx] : cpu[CPU.Register.dx] & 0xFFFF_FFFF
    guard start != 0 else { return nil }
    var bytes: [UInt8] = []
    while bytes.count < 200,
      let byte = machine.peek(cpuIndex, linear: start + UInt64(bytes.count), size: 1),
      byte != 0
    {
      bytes.append(UInt8(byte))
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }
}
