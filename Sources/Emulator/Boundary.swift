/// The part of a run that executes without a look at the outside.
struct Slice {
  /// Instructions left in the run.
  var rest: Int
  /// Instructions of this slice, and how many of them were executed.
  var length = 0
  var executed = 0
  /// The instruction of this slice may be visible or hooked.
  var pass: Bool
  /// The slice is the one instruction in the shadow of STI or MOV SS.
  var shadowed = false
  /// The slice is one instruction, after which TF traps.
  var traps = false
}

extension Machine {
  /// What happens between two slices: shadows end, single steps trap, interrupts are taken. Sets
  /// the next slice up, or says why the run ends. The CPU block is complete before and after.
  func boundary(_ cpu: Int, _ slice: inout Slice) -> Stop? {
    let words = cores[cpu].words
    instructions &+= UInt64(slice.executed)
    slice.rest -= slice.executed
    if slice.executed > 0 {
      slice.pass = false
      if slice.shadowed { words[CPU.Word.shadow] = 0 }
      if slice.traps && words[CPU.Word.shadow] == 0 && event.kind != .software {
        // Intel SDM Vol. 3B §18.3.1.4: #DB after the instruction, with DR6.BS.
        words[CPU.Word.dr0 + 6] |= 1 << 14
        deliver(cpu, vector: 1, kind: .exception, errorCode: nil)
      }
    }
    if cores[cpu].onDevice {
      cores[cpu].onDevice = false
      if memory.observed && slice.executed > 0 {
        noteDeviceEvent(cpu)
        return .event
      }
    }
    cores[cpu].passing = slice.pass
    if !memory.watchedWrites.isEmpty { noteWatchedWrites() }
    if words[CPU.Word.activity] == CPU.Activity.shutdown { return .shutdown }
    if slice.rest <= 0 { return .limit }
    event.kind = .none
    if timerDeadline != .max && clock >= timerDeadline { timerExpired() }
    var delivered = takePending(cpu)
    if !delivered && words[CPU.Word.activity] == CPU.Activity.halted && !memory.observed
      && (cpus.count == 1 || !anotherCanRun(than: cpu)) && sleepUntilTimer()
    {
      delivered = takePending(cpu)
    }
    if faultVector == Machine.unmodelledFault {
      faultVector = -1
      return .unmodelled
    }
    if delivered {
      if words[CPU.Word.activity] == CPU.Activity.shutdown { return .shutdown }
      if memory.observed { return .event }
    }
    if words[CPU.Word.activity] != CPU.Activity.running { return .halted }
    selectMode(cpu)
    slice.executed = 0
    slice.shadowed = words[CPU.Word.shadow] != 0
    slice.traps = words[CPU.Word.rflags] & CPU.Flag.tf != 0
    if slice.traps && memory.observed {
      unmodelled = "single steps (EFLAGS.TF) in an observed run"
      return .unmodelled
    }
    cores[cpu].onDevice = cores[cpu].deviceNext
    cores[cpu].deviceNext = false
    slice.length =
      slice.pass || slice.shadowed || slice.traps || cores[cpu].onDevice ? 1 : slice.rest
    if timerDeadline != .max {
      slice.length = min(slice.length, Int(clamping: timerDeadline &- clock))
    }
    return nil
  }

  private func noteDeviceEvent(_ cpu: Int) {
    event = Event()
    event.kind = .device
    event.cpu = cpu
    event.rip = cores[cpu].deviceInstruction
    event.vector = cores[cpu].deviceWrite == 0 ? 0 : 1
    event.value = cores[cpu].deviceWrite == 0 ? devicePhysical : cores[cpu].deviceWrite
    let words = cores[cpu].words
    event.oldSP = words[CPU.Register.sp]
    event.newSP = event.oldSP
    event.oldCPL = cpus[cpu].cpl
    event.newCPL = event.oldCPL
    event.oldFlags = words[CPU.Word.rflags]
    cores[cpu].deviceWrite = 0
  }

  /// Turns the fault of the instruction in flight into its consequence: an exception delivered
  /// (nil), or the end of the run.
  func takeFault(_ cpu: Int) -> Stop? {
    let words = cores[cpu].words
    let vector = faultVector
    faultVector = -1
    if vector == Machine.visibleFault { return .visible }
    if vector == Machine.unmodelledFault { return .unmodelled }
    // An exception enters a handler as a gate does: a run that stops before gates stops before it.
    if memory.observed && observation.stopBefore & InstructionClass.gate != 0
      && !cores[cpu].passing
    {
      return .visible
    }
    event.kind = .none
    words[CPU.Word.shadow] = 0
    let code: UInt32?
    switch vector {
    case 8, 10, 11, 12, 13, 14, 17: code = faultError
    default: code = nil
    }
    deliver(cpu, vector: vector, kind: .exception, errorCode: code)
    if faultVector == Machine.unmodelledFault {
      faultVector = -1
      return .unmodelled
    }
    if words[CPU.Word.activity] == CPU.Activity.shutdown { return .shutdown }
    return memory.observed ? .event : nil
  }

  /// For instructions that stay on their stack; a change of stacks is the observer's to judge.
  func noteStackPointer(_ cpu: Int) {
    let sp = cores[cpu].words[CPU.Register.sp]
    if sp < observation.lowestSP { observation.lowestSP = sp }
  }

  /// Data translations for the CPU's privilege level.
  @inline(__always) func dataTLB(_ cpu: Int) -> DataTLB {
    let core = cores + cpu
    let user = core.pointee.words[CPU.Word.cpl] == 3
    return DataTLB(
      entries: core.pointee.data + (user ? Core.entryCount : 0), core: core)
  }

  /// Makes sure that nothing cached contradicts a state that was put in place from outside.
  func agree(_ cpu: Int) {
    let core = cores + cpu
    core.pointee.deviceNext = false
    core.pointee.onDevice = false
    let words = core.pointee.words
    let key = (
      words[CPU.Word.cr0], words[CPU.Word.cr3], words[CPU.Word.cr4], words[CPU.Word.efer]
    )
    if key != core.pointee.translationKey || core.pointee.memoryReturns != memory.returns {
      core.pointee.translationKey = key
      core.pointee.memoryReturns = memory.returns
      core.pointee.flush()
      if !decodeCache.volatileWords.isEmpty { decodeCache.invalidateVolatile() }
    }
  }

  /// Finds the kind of code that CS and the data segments make. Intel SDM Vol. 3A §3.4.5.
  func selectMode(_ cpu: Int) {
    let core = cores + cpu
    let mode: Int
    var mask: UInt64 = 0xFFFF_FFFF
    let code = cpus[cpu].attributes(CPU.Segment.cs)
    if core.pointee.words[CPU.Word.efer] & 1 << 10 != 0 && code & 1 << 13 != 0 {
      mode = DecodeMode.long64
      mask = ~0
    } else if code & 1 << 14 == 0 {
      mode = DecodeMode.segmented16
    } else {
      mode = isFlat(cpu) ? DecodeMode.flat32 : DecodeMode.segmented32
    }
    if mode != core.pointee.mode {
      core.pointee.mode = mode
      core.pointee.mask = mask
      core.pointee.windowPage = Core.noPage
    }
  }

  /// Whether CS, SS, DS and ES reach all addresses from 0: readable code, writable data, present,
  /// a 32-bit stack.
  private func isFlat(_ cpu: Int) -> Bool {
    if segmentsForced { return false }
    let words = cores[cpu].words + CPU.Word.segments
    for segment in 0..<4 {
      let w = words + segment * 4
      let isCode = segment == CPU.Segment.cs
      // P, S and of the type: code/data, expand-down or conforming, writable or readable.
      let wanted: UInt64 = isCode ? 0x9A : 0x92
      let looked: UInt64 = isCode ? 0x9A : 0x9E
      if w[1] != 0 || w[2] != 0xFFFF_FFFF || w[3] & looked != wanted { return false }
      if segment == CPU.Segment.ss && w[3] & 1 << 14 == 0 { return false }
    }
    return true
  }
}
