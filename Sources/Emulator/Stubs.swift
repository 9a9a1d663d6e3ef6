// Stand-ins for the system half of the machine.

enum DeliveryKind: UInt8 { case exception, external, nmi, software, int3 }

extension Machine {
  func translateSlow(_ cpu: Int, linear: UInt64, write: Bool, user: Bool, fetch: Bool) -> UInt64 {
    linear & 0xFFFF_FFFF
  }

  func deliver(_ cpu: Int, vector: Int, kind: DeliveryKind, errorCode: UInt32?) {
    // Enough for tests: the vector is visible as an event, the CPU stops.
    event.kind = .exception
    event.vector = vector
    event.errorCode = errorCode ?? 0
    event.rip = cpus[cpu].rip
    cpus[cpu][CPU.Word.activity] = CPU.Activity.shutdown
  }

  func executeSystem(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    unmodelled = "\(disassemble(cpu: cpu, at: cpus[cpu].rip).text)"
    faultVector = Machine.unmodelledFault
    return false
  }

  func pollInterrupts(_ cpu: Int) -> Bool { false }
}
