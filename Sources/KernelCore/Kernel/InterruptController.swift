import Hardware

// Two 8259 controllers. The second one's output is line 2 of the first.

let timerLine: UInt32 = 0
let keyboardLine: UInt32 = 1
let mouseLine: UInt32 = 12

/// Line n arrives as vector 32 + n. As the firmware leaves it, the first eight lines
/// would come in at 8...15, among the exceptions.
let firstVector: UInt32 = 32

private let first: UInt16 = 0x20
private let second: UInt16 = 0xA0
private let endOfInterrupt: UInt8 = 0x20

func setUpInterruptController() {
  out8(first, 0x11)  // ICW1: edge triggered, cascaded, ICW4 follows
  out8(second, 0x11)
  out8(first + 1, UInt8(firstVector))  // ICW2
  out8(second + 1, UInt8(firstVector + 8))
  out8(first + 1, 1 << 2)  // ICW3: the second one is on line 2
  out8(second + 1, 2)
  out8(first + 1, 0x01)  // ICW4: 8086 mode, no automatic end of interrupt
  out8(second + 1, 0x01)
  out8(first + 1, ~(1 << 0 | 1 << 1 | 1 << 2))  // all masked but timer, keyboard, cascade
  out8(second + 1, ~(1 << 4))  // and the mouse
}

/// Tells the controllers that the interrupt on `line` is dealt with. Until then they hold
/// back all of the same or a lower priority.
///
/// The command does not say which: it ends the one of the highest priority, and that is
/// always ours, as no handler lets another in before it has sent this.
@inline(never)
@c(end_interrupt)
func endInterrupt(_ line: UInt32) {
  if line >= 8 { out8(second, endOfInterrupt) }
  out8(first, endOfInterrupt)
}
