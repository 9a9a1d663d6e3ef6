import Hardware

// All are marked as accessed, so that the CPU never writes to the table.
private let flatSegments: InlineArray<5, UInt64> = [
  0x00AF_9B00_0000_FFFF,  // KERNEL_CODE: 64-bit, DPL 0
  0x00CF_9300_0000_FFFF,  // KERNEL_DATA
  0,  // 32-bit user code, which SYSRET would want here
  0x00CF_F300_0000_FFFF,  // USER_DATA: DPL 3
  0x00AF_FB00_0000_FFFF,  // USER_CODE
]

/// Gives this CPU its own descriptor table and task state segment, and its block through GS.
@inline(never)
@c(set_up_segments)
func setUpSegments(_ number: Int) {
  setUpBlock(number)
  // The stacks of the interrupt stack table: NMI_STACK and the others, in order.
  for stack in 0..<4 {
    let pointer = UnsafeMutablePointer<UInt>(
      bitPattern: tss_of(number) + UInt(TSS_IST1) + UInt(8 * stack))!
    pointer.pointee = own_stack_top(number, stack)
  }
  let end = UnsafeMutablePointer<UInt32>(bitPattern: tss_of(number) + UInt(TSS_SIZE) - 4)!
  end.pointee = UInt32(TSS_SIZE) << 16  // no I/O bitmap

  let table = UnsafeMutablePointer<UInt64>(bitPattern: gdt_of(number))!
  for index in 0..<5 { table[index + 1] = flatSegments[index] }
  let base = UInt64(tss_of(number))
  let selector = Int(TSS_SELECTOR) / 8
  table[selector] =
    (base & 0xFF00_0000) << 32 | 0x89 << 40  // available 64-bit TSS
    | (base & 0xFF_FFFF) << 16 | UInt64(TSS_SIZE - 1)
  table[selector + 1] = base >> 32
  var pointer = TablePointer(limit: 8 * 8 - 1, base: gdt_of(number))
  load_segments(&pointer, cpu_at(number))
}
