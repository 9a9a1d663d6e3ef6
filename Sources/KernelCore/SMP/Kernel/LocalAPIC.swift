import Hardware

// The local APIC: one for each CPU, all at the same address. Intel SDM Vol. 3A chapter 10.

private let base: UInt = 0xFEE0_0000
private let identifier = base + 0x20
private let endOfInterruptRegister = base + 0xB0
private let spurious = base + 0xF0
private let commandLow = base + 0x300
private let commandHigh = base + 0x310
private let timerVectorRegister = base + 0x320
private let timerCount = base + 0x380
private let timerDivider = base + 0x3E0

let messageINIT: UInt32 = 0x4500
let messageStartUp: UInt32 = 0x4600
private let messageFixed: UInt32 = 0x4000
private let messagePending: UInt32 = 1 << 12

/// Of all vectors from 16 on, those that this kernel uses. One class of priority: none of them
/// interrupts another one's handler before its end of interrupt.
let firstVector: UInt32 = 32
let timerVector: UInt32 = firstVector
let keyboardVector: UInt32 = firstVector + 1
let wakeVector: UInt32 = firstVector + 2
let shootdownVector: UInt32 = firstVector + 3
let spuriousVector: UInt32 = firstVector + 15

func localAPICIdentifier() -> UInt32 { read_register(identifier) >> 24 }

/// Turns this CPU's APIC on, with the timer still.
func setUpLocalAPIC() {
  write_register(spurious, 0x100 | spuriousVector)
}

/// The timer of this CPU ticks from now on.
func startTimer() {
  write_register(timerDivider, 0xB)  // of the bus clock, undivided
  write_register(timerVectorRegister, 0x2_0000 | timerVector)  // periodic
  write_register(timerCount, 10_000_000)
}

/// This CPU's interrupt is dealt with. Until then the APIC holds back all of its class and below.
@inline(never)
@c(end_interrupt)
func endInterrupt() {
  write_register(endOfInterruptRegister, 0)
}

/// Sends an interrupt to another CPU. With interrupts off: the two halves of the command are one
/// step on this CPU.
@inline(never)
@c(send_interrupt)
func sendInterrupt(_ vector: UInt32, to number: Int) {
  sendMessage(messageFixed | vector, to: number)
}

func sendMessage(_ message: UInt32, to number: Int) {
  while read_register(commandLow) & messagePending != 0 { spin_hint() }
  write_register(commandHigh, apicIDs[number] << 24)
  write_register(commandLow, message)
}
