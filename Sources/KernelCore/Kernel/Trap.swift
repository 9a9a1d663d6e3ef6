import Hardware

let systemCallVector: UInt32 = 0x80
private let nmiVector: UInt32 = 2
private let machineCheckVector: UInt32 = 18

/// Comes here from every entry, with interrupts off and the frame complete (entry.S).
@inline(never)
@c(trap_dispatch)
func dispatchTrap(_ frame: UnsafeMutablePointer<TrapFrame>) {
  switch UInt32(frame.pointee.vector) {
  case systemCallVector:
    systemCall(frame)
  case firstVector + timerLine:
    timerInterrupt()
  case firstVector + keyboardLine:
    keyboardInterrupt()
  case firstVector + mouseLine:
    mouseInterrupt()
  case nmiVector, machineCheckVector:
    nonMaskableInterrupt()
  case firstVector + 7:
    break  // spurious: the request went away again; there is nothing to end
  case firstVector + 15:
    endInterrupt(0)  // spurious on the second controller; the first one does not know
  default:
    panic(frame)
  }
}
