import Model

/// A random small kernel: a main program and handlers of a few operations each on shared variables
/// and locks, with and without mistakes.
struct RandomKernel {
  var main: [Operation]
  var handlers: [[Operation]]
  var arrivals: [Int]

  indirect enum Operation: CustomStringConvertible {
    /// XOR of a variable with a constant.
    case toggle(Int, Int)
    case copy(from: Int, to: Int)
    /// A read-modify-write in two instructions: what comes between can be lost.
    case tornToggle(Int)
    case registers(Int)
    case interruptsOff
    case interruptsOn
    case locked(Int, [Operation], restore: Bool)
    /// A lock taken without turning interrupts off.
    case unsafeLocked(Int, [Operation])
    case ifZero(Int, [Operation])
    case pushPop

    var description: String {
      switch self {
      case .toggle(let v, let k): return "v\(v) ^= \(k)"
      case .copy(let a, let b): return "v\(b) = v\(a)"
      case .tornToggle(let v): return "r = v\(v); v\(v) = r ^ 1"
      case .registers(let n): return "registers \(n)"
      case .interruptsOff: return "cli"
      case .interruptsOn: return "sti"
      case .locked(let l, let body, let restore):
        let text = body.map(\.description).joined(separator: "; ")
        return "lock\(l) { \(text) }" + (restore ? "" : " wrongly")
      case .unsafeLocked(let l, let body):
        return "unsafe lock\(l) { \(body.map(\.description).joined(separator: "; ")) }"
      case .ifZero(let v, let body):
        return "if v\(v) == 0 { \(body.map(\.description).joined(separator: "; ")) }"
      case .pushPop: return "push, pop"
      }
    }
  }

  init(seed: UInt64) {
    var r = SplitMix(state: seed)
    func operations(_ count: Int, depth: Int, handler: Bool, _ r: inout SplitMix) -> [Operation] {
      (0..<count).map { _ in
        switch r.below(depth > 0 ? 14 : 9) {
        case 0, 1: return .toggle(r.below(4), 1 + r.below(2))
        case 2: return .copy(from: r.below(4), to: r.below(4))
        case 3: return .tornToggle(r.below(4))
        case 4, 5: return .registers(1 + r.below(3))
        case 6: return handler && r.below(3) > 0 ? .pushPop : .interruptsOff
        case 7: return handler && r.below(3) > 0 ? .pushPop : .interruptsOn
        case 8: return .pushPop
        case 9, 10, 11:
          return .locked(
            r.below(2), operations(1 + r.below(2), depth: depth - 1, handler: handler, &r),
            restore: r.below(5) > 0)
        case 12:
          return .unsafeLocked(
            r.below(2), operations(1 + r.below(2), depth: depth - 1, handler: handler, &r))
        default:
          return .ifZero(
            r.below(4), operations(1 + r.below(2), depth: depth - 1, handler: handler, &r))
        }
      }
    }
    main = [.interruptsOn] + operations(2 + r.below(4), depth: 2, handler: false, &r)
    let count = 1 + r.below(2)
    handlers = (0..<count).map { _ in operations(1 + r.below(3), depth: 1, handler: true, &r) }
    arrivals = (0..<count).map { _ in 1 + r.below(count == 1 ? 2 : 1) }
  }

  var kernel: TinyKernel {
    TinyKernel(
      main: { a in
        for o in main { RandomKernel.emit(o, &a) }
        a.bytes([0xFB])  // sti: wait with interrupts on
      },
      handlers: handlers.map { body in
        { a in for o in body { RandomKernel.emit(o, &a) } }
      })
  }

  static func variable(_ v: Int) -> UInt32 { UInt32(TinyKernel.variables) + UInt32(4 * v) }
  static func lock(_ l: Int) -> UInt32 { UInt32(TinyKernel.locks) + UInt32(4 * l) }

  static func emit(_ o: Operation, _ a: inout Assembler) {
    switch o {
    case .toggle(let v, let k):
      a.bytes([0x83, 0x35])  // xor dword [v], k
      a.word(variable(v))
      a.bytes([UInt8(k)])
    case .copy(let from, let to):
      a.bytes([0xA1])  // mov eax, [from]
      a.word(variable(from))
      a.bytes([0xA3])  // mov [to], eax
      a.word(variable(to))
    case .tornToggle(let v):
      a.bytes([0xA1])
      a.word(variable(v))
      a.bytes([0x83, 0xF0, 1])  // xor eax, 1
      a.bytes([0xA3])
      a.word(variable(v))
    case .registers(let n): for _ in 0..<n { a.bytes([0x83, 0xF6, 1]) }  // xor esi, 1
    case .interruptsOff: a.bytes([0xFA])
    case .interruptsOn: a.bytes([0xFB])
    case .pushPop: a.bytes([0x56, 0x5F])  // push esi; pop edi
    case .locked(let l, let body, let restore):
      a.bytes([0x68])  // push lock
      a.word(lock(l))
      a.call("spin_acquire")
      a.bytes([0x83, 0xC4, 4, 0x50])  // add esp, 4; push eax
      for b in body { emit(b, &a) }
      if !restore {
        a.bytes([0x81, 0x0C, 0x24, 0, 2, 0, 0])  // or dword [esp], IF
      }
      a.bytes([0x68])
      a.word(lock(l))
      a.call("spin_release")
      a.bytes([0x83, 0xC4, 8])
    case .unsafeLocked(let l, let body):
      a.bytes([0xBA, 1, 0, 0, 0])  // mov edx, 1
      a.bytes([0x87, 0x15])  // xchg [lock], edx
      a.word(lock(l))
      a.bytes([0x85, 0xD2, 0x75, 0xF1])  // test edx, edx; jnz to the mov
      for b in body { emit(b, &a) }
      a.bytes([0xC7, 0x05])  // mov dword [lock], 0
      a.word(lock(l))
      a.word(0)
    case .ifZero(let v, let body):
      let end = a.freshLabel()
      a.bytes([0x83, 0x3D])  // cmp dword [v], 0
      a.word(variable(v))
      a.bytes([0])
      a.branch(5, to: end)  // jne
      for b in body { emit(b, &a) }
      a.label(end)
    }
  }
}

/// SplitMix64: small, and the same everywhere.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
}
