import CZydis

/// IN, OUT, INS, OUTS. Intel SDM Vol. 1 chapter 19 (I/O privilege level and permission bitmap).

extension Machine {
  /// IN and OUT with the port in DX or in the instruction.
  func executePort(_ cpu: Int, _ op: UnsafePointer<MicroOp>) -> Bool {
    let c = cpus[cpu]
    let size = Int(op.pointee.operandSize)
    let isImmediate = op.pointee.form == .imm
    let port = UInt16(
      truncatingIfNeeded: isImmediate ? op.pointee.imm & 0xFF : c[CPU.Register.dx])
    guard mayUsePort(cpu, port, size: size) else { return false }
    let before = EntryPoint(c)
    if op.pointee.isInput {
      guard let value = readPort(port, size: size) else { return false }
      setRegister(cpu, CPU.Register.ax, size: size, UInt64(value))
      finish(cpu, op)
      before.fill(&event, cpu, c, kind: .input)
      event.value = UInt64(value)
    } else {
      let value = UInt32(truncatingIfNeeded: c[CPU.Register.ax] & sizeMask(size))
      guard writePort(port, size: size, value) else { return false }
      finish(cpu, op)
      before.fill(&event, cpu, c, kind: .output)
      event.value = UInt64(value)
    }
    event.vector = Int(port)
    return true
  }

  /// One element of INS or OUTS. With REP the instruction stays where it is until the count is used
  /// up: it can be interrupted after each element (Vol. 2B, "REP").
  func executePortString(_ cpu: Int, _ op: UnsafePointer<MicroOp>, input: Bool) -> Bool {
    let c = cpus[cpu]
    let size = Int(op.pointee.operandSize)
    let addressMask = Flags.mask(Int(op.pointee.addressSize))
    let repeats = op.pointee.prefixes & (MicroOp.Prefix.rep | MicroOp.Prefix.repne) != 0
    let count = c[CPU.Register.cx] & addressMask
    if repeats && count == 0 { return finish(cpu, op) }
    let port = UInt16(truncatingIfNeeded: c[CPU.Register.dx])
    guard mayUsePort(cpu, port, size: size) else { return false }

    let before = EntryPoint(c)
    let register = input ? CPU.Register.di : CPU.Register.si
    let segment = input ? CPU.Segment.es : Int(op.pointee.segment)
    guard
      let linear = checkedAddress(
        cpu, segment, c[register] & addressMask, size: size, write: input)
    else { return false }
    let value: UInt32
    if input {
      // The store must not fail once the device has given its value away.
      faultVector = -1
      _ = translateSlow(cpu, linear: linear, write: true, user: c.cpl == 3, fetch: false)
      if faultVector >= 0 { return false }
      guard let read = readPort(port, size: size) else { return false }
      guard writeOperand(cpu, linear, size: size, UInt64(read)) else { return false }
      value = read
    } else {
      guard let read = readOperand(cpu, linear, size: size) else { return false }
      value = UInt32(truncatingIfNeeded: read)
      guard writePort(port, size: size, value) else { return false }
    }
    let step = c.rflags & CPU.Flag.df != 0 ? 0 &- UInt64(size) : UInt64(size)
    setRegister(cpu, register, size: Int(op.pointee.addressSize), c[register] &+ step)
    if repeats {
      setRegister(cpu, CPU.Register.cx, size: Int(op.pointee.addressSize), count - 1)
    }
    if !repeats || count == 1 { finish(cpu, op) }
    before.fill(&event, cpu, c, kind: input ? .input : .output)
    event.vector = Int(port)
    event.value = UInt64(value)
    return true
  }

  private func sizeMask(_ size: Int) -> UInt64 { (1 << UInt64(size * 8)) - 1 }

  /// IOPL, then the bitmap of a 32-bit TSS; #GP(0). Vol. 1 §19.5.2.
  private func mayUsePort(_ cpu: Int, _ port: UInt16, size: Int) -> Bool {
    let c = cpus[cpu]
    if UInt64(c.cpl) <= (c.rflags & CPU.Flag.iopl) >> 12 { return true }
    let tr = CPU.Segment.tr
    guard c.attributes(tr) & 0b1101 == 0b1001, c.limit(tr) >= 103 else {
      return fault(Vector.generalProtection)
    }
    guard let start = readSystem(cpu, c.base(tr) &+ 102, size: 2) else { return false }
    let offset = start + UInt64(port >> 3)
    // Two bytes are always read, so that the map must end with a byte of ones.
    guard offset + 1 <= c.limit(tr) else { return fault(Vector.generalProtection) }
    guard let bits = readSystem(cpu, c.base(tr) &+ offset, size: 2) else { return false }
    let mask: UInt64 = ((1 << UInt64(size)) - 1) << UInt64(port & 7)
    return bits & mask == 0 ? true : fault(Vector.generalProtection)
  }
}

extension MicroOp {
  /// IN rather than OUT.
  var isInput: Bool { ZydisMnemonic(UInt32(mnemonic)) == ZYDIS_MNEMONIC_IN }
}
