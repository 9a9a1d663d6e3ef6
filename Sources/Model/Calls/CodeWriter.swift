/// Writes the machine code around the functions that a scenario calls.
struct CodeWriter {
  let is64Bit: Bool
  let convention: CallingConvention
  /// Linear address of the first byte.
  let base: UInt64
  private(set) var bytes: [UInt8] = []

  init(is64Bit: Bool, convention: CallingConvention, base: UInt64) {
    self.is64Bit = is64Bit
    self.convention = convention
    self.base = base
  }

  var here: UInt64 { base + UInt64(bytes.count) }

  mutating func put(_ code: UInt8...) { bytes += code }

  mutating func align(_ boundary: Int) {
    while bytes.count % boundary != 0 { bytes.append(0xCC) }
  }

  private mutating func number(_ value: UInt64, _ size: Int) {
    for i in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
  }

  /// Calls a function; the stack pointer is a multiple of 16 here.
  mutating func call(_ function: UInt64, _ arguments: [UInt64]) {
    if is64Bit { callLong(function, arguments) } else { callShort(function, arguments) }
  }

  /// System V ABI, AMD64 Supplement §3.2.3: RDI, RSI, RDX, RCX, R8, R9, then the stack.
  private mutating func callLong(_ function: UInt64, _ arguments: [UInt64]) {
    let onStack = arguments.dropFirst(6)
    // SUB RSP, 8.
    if onStack.count % 2 != 0 { put(0x48, 0x83, 0xEC, 8) }
    for value in onStack.reversed() {
      put(0x48, 0xB8)
      number(value, 8)
      put(0x50)
    }
    let moves: [(UInt8, UInt8)] = [
      (0x48, 0xBF), (0x48, 0xBE), (0x48, 0xBA), (0x48, 0xB9), (0x49, 0xB8), (0x49, 0xB9),
    ]
    for (move, value) in zip(moves, arguments) {
      put(move.0, move.1)
      number(value, 8)
    }
    // XOR EAX, EAX: no vector registers are handed over. MOV R10, function; CALL R10.
    put(0x31, 0xC0, 0x49, 0xBA)
    number(function, 8)
    put(0x41, 0xFF, 0xD2)
    drop((onStack.count + 1) / 2 * 16)
  }

  private mutating func callShort(_ function: UInt64, _ arguments: [UInt64]) {
    let inRegisters = convention == .regparm ? arguments.prefix(3) : []
    let onStack = arguments.dropFirst(inRegisters.count)
    let bytes = (onStack.count * 4 + 15) & ~15
    let padding = bytes - onStack.count * 4
    if padding > 0 { put(0x83, 0xEC, UInt8(padding)) }
    for value in onStack.reversed() {
      put(0x68)
      number(value, 4)
    }
    // MOV EAX, EDX, ECX.
    for (move, value) in zip([0xB8, 0xBA, 0xB9] as [UInt8], inRegisters) {
      put(move)
      number(value, 4)
    }
    relative(0xE8, to: function)
    drop(bytes)
  }

  private mutating func drop(_ count: Int) {
    guard count > 0 else { return }
    if is64Bit { put(0x48) }
    put(0x81, 0xC4)
    number(UInt64(count), 4)
  }

  private mutating func relative(_ code: UInt8, to target: UInt64) {
    put(code)
    number(target &- (here + 4), 4)
  }

  /// Calls a function many times, counting in EBX, which functions give back.
  mutating func callRepeatedly(_ function: UInt64, _ arguments: [UInt64], times: Int) {
    put(0xBB)
    number(UInt64(times), 4)
    let loop = here
    call(function, arguments)
    // DEC EBX; JNZ loop.
    put(0xFF, 0xCB, 0x0F)
    relative(0x85, to: loop)
  }

  /// Halts, and halts again after each interrupt.
  /// - Returns: the address behind the HLT.
  mutating func rest() -> UInt64 {
    put(0xF4)
    let behind = here
    put(0xEB, 0xFD)
    return behind
  }

  /// The entry of a handler: saves what a function may change, calls it, ends the interrupt, gives
  /// everything back. In 64-bit mode the processor has aligned the stack: Intel SDM Vol. 3A §6.14.2.
  mutating func entry(
    _ function: UInt64, _ arguments: [UInt64], hasErrorCode: Bool, endsInterrupt: Bool
  ) {
    if is64Bit {
      if hasErrorCode { put(0x50) }
      put(0x50, 0x51, 0x52, 0x56, 0x57, 0x41, 0x50, 0x41, 0x51, 0x41, 0x52, 0x41, 0x53)
    } else {
      put(0x60)
    }
    put(0xFC)
    call(function, arguments)
    if endsInterrupt {
      // MOV EAX, 0FEE000B0h; MOV DWORD [EAX], 0: the EOI register, Vol. 3A §10.8.5.
      put(0xB8)
      number(0xFEE0_00B0, 4)
      put(0xC7, 0x00)
      number(0, 4)
    }
    if is64Bit {
      put(0x41, 0x5B, 0x41, 0x5A, 0x41, 0x59, 0x41, 0x58, 0x5F, 0x5E, 0x5A, 0x59, 0x58)
      if hasErrorCode { put(0x48, 0x83, 0xC4, 16) }
      put(0x48, 0xCF)
    } else {
      put(0x61)
      if hasErrorCode { put(0x83, 0xC4, 4) }
      put(0xCF)
    }
  }

  /// The code of a stub, at most `Stub.size` bytes.
  static func stub(_ action: Stub.Action, is64Bit: Bool, target: UInt64?) -> [UInt8] {
    func little(_ value: UInt64, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }
    switch action {
    case .returns(let value):
      // MOV (E|R)AX, value; RET.
      let bits = UInt64(bitPattern: value)
      return is64Bit ? [0x48, 0xB8] + little(bits, 8) + [0xC3] : [0xB8] + little(bits, 4) + [0xC3]
    case .jumps:
      // MOV R11, target; JMP R11. Without long addresses: PUSH target; RET would disturb a shadow
      // stack; MOV ECX is what no convention hands anything over in but regparm.
      let to = target ?? 0
      return is64Bit
        ? [0x49, 0xBB] + little(to, 8) + [0x41, 0xFF, 0xE3] : [0x68] + little(to, 4) + [0xC3]
    case .data: return []
    }
  }
}
