import Hardware

// Finding the other CPUs and starting them. The firmware's table is that of the MultiProcessor
// Specification, version 1.4, chapter 4.

/// How many CPUs there are, and their local APICs' identifiers. The first one is that which booted.
var processorCount = 1
var apicIDs: InlineArray<4, UInt32> = [0, 0, 0, 0]

private let areaBegin: UInt = 0xF_0000
private let areaEnd: UInt = 0x10_0000

/// Reads from the firmware's table which CPUs there are. Without a table it is one.
@inline(never)
@c(find_processors)
func findProcessors() {
  apicIDs[0] = localAPICIdentifier()
  var address = areaBegin
  while address < areaEnd && !isPointerStructure(address) { address += 16 }
  if address == areaEnd { return }
  let table = UnsafeRawPointer(bitPattern: UInt(read_register(address + 4)))!
  var entries = table.load(fromByteOffset: 34, as: UInt16.self)
  var entry = table + 44
  while entries > 0 {
    let isProcessor = entry.load(as: UInt8.self) == 0
    if isProcessor {
      let identifier = UInt32(entry.load(fromByteOffset: 1, as: UInt8.self))
      let isEnabled = entry.load(fromByteOffset: 3, as: UInt8.self) & 1 != 0
      if isEnabled && identifier != apicIDs[0] && processorCount < mostCPUs {
        apicIDs[processorCount] = identifier
        processorCount += 1
      }
    }
    entry += isProcessor ? 20 : 8
    entries -= 1
  }
}

/// "_MP_", 16 bytes that add up to zero.
private func isPointerStructure(_ address: UInt) -> Bool {
  guard read_register(address) == 0x5F50_4D5F else { return false }
  let bytes = UnsafePointer<UInt8>(bitPattern: address)!
  var sum: UInt8 = 0
  for index in 0..<16 { sum = sum &+ bytes[index] }
  return sum == 0
}

/// Starts the others, one after the other: they come through the same code and take their stack and
/// number from the same place. Intel SDM Vol. 3A §8.4.4.1.
@inline(never)
@c(start_processors)
func startProcessors() {
  let page = UnsafeMutablePointer<UInt8>(bitPattern: UInt(TRAMPOLINE))!
  for index in 0..<Int(trampoline_size()) { page[index] = trampoline_code()[index] }
  for number in 1..<max(processorCount, 1) {
    starting_stack = idle_stack_top(number)
    starting_number = number
    sendMessage(messageINIT, to: number)
    delay(10_000)
    sendMessage(messageStartUp | UInt32(TRAMPOLINE) >> 12, to: number)
    delay(200)
    if load32(&processors_online) < UInt32(number) {
      sendMessage(messageStartUp | UInt32(TRAMPOLINE) >> 12, to: number)
    }
    while load32(&processors_online) < UInt32(number) { spin_hint() }
  }
}

/// Where the other CPUs come to, on the stacks that they will idle on.
@inline(never)
@c(processor_main)
func processorMain(_ number: Int) -> Never {
  setUpSegments(number)
  loadGates()
  setUpLocalAPIC()
  store32(&processors_online, UInt32(number))
  while load32(&processors_go) == 0 { spin_hint() }
  runProcessor(number)
}

/// Some microseconds: a port that nothing listens to takes about one.
private func delay(_ microseconds: Int) {
  for _ in 0..<microseconds { out8(0x80, 0) }
}
