import Hardware

/// An entry of the interrupt descriptor table: a far pointer in three parts, a type, and the number
/// of the stack in the interrupt stack table, 0 for none.
private struct Gate {
  var low: UInt64 = 0
  var high: UInt64 = 0
}

// Interrupt gates: the CPU clears IF on the way in. Trap gates (0x8F00) would leave it, and
// an interrupt could come before the entry has saved anything.
private let interruptGate: UInt64 = 0x8E00
/// The same for `int 0x80`: DPL 3, so that user code may ask for it.
private let userInterruptGate: UInt64 = 0xEE00

private var gates: InlineArray<129, Gate> = InlineArray(repeating: Gate())

@inline(never)
@c(set_up_gates)
func setUpGates() {
  for vector in 0..<UInt32(48) {
    installGate(vector, vector_stub(vector), interruptGate)
  }
  // What can come with IF = 0, and where the stack may not be one to push to (M27, M28).
  installGate(2, vector_stub(2), interruptGate | UInt64(NMI_STACK))
  installGate(8, vector_stub(8), interruptGate | UInt64(DOUBLE_FAULT_STACK))
  installGate(14, vector_stub(14), interruptGate | UInt64(PAGE_FAULT_STACK))
  installGate(18, vector_stub(18), interruptGate | UInt64(MACHINE_CHECK_STACK))
  installGate(systemCallVector, system_call_stub, userInterruptGate)
  loadGates()
}

/// Makes this CPU use the table.
func loadGates() {
  withUnsafePointer(to: &gates) {
    load_idt(TablePointer(limit: 129 * 16 - 1, base: UInt(bitPattern: $0)))
  }
}

/// - Parameter type: bits 47 to 32 of the gate.
@inline(never)
@c(install_gate)
func installGate(_ vector: UInt32, _ handler: UInt, _ type: UInt64) {
  let handler = UInt64(handler)
  gates[Int(vector)] = Gate(
    low: (handler & 0xFFFF_0000) << 32 | type << 32 | UInt64(KERNEL_CODE) << 16 | handler & 0xFFFF,
    high: handler >> 32)
}
