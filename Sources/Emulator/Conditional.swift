extension Machine {
  /// SETcc and CMOVcc. Intel SDM Vol. 2. CMOVcc reads its memory operand, and a 32-bit one clears
  /// the upper half of its register, whether or not the condition holds.
  func executeConditional(_ cpu: Int, _ op: Op) -> Outcome {
    let holds = Flags.holds(op.pointee.extra, cores[cpu].words[CPU.Word.rflags])
    if op.pointee.form != .regRm {
      return storeRM(cpu, op, 1, holds ? 1 : 0) ? .next : .fault
    }
    let size = Int(op.pointee.operandSize)
    guard let value = readRM(cpu, op, size) else { return .fault }
    setRegister(
      cpu, op.pointee.reg, size, holds ? value : register(cpu, op.pointee.reg, size))
    return .next
  }
}
