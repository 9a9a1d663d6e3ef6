import Hardware

let systemCallVector: UInt32 = 0x80
private let nmiVector: UInt32 = 2

/// Comes here from every entry, with interrupts off and the frame complete (entry.S).
@inline(never)
@c(trap_dispatch)
func dispatchTrap(_ frame: UnsafeMutablePointer<TrapFrame>) {
  switch UInt32(frame.pointee.vector) {
  case systemCallVector:
    systemCall(frame)
  case timerVector:
    timerInterrupt()
  case keyboardVector:
    keyboardInterrupt(frame)
  case wakeVector:
    wakeInterrupt()
  case shootdownVector:
    shootdownInterrupt()
  case nmiVector:
    nonMaskableInterrupt()
  case spuriousVector:
    break  // the request went away again; there is nothing to end
  default:
    panic(frame)
  }
}

extension TrapFrame {
  var isFromUser: Bool { cs & 3 == 3 }
}
