import Hardware

let systemCallVector: UInt32 = 0x80
private let nmiVector: UInt32 = 2
private let machineCheckVector: UInt32 = 18
private let pageFaultVector: UInt32 = 14

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
  case pageFaultVector:
    pageFault(frame)
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

/// The kernel stack is at its end, and the page fault came on a stack of its own. What ran there cannot go on; its
/// task is ended. Another one may arrive on this stack as soon as we have left it.
@inline(never)
@c(page_fault)
func pageFault(_ frame: UnsafeMutablePointer<TrapFrame>) {
  let guardPage = current_task == 0 ? task0_guard_address() : task1_guard_address()
  let address = page_fault_address()
  if address < guardPage || address >= guardPage + 4096 { panic(frame) }
  exitTask()
}
