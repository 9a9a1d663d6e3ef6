import Hardware

// All are marked as accessed, so that the CPU never writes to the table.
private let flatSegments: InlineArray<4, UInt64> = [
  0x00CF_9B00_0000_FFFF,  // KERNEL_CODE: base 0, limit 4 GiB, DPL 0
  0x00CF_9300_0000_FFFF,  // KERNEL_DATA
  0x00CF_FB00_0000_FFFF,  // USER_CODE: the same, DPL 3
  0x00CF_F300_0000_FFFF,  // USER_DATA
]

/// Gives this CPU its own descriptor table and task state segment, and its block through GS.
@inline(never)
@c(set_up_segments)
func setUpSegments(_ number: Int) {
  setUpBlock(number)
  let stateSegment = UnsafeMutablePointer<UInt32>(bitPattern: tss_of(number))!
  stateSegment[Int(TSS_SS0) / 4] = UInt32(KERNEL_DATA)
  stateSegment[Int(TSS_SIZE) / 4 - 1] = UInt32(TSS_SIZE) << 16  // no I/O bitmap

  let table = UnsafeMutablePointer<UInt64>(bitPattern: gdt_of(number))!
  for index in 0..<4 { table[index + 1] = flatSegments[index] }
  table[Int(TSS_SELECTOR) / 8] = descriptor(
    base: tss_of(number), size: UInt64(TSS_SIZE), type: 0x89)  // available 32-bit TSS
  table[Int(KERNEL_CPU) / 8] = descriptor(
    base: UInt(bitPattern: cpu_at(number)), size: UInt64(CPU_BYTES), type: 0x4093)  // data
  var pointer = TablePointer(limit: 7 * 8 - 1, base: gdt_of(number))
  load_segments(&pointer, cpu_at(number))
}

/// - Parameter type: bits 63 to 40 of the descriptor.
private func descriptor(base: UInt, size: UInt64, type: UInt64) -> UInt64 {
  let base = UInt64(base)
  return (base & 0xFF00_0000) << 32 | type << 40 | (base & 0xFF_FFFF) << 16 | (size &- 1)
}
