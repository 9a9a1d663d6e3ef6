/// What the processor pushed when it entered a handler, in either layout: slots of 4 bytes, with SS:ESP only
/// where the ring changed (Intel SDM Vol. 3A §6.12.1, figure 6-4), or in IA-32e mode slots of 8 bytes,
/// always with SS:RSP (§6.14.2, figure 6-9).
public struct InterruptFrame: Equatable, Sendable {
  /// Linear address of the instruction pointer's slot, the lowest one above an error code.
  public var address: UInt64
  /// Bytes of a slot: 4 or 8.
  public var slotBytes: UInt64
  public var instructionPointer: UInt64
  public var cs: UInt16
  public var flags: UInt64
  /// nil where none was pushed: same ring, 32 bits. The interrupted stack then begins at `end`.
  public var stackPointer: UInt64?
  public var ss: UInt16?

  /// The ring that was interrupted.
  public var ring: Int { Int(cs & 3) }
  /// The first address above the frame.
  public var end: UInt64 { address + slotBytes * (stackPointer == nil ? 3 : 5) }
  /// The stack pointer of the interrupted code.
  public var interruptedSP: UInt64 { stackPointer ?? end }
}

extension Machine {
  /// Bytes of a slot of the frames that this CPU pushes at present.
  public func frameSlotBytes(_ cpu: Int) -> UInt64 { cpus[cpu].isLongMode ? 8 : 4 }

  /// Reads a frame whose instruction-pointer slot is at a linear address; without any effect. nil where
  /// nothing is mapped. Frames that 16-bit gates push are not recognised.
  public func interruptFrame(_ cpu: Int, at address: UInt64) -> InterruptFrame? {
    let slot = frameSlotBytes(cpu)
    func read(_ n: UInt64) -> UInt64? {
      peek(cpu, linear: address &+ n * slot, size: Int(slot))
    }
    guard let ip = read(0), let cs = read(1), let flags = read(2) else { return nil }
    var frame = InterruptFrame(
      address: address, slotBytes: slot, instructionPointer: ip,
      cs: UInt16(truncatingIfNeeded: cs), flags: flags)
    if slot == 8 || frame.ring != cpus[cpu].cpl {
      guard let sp = read(3), let ss = read(4) else { return nil }
      frame.stackPointer = sp
      frame.ss = UInt16(truncatingIfNeeded: ss)
    }
    return frame
  }

  /// Where the frame of an entry lies that `event` tells of: its instruction-pointer slot. nil for events
  /// that push none, SYSCALL and SYSENTER among them.
  public func frameAddress(of event: Event) -> UInt64? {
    switch event.kind {
    case .interrupt, .nmi, .machineCheck: return event.newSP
    case .software: return event.vector < 0x100 ? event.newSP : nil
    case .exception:
      return event.newSP
        &+ (exceptionHasErrorCode(event.vector) ? frameSlotBytes(event.cpu) : 0)
    default: return nil
    }
  }
}
