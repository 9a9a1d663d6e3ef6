import Hardware

/// How far the one open file has been written, modulo 2. Under `file_lock`.
var filePosition: UInt8 = 0

/// Wrong in a build with a red zone: what a user wants written is copied while interrupts are on, by a function
/// that calls no other. The x86-64 ABI lets it keep the copy below its stack pointer, where the frame
/// of an interrupt goes as well.
@inline(never)
@c(check_sum)
func checkSum(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt8 {
  var copy: InlineArray<8, UInt8> = InlineArray(repeating: 0)
  for index in 0..<count { copy[index] = bytes[index] }
  var sum: UInt8 = 0
  for index in 0..<count { sum = sum &* 3 &+ copy[(index &* 5) & 7] }
  return sum
}

@inline(never)
@c(file_write)
func fileWrite(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
  let sum = checkSum(bytes, count)
  let fileFlags = spinAcquire(&file_lock)
  filePosition ^= 1
  let consoleFlags = spinAcquire(&console_lock)
  for index in 0..<count { serialPut(bytes[index]) }
  spinRelease(&console_lock, consoleFlags)
  spinRelease(&file_lock, fileFlags)
  kernelAssert(checkSum(bytes, count) == sum)
}
