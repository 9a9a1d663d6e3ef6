import Hardware

/// An entry of the interrupt descriptor table: a far pointer in two halves, and a type.
private struct Gate {
  var low: UInt32 = 0
  var high: UInt32 = 0
}

// Interrupt gates: the CPU clears IF on the way in. Trap gates (0x8F) would leave it, and
// an interrupt could come before the entry has saved anything.
private let interruptGate: UInt32 = 0x8E00
/// The same for `int 0x80`: DPL 3, so that user code may ask for it.
private let userInterruptGate: UInt32 = 0xEE00

private var gates: InlineArray<129, Gate> = InlineArray(repeating: Gate())

@inline(never)
@c(set_up_gates)
func setUpGates() {
  for vector in 0..<UInt32(48) {
    installGate(vector, UInt32(vector_stub(vector)), interruptGate)
  }
  installGate(systemCallVector, UInt32(system_call_stub), userInterruptGate)
  loadGates()
}

/// Makes this CPU use the table.
func loadGates() {
  withUnsafePointer(to: &gates) {
    load_idt(TablePointer(limit: 129 * 8 - 1, base: UInt(bitPattern: $0)))
  }
}

@inline(never)
@c(install_gate)
func installGate(_ vector: UInt32, _ handler: UInt32, _ type: UInt32) {
  gates[Int(vector)] = Gate(
    low: UInt32(KERNEL_CODE) << 16 | handler & 0xFFFF,
    high: handler & 0xFFFF_0000 | type)
}
