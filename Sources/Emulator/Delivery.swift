/// Entering handlers through the IDT. Intel SDM Vol. 3A chapter 6; the order of the checks is that
/// of "INT n" in Vol. 2A.

/// What is delivered.
enum DeliveryKind: UInt8 {
  case exception, external, nmi, machineCheck
  /// INT n.
  case software
  /// INT3 and INTO.
  case int3

  /// Raised by an instruction that names the vector: gates check the privilege level, and faults
  /// during the delivery have EXT clear. Intel SDM Vol. 3A §6.12.1.1, §6.13.
  var isSoftware: Bool { self == .software || self == .int3 }
}

extension Machine {
  /// Delivers an event at the present instruction boundary.
  ///
  /// A fault of the delivery itself is delivered instead, or becomes a double fault, or shuts the
  /// processor down (Intel SDM Vol. 3A §6.15, table 6-5). Registers change only with a delivery
  /// that came through. When the delivery needs something that is not modelled, nothing changes
  /// and `faultVector` says so afterwards; otherwise it is -1.
  func deliver(_ cpu: Int, vector: Int, kind: DeliveryKind, errorCode: UInt32?) {
    var vector = vector
    var kind = kind
    var errorCode = errorCode
    selectMode(cpu)
    while true {
      if enter(
        cpu, vector: vector, kind: kind, errorCode: errorCode, returnAddress: cpus[cpu].rip)
      {
        faultVector = -1
        return
      }
      if faultVector >= Machine.visibleFault { return }
      let isException = kind == .exception
      switch Escalation.of(first: isException ? vector : nil, second: faultVector) {
      case .serial:
        vector = faultVector
        errorCode = exceptionHasErrorCode(vector) ? faultError : nil
      case .doubleFault:
        vector = Vector.doubleFault
        errorCode = 0
      case .shutdown:
        let c = cpus[cpu]
        event = Event()
        event.kind = .exception
        event.cpu = cpu
        event.vector = vector
        event.rip = c.linearIP
        event.oldSP = c.rsp
        event.newSP = c.rsp
        event.oldCPL = c.cpl
        event.newCPL = c.cpl
        event.oldFlags = c.rflags
        c[CPU.Word.activity] = CPU.Activity.shutdown
        faultVector = -1
        return
      }
      kind = .exception
    }
  }

  /// Whether an exception pushes an error code. Intel SDM Vol. 3A table 6-1.
  func exceptionHasErrorCode(_ vector: Int) -> Bool {
    vector == 8 || (10...14).contains(vector) || vector == 17
  }

  /// One attempt to enter the handler of a vector. False after a fault; then nothing has changed,
  /// unless a task gate's switch got beyond its commit point.
  func enter(
    _ cpu: Int, vector: Int, kind: DeliveryKind, errorCode: UInt32?, returnAddress: UInt64
  ) -> Bool {
    let c = cpus[cpu]
    let external: UInt32 = kind.isSoftware ? 0 : 1
    // Errors in the IDT itself: vector times eight, IDT bit, EXT bit. Vol. 3A §6.13.
    let gateError = UInt32(vector) * 8 + 2 + external
    if isReal(cpu) {
      return enterReal(cpu, vector: vector, kind: kind, returnAddress: returnAddress)
    }

    // Gates have 16 bytes in IA-32e mode, and are of two kinds. Vol. 3A §6.14.1.
    let isLong = c.isLongMode
    let bytes: UInt64 = isLong ? 16 : 8
    let offset = UInt64(vector) * bytes
    guard offset + bytes - 1 <= c[CPU.Word.idtrLimit] else {
      return fault(Vector.generalProtection, gateError)
    }
    guard let raw = readSystem(cpu, c[CPU.Word.idtrBase] &+ offset, size: 8) else { return false }
    let gate = Descriptor(raw: raw)
    switch gate.isSystem ? gate.type : -1 {
    case Descriptor.SystemType.interruptGate32, Descriptor.SystemType.trapGate32: break
    case _ where isLong: return fault(Vector.generalProtection, gateError)
    case Descriptor.SystemType.taskGate, Descriptor.SystemType.interruptGate16,
      Descriptor.SystemType.trapGate16:
      break
    default: return fault(Vector.generalProtection, gateError)
    }
    if kind.isSoftware && gate.privilege < c.cpl {
      return fault(Vector.generalProtection, gateError)
    }
    guard gate.isPresent else { return fault(Vector.segmentNotPresent, gateError) }

    let code = kind == .exception ? errorCode : nil
    let before = EntryPoint(c)
    if isLong {
      guard let upper = readSystem(cpu, c[CPU.Word.idtrBase] &+ offset &+ 8, size: 8),
        enterLongHandler(
          cpu, gate, upper: upper & 0xFFFF_FFFF, vector: vector, kind: kind, errorCode: code,
          external: external, returnAddress: returnAddress)
      else { return false }
    } else if gate.type == Descriptor.SystemType.taskGate {
      guard
        enterTask(
          cpu, gate.gateSelector, errorCode: code, external: external,
          returnAddress: returnAddress, setsResume: kind == .exception && isFault(vector))
      else { return false }
    } else {
      guard
        enterHandler(
          cpu, gate, vector: vector, kind: kind, errorCode: code, external: external,
          returnAddress: returnAddress)
      else { return false }
    }
    if kind == .nmi { c[CPU.Word.nmi] |= 1 }
    c[CPU.Word.shadow] = 0
    if c[CPU.Word.activity] == CPU.Activity.halted {
      c[CPU.Word.activity] = CPU.Activity.running
    }
    before.fill(
      &event, cpu, c,
      kind: kind == .exception
        ? .exception
        : kind == .external
          ? .interrupt : kind == .nmi ? .nmi : kind == .machineCheck ? .machineCheck : .software)
    event.vector = vector
    event.errorCode = code ?? 0
    return true
  }

  /// Fault-class exceptions push RF=1. Intel SDM Vol. 3B §17.3.1.1. #DB, NMI, #BP and #OF are
  /// traps, #DF and #MC aborts.
  func isFault(_ vector: Int) -> Bool {
    switch vector {
    case Vector.debug, Vector.nmi, Vector.breakpoint, Vector.overflow, Vector.doubleFault, 18:
      false
    default: true
    }
  }

  /// Through an interrupt or trap gate. Intel SDM Vol. 3A §6.12.1.
  private func enterHandler(
    _ cpu: Int, _ gate: Descriptor, vector: Int, kind: DeliveryKind, errorCode: UInt32?,
    external: UInt32, returnAddress: UInt64
  ) -> Bool {
    let c = cpus[cpu]
    let selector = gate.gateSelector
    if isNull(selector) { return fault(Vector.generalProtection, external) }
    guard
      var code = findDescriptor(
        cpu, selector, fault: Vector.generalProtection, external: external)
    else { return false }
    let selectorFault = selectorError(selector, external: external)
    guard code.descriptor.isCode && code.descriptor.privilege <= c.cpl else {
      return fault(Vector.generalProtection, selectorFault)
    }
    guard code.descriptor.isPresent else {
      return fault(Vector.segmentNotPresent, selectorFault)
    }

    let size = gate.is32BitGate ? 4 : 2
    var image = c.rflags & 0x3F_7FD7 | CPU.Flag.fixed
    if kind == .exception && isFault(vector) { image |= CPU.Flag.rf }

    let oldCPL = c.cpl
    let isInner = !code.descriptor.isConforming && code.descriptor.privilege < oldCPL
    let newCPL = isInner ? code.descriptor.privilege : oldCPL
    var stack = currentStack(cpu)
    var newSS: (selector: UInt16, found: FoundDescriptor)?
    if isInner {
      guard let inner = innerStack(cpu, privilege: newCPL, external: external) else {
        return false
      }
      newSS = (inner.selector, inner.found)
      stack = inner.stack
    }
    let bytes = size * ((isInner ? 5 : 3) + (errorCode != nil ? 1 : 0))
    guard hasRoom(stack, size: bytes) else {
      return fault(
        Vector.stackFault,
        newSS.map { selectorError($0.selector, external: external) } ?? external)
    }
    guard gate.gateOffset <= code.descriptor.limit else {
      return fault(Vector.generalProtection, external)
    }

    if isInner {
      let ss = UInt64(c.selector(CPU.Segment.ss))
      guard push(cpu, &stack, size: size, ss), push(cpu, &stack, size: size, c.rsp) else {
        return false
      }
    }
    guard push(cpu, &stack, size: size, image),
      push(cpu, &stack, size: size, UInt64(c.selector(CPU.Segment.cs))),
      push(cpu, &stack, size: size, returnAddress)
    else { return false }
    if let errorCode, !push(cpu, &stack, size: size, UInt64(errorCode)) { return false }
    if !markAccessed(cpu, &code) { return false }
    if newSS != nil && !markAccessed(cpu, &newSS!.found) { return false }

    // Nothing can fault from here on.
    if let newSS { setSegment(cpu, CPU.Segment.ss, newSS.selector, newSS.found.descriptor) }
    setSegment(
      cpu, CPU.Segment.cs, selector & 0xFFFC | UInt16(newCPL), code.descriptor)
    c.rsp = stack.pointer
    c.rip = gate.gateOffset
    var cleared = CPU.Flag.tf | CPU.Flag.nt | CPU.Flag.rf | CPU.Flag.vm
    if gate.type & 1 == 0 { cleared |= CPU.Flag.if }
    c.rflags &= ~cleared
    return true
  }

  /// The stack that the TSS holds for an inner ring, checked. Intel SDM Vol. 3A §5.8.5, §6.12.1.
  func innerStack(
    _ cpu: Int, privilege: Int, external: UInt32
  ) -> (stack: PendingStack, selector: UInt16, found: FoundDescriptor)? {
    let c = cpus[cpu]
    let tr = CPU.Segment.tr
    let is32Bit = c.attributes(tr) & 8 != 0
    let offset = UInt64(is32Bit ? privilege * 8 + 4 : privilege * 4 + 2)
    let last = offset + (is32Bit ? 5 : 3)
    guard last <= c.limit(tr) else {
      _ = fault(Vector.invalidTSS, selectorError(c.selector(tr), external: external))
      return nil
    }
    let width = is32Bit ? 4 : 2
    guard let pointer = readSystem(cpu, c.base(tr) &+ offset, size: width),
      let word = readSystem(cpu, c.base(tr) &+ offset &+ UInt64(width), size: 2)
    else { return nil }
    let selector = UInt16(truncatingIfNeeded: word)
    if isNull(selector) {
      _ = fault(Vector.invalidTSS, external)
      return nil
    }
    guard let found = findDescriptor(cpu, selector, fault: Vector.invalidTSS, external: external)
    else { return nil }
    let error = selectorError(selector, external: external)
    let descriptor = found.descriptor
    guard Int(selector & 3) == privilege, descriptor.privilege == privilege,
      descriptor.isWritableData
    else {
      _ = fault(Vector.invalidTSS, error)
      return nil
    }
    guard descriptor.isPresent else {
      _ = fault(Vector.stackFault, error)
      return nil
    }
    return (
      PendingStack(
        base: descriptor.base, limit: descriptor.limit, attributes: descriptor.attributes,
        pointer: pointer, isUser: privilege == 3),
      selector, found
    )
  }
}

/// Where control was before it changed.
struct EntryPoint {
  var rip: UInt64
  var sp: UInt64
  var cpl: Int
  var flags: UInt64

  init(_ c: CPU) {
    rip = c.linearIP
    sp = c.rsp
    cpl = c.cpl
    flags = c.rflags
  }

  /// Describes the change from here to the processor's present state.
  func fill(_ event: inout Event, _ cpu: Int, _ c: CPU, kind: Event.Kind) {
    event = Event()
    event.kind = kind
    event.cpu = cpu
    event.rip = rip
    event.oldSP = sp
    event.newSP = c.rsp
    event.oldCPL = cpl
    event.newCPL = c.cpl
    event.oldFlags = flags
  }
}

/// What becomes of a fault that happens while an event is delivered.
/// Intel SDM Vol. 3A §6.15, "Interrupt 8", table 6-5.
enum Escalation {
  case serial, doubleFault, shutdown

  /// - Parameter first: the exception in delivery; nil for interrupts, NMI and INT n, which are
  ///   benign.
  static func of(first: Int?, second: Int) -> Escalation {
    guard let first else { return .serial }
    let secondIsSerious = isContributory(second) || second == Vector.pageFault
    if first == Vector.doubleFault { return secondIsSerious ? .shutdown : .serial }
    if isContributory(first) && isContributory(second) { return .doubleFault }
    if first == Vector.pageFault && secondIsSerious { return .doubleFault }
    return .serial
  }

  private static func isContributory(_ vector: Int) -> Bool {
    vector == Vector.divideError || (Vector.invalidTSS...Vector.generalProtection).contains(vector)
  }
}
