import Emulator
import Model

/// From operations to machine code.
extension SmallKernel {
  private static let published = UInt32(TinyKernel.locks) + 0x40
  /// A byte for each of two tasks: its work is done.
  static let finished = UInt32(TinyKernel.locks) + 0xC0
  private static let current = UInt32(TinyKernel.locks) + 0x80
  private static let savedStack = UInt32(TinyKernel.locks) + 0x88
  /// How many locks of the kind `count` are held, and the flags from before the first.
  private static let heldCount = UInt32(TinyKernel.locks) + 0x20
  /// Of each lock: next ticket and ticket being served; flags in the lock.
  private static let tickets = UInt32(TinyKernel.locks) + 0x300
  private static let taskStackTop: UInt32 = 0x13_B000
  private static let lowStackTop: UInt32 = 0x12_F000
  private static let highStackTop: UInt32 = 0x13_D000

  var kernel: TinyKernel {
    var others: [(vector: Int, body: (inout Assembler) -> Void)] = [
      (44, { a in for o in gate { emit(o, &a) } }),
      (
        0,
        { a in
          a.bytes([0x83, 0x44, 0x24, 32, 2])  // add dword [esp+32], 2: past the DIV
          for o in exception { emit(o, &a) }
        }
      ),
    ]
    if second != nil { others.append((45, { a in switchTasks(&a) })) }
    if let nmi { others.append((2, { a in for o in nmi { emit(o, &a) } })) }
    func program(_ cpu: Int) -> (inout Assembler) -> Void {
      { a in
        if cpu == 0 && second != nil { prepareTask(&a) }
        if timerCPU == cpu {
          a.storeAPIC(0xF0, 0x1FF)
          a.storeAPIC(0x320, 0x2_0050)
          a.storeAPIC(0x380, 1000)
        }
        for o in mains[cpu] { emit(o, &a) }
        if cpu == 0 && second != nil { finishTask(0, &a) }
        a.bytes([0xFB])  // sti: wait with interrupts on
      }
    }
    return TinyKernel(
      main: program(0),
      handlers: handlers.enumerated().map { i, body in
        { a in
          for o in body { emit(o, &a) }
          if i == 0 && second != nil { switchTasks(&a) }
        }
      },
      others: others,
      functions: { a in
        SmallKernel.lockFunctions(&a)
        guard let second else { return }
        a.label("task")
        for o in second { emit(o, &a) }
        finishTask(1, &a)
        a.bytes([0xFB, 0xF4, 0xEB, 0xFD])  // sti; hlt; jmp to the hlt
      },
      processors: (1..<max(mains.count, 1)).map(program),
      messages: messages.map { body in { a in for o in body { emit(o, &a) } } })
  }

  var scenario: Scenario {
    var s = kernel.scenario(arrivals: arrivals.map { $0 })
    s.expectedExceptions = [0]
    if nmi != nil {
      var source = Source(name: "nmi", line: nil)
      source.nmi = true
      source.cpu = nmiCPU
      source.arrivals = 1
      s.sources.append(source)
    }
    if let timerCPU {
      var source = Source(name: "timer", line: nil)
      source.localTimer = true
      source.cpu = timerCPU
      source.arrivals = 1
      s.sources.append(source)
    }
    var field = LockDiscipline(acquire: ["field_acquire"], release: ["field_release"])
    field.kind = .field
    var count = LockDiscipline(acquire: ["count_acquire"], release: ["count_release"])
    count.kind = .count
    var plain = LockDiscipline(
      acquire: ["plain_acquire", "ticket_acquire"], release: ["plain_release", "ticket_release"])
    plain.kind = .plain
    plain.tryAcquire = ["plain_try"]
    s.locks += [field, count, plain]
    return s
  }

  /// Whether everything has come to rest, so that the memory is the final one.
  func isFinal(_ machine: Machine) -> Bool {
    // What is private to a task that never runs again may differ; so may a CPU that is just being woken.
    machine.cpus.indices.allSatisfy { machine.isHalted(cpu: $0) && !machine.canRun(cpu: $0) }
      && (machine.pendingLine == nil || !machine.acceptsInterrupts(cpu: 0))
      && (second == nil
        || machine.memory.value(at: UInt64(SmallKernel.finished), size: 2) == 0x101)
  }

  /// Variables and locks.
  static func contents(_ machine: Machine) -> [UInt32] {
    (0..<variableCount).map {
      UInt32(machine.memory.value(at: UInt64(variable($0)), size: 4))
    }
      + (0..<TinyKernel.lockCount).map {
        UInt32(machine.memory.value(at: UInt64(lock($0)), size: 4))
      }
  }

  // MARK: Locks

  private static func lockFunctions(_ a: inout Assembler) {
    let argument: [UInt8] = [0x8B, 0x4C, 0x24, 0x04]  // mov ecx, [esp+4]
    // mov edx, 1; xchg [ecx], edx; test edx, edx; jnz to the mov
    let spin: [UInt8] = [0xBA, 1, 0, 0, 0, 0x87, 0x11, 0x85, 0xD2, 0x75, 0xF5]
    let free: [UInt8] = [0xC7, 0x01, 0, 0, 0, 0]  // mov dword [ecx], 0
    a.label("plain_acquire")
    a.bytes(argument + spin + [0xC3])
    a.label("plain_release")
    a.bytes(argument + free + [0xC3])
    a.label("plain_try")  // 1: acquired
    a.bytes(argument)
    // mov edx, 1; xchg [ecx], edx; mov eax, 1; sub eax, edx; ret
    a.bytes([0xBA, 1, 0, 0, 0, 0x87, 0x11, 0xB8, 1, 0, 0, 0, 0x29, 0xD0, 0xC3])
    // The flags are kept 16 bytes behind the lock.
    a.label("field_acquire")
    a.bytes(argument + [0x9C, 0x58, 0xFA])  // pushf; pop eax; cli
    a.bytes(spin + [0x89, 0x41, 0x10, 0xC3])  // mov [ecx+16], eax; ret
    a.label("field_release")
    a.bytes(argument + [0x8B, 0x51, 0x10])  // mov edx, [ecx+16]
    a.bytes(free + [0x52, 0x9D, 0xC3])  // push edx; popf; ret
    a.label("count_acquire")
    a.bytes(argument + [0x9C, 0x58, 0xFA])
    let counted = a.freshLabel()
    a.bytes([0x83, 0x3D])  // cmp dword [count], 0
    a.word(heldCount)
    a.bytes([0])
    a.branch(5, to: counted)  // jne
    a.bytes([0xA3])  // mov [flags], eax
    a.word(heldCount + 4)
    a.label(counted)
    a.bytes([0xFF, 0x05])  // inc dword [count]
    a.word(heldCount)
    a.bytes(spin + [0xC3])
    a.label("count_release")
    let still = a.freshLabel()
    a.bytes(argument + free + [0xFF, 0x0D])  // dec dword [count]
    a.word(heldCount)
    a.branch(5, to: still)
    a.bytes([0xFF, 0x35])  // push dword [flags]
    a.word(heldCount + 4)
    a.bytes([0x9D])
    a.label(still)
    a.bytes([0xC3])
    // lea edx, [ecx*2 + …]: eight bytes for each lock.
    let ticket: [UInt8] = [0x8D, 0x14, 0x4D]
    let place = tickets &- 2 &* UInt32(TinyKernel.locks)
    a.label("ticket_acquire")
    a.bytes(argument + ticket)
    a.word(place)
    a.bytes([0xB8, 1, 0, 0, 0, 0xF0, 0x0F, 0xC1, 0x02])  // mov eax, 1; lock xadd [edx], eax
    a.bytes([0x3B, 0x42, 0x04, 0x75, 0xFB, 0xC3])  // cmp eax, [edx+4]; jne to the cmp; ret
    a.label("ticket_release")
    a.bytes(argument + ticket)
    a.word(place)
    a.bytes([0x8B, 0x42, 0x04, 0x40, 0x89, 0x42, 0x04, 0xC3])  // [edx+4] += 1; ret
  }

  private static func acquire(_ kind: LockKind, _ l: Int, _ a: inout Assembler) {
    func call(_ function: String) {
      a.bytes([0x68])  // push lock
      a.word(lock(l))
      a.call(function)
    }
    switch kind {
    case .value:
      call("spin_acquire")
      a.bytes([0x83, 0xC4, 4, 0x50])  // add esp, 4; push eax
    case .unknown:
      a.bytes([0xBA, 1, 0, 0, 0, 0x87, 0x15])  // mov edx, 1; xchg [lock], edx
      a.word(lock(l))
      a.bytes([0x85, 0xD2, 0x75, 0xF1])  // test edx, edx; jnz to the mov
    default:
      call(kind == .attempt ? "plain_try" : kind.rawValue + "_acquire")
      a.bytes([0x83, 0xC4, 4])  // add esp, 4
    }
  }

  private static func release(_ kind: LockKind, _ l: Int, restore: Bool, _ a: inout Assembler) {
    switch kind {
    case .value:
      if !restore { a.bytes([0x81, 0x0C, 0x24, 0, 2, 0, 0]) }  // or dword [esp], IF
      a.bytes([0x68])
      a.word(lock(l))
      a.call("spin_release")
      a.bytes([0x83, 0xC4, 8])
    case .unknown:
      a.bytes([0xC7, 0x05])  // mov dword [lock], 0
      a.word(lock(l))
      a.word(0)
    default:
      a.bytes([0x68])
      a.word(lock(l))
      a.call((kind == .attempt ? "plain" : kind.rawValue) + "_release")
      a.bytes([0x83, 0xC4, 4])
      if !restore { a.bytes([0xFB]) }  // sti
    }
  }

  // MARK: Tasks

  /// A frame for IRET with zeroed registers below it, as if the task had been interrupted at its start.
  private func prepareTask(_ a: inout Assembler) {
    func store(_ address: UInt32, _ value: UInt32) {
      a.bytes([0xC7, 0x05])
      a.word(address)
      a.word(value)
    }
    let top = SmallKernel.taskStackTop
    store(top - 4, 0x202)
    store(top - 8, 8)
    store(top - 12, UInt32(a.labels["task"]!))
    store(SmallKernel.current, 0)
    store(SmallKernel.savedStack + 4, top - 44)
  }

  /// Says that a task has done its work, and gives the other one a chance to do its own.
  private func finishTask(_ n: Int, _ a: inout Assembler) {
    a.bytes([0xC6, 0x05])  // mov byte [finished+n], 1
    a.word(SmallKernel.finished + UInt32(n))
    a.bytes([1, 0xCD, 45])  // int 45
  }

  private func switchTasks(_ a: inout Assembler) {
    a.bytes([0xA1])  // mov eax, [current]
    a.word(SmallKernel.current)
    a.bytes([0x89, 0xA0])  // mov [eax+saved], esp
    a.word(SmallKernel.savedStack)
    a.bytes([0x83, 0xF0, 4, 0xA3])  // xor eax, 4; mov [current], eax
    a.word(SmallKernel.current)
    a.bytes([0x8B, 0xA0])  // mov esp, [eax+saved]
    a.word(SmallKernel.savedStack)
  }

  // MARK: Operations

  static func emit(_ o: Operation, _ a: inout Assembler) { SmallKernel(mains: []).emit(o, &a) }

  func emit(_ o: Operation, _ a: inout Assembler) {
    func variable(_ v: Int) -> UInt32 { SmallKernel.variable(v) }
    switch o {
    case .registers(let n): for _ in 0..<n { a.bytes([0x83, 0xF6, 1]) }  // xor esi, 1
    case .pushPop: a.bytes([0x56, 0x5F])  // push esi; pop edi
    case .toggle(let v, let k), .lockedToggle(let v, let k):
      if case .lockedToggle = o { a.bytes([0xF0]) }
      a.bytes([0x83, 0x35])  // xor dword [v], k
      a.word(variable(v))
      a.bytes([UInt8(k)])
    case .tornToggle(let v):
      a.bytes([0xA1])
      a.word(variable(v))
      a.bytes([0x83, 0xF0, 1])  // xor eax, 1
      a.bytes([0xA3])
      a.word(variable(v))
    case .copy(let from, let to):
      a.bytes([0xA1])  // mov eax, [from]
      a.word(variable(from))
      a.bytes([0xA3])  // mov [to], eax
      a.word(variable(to))
    case .exchange(let v):
      a.bytes([0xB8, 5, 0, 0, 0, 0x87, 0x05])  // mov eax, 5; xchg [v], eax
      a.word(variable(v))
    case .set(let v):
      a.bytes([0xC7, 0x05])
      a.word(variable(v))
      a.word(1)
    case .narrow(let offset, let size, let k):
      if size == 2 { a.bytes([0x66]) }
      a.bytes([size == 2 ? 0x83 : 0x80, 0x35])  // xor [at], k
      a.word(variable(0) + UInt32(offset))
      a.bytes([UInt8(k)])
    case .copyString(let from, let to, let words):
      a.bytes([0xBE])
      a.word(variable(from))
      a.bytes([0xBF])
      a.word(variable(to))
      a.bytes([0xB9])
      a.word(UInt32(words))
      a.bytes([0xF3, 0xA5])
    case .fill(let offset, let count):
      a.bytes([0xBF])
      a.word(variable(0) + UInt32(offset))
      a.bytes([0xB9])
      a.word(UInt32(count))
      a.bytes([0xB0, 1, 0xF3, 0xAA])
    case .ifZero(let v, let body):
      let end = a.freshLabel()
      a.bytes([0x83, 0x3D])  // cmp dword [v], 0
      a.word(variable(v))
      a.bytes([0])
      a.branch(5, to: end)  // jne
      for b in body { emit(b, &a) }
      a.label(end)
    case .interruptsOff: a.bytes([0xFA])
    case .interruptsOn: a.bytes([0xFB])
    case .endOfInterrupt: a.bytes([0xB0, 0x20, 0xE6, 0x20])
    case .mask(let m): a.bytes([0xB0, UInt8(m), 0xE6, 0x21])
    case .readRequests(let v):
      a.bytes([0x31, 0xC0, 0xE4, 0x20, 0xA3])  // xor eax, eax; in al, 0x20; mov [v], eax
      a.word(variable(v))
    case .redirect(let body):
      func point(_ label: String) {
        a.bytes([0x66, 0xC7, 0x05])  // mov word [gate], offset
        a.word(UInt32(a.labels["idt"]!) + 32 * 8)
        let offset = UInt16(truncatingIfNeeded: a.labels[label]!)
        a.bytes([UInt8(offset & 0xFF), UInt8(offset >> 8)])
      }
      point("handler1")
      for b in body { emit(b, &a) }
      point("handler0")
    case .gate: a.bytes([0xCD, 44])
    case .divide:
      // xor edx, edx; xor ecx, ecx; div ecx
      a.bytes([0x31, 0xD2, 0x31, 0xC9, 0xF7, 0xF1])
    case .send(let cpu, let message):
      a.storeAPIC(0x310, UInt32(cpu) << 24)
      a.storeAPIC(0x300, 0x4050 + UInt32(message))
    case .locked(let kind, let l, let body, let restore):
      let end = a.freshLabel()
      SmallKernel.acquire(kind, l, &a)
      if kind == .attempt {
        a.bytes([0x85, 0xC0])  // test eax, eax
        a.branch(4, to: end)
      }
      for b in body { emit(b, &a) }
      SmallKernel.release(kind, l, restore: restore, &a)
      a.label(end)
    case .kept(let kind, let l): SmallKernel.acquire(kind, l, &a)
    case .wait(let v, let right):
      let again = a.freshLabel()
      let end = a.freshLabel()
      a.label(again)
      if right { a.bytes([0xFA]) }
      a.bytes([0x83, 0x3D])  // cmp dword [v], 0
      a.word(variable(v))
      a.bytes([0])
      a.branch(5, to: end)
      if right { a.bytes([0xFB]) }
      a.bytes([0xF4])
      a.jump(to: again)
      a.label(end)
      if right { a.bytes([0xFB]) }
    case .spin(let v):
      let again = a.freshLabel()
      a.label(again)
      a.bytes([0x83, 0x3D])
      a.word(variable(v))
      a.bytes([0])
      a.branch(4, to: again)
    case .publish(let body):
      a.bytes([0x6A, 0x40, 0x89, 0x25])  // push 0x40; mov [published], esp
      a.word(SmallKernel.published)
      for b in body { emit(b, &a) }
      a.bytes([0xC7, 0x05])
      a.word(SmallKernel.published)
      a.word(0)
      a.bytes([0x58, 0xA3])  // pop eax; mov [v4], eax
      a.word(variable(4))
    case .poke:
      let end = a.freshLabel()
      a.bytes([0xA1])
      a.word(SmallKernel.published)
      a.bytes([0x85, 0xC0])  // test eax, eax
      a.branch(4, to: end)
      a.bytes([0x83, 0x30, 1])  // xor dword [eax], 1
      a.label(end)
    case .onOtherStack(let body, let byFramePointer):
      let top = otherStackIsLow ? SmallKernel.lowStackTop : SmallKernel.highStackTop
      if byFramePointer {
        a.bytes([0x89, 0xE5, 0xBC])  // mov ebp, esp; mov esp, top
        a.word(top)
      } else {
        a.bytes([0x89, 0xE0, 0xBC])  // mov eax, esp; mov esp, top; push eax
        a.word(top)
        a.bytes([0x50])
      }
      for b in body { emit(b, &a) }
      a.bytes(byFramePointer ? [0x89, 0xEC] : [0x5C])  // mov esp, ebp; or pop esp
    case .storeRegister(let v):
      a.bytes([0x89, 0x35])  // mov [v], esi
      a.word(variable(v))
    case .storeSavedRegister(let v):
      a.bytes([0x8B, 0x44, 0x24, 4, 0xA3])  // mov eax, [esp+4]: ESI as PUSHA saved it
      a.word(variable(v))
    case .storeFrame(let v):
      a.bytes([0x8B, 0x44, 0x24, 32, 0xA3])  // mov eax, [esp+32]: EIP
      a.word(variable(v))
    case .count(let n): for _ in 0..<n { a.bytes([0x46]) }
    }
  }
}
