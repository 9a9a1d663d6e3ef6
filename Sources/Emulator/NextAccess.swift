import CZydis

extension Machine {
  /// What the CPU's next instruction would access, found out by executing it and taking it back.
  /// While memory is observed.
  public func nextAccesses(_ cpu: Int) -> [Access] {
    takingBack {
      observation.stopAtShared = false
      observation.stopBefore = 0
      observation.logAccesses = true
      observation.accesses = []
      _ = run(cpu: cpu, limit: 1, passFirst: true)
      return observation.accesses
    }
  }

  /// What the CPU's next instruction is stopped before, where shared bytes and devices stop a run: as
  /// `Observation.stopAddress`, `stopSize` and `stopFlags` say. nil when it touches neither.
  public func nextStop(_ cpu: Int) -> (address: UInt64, size: UInt8, flags: UInt8)? {
    takingBack {
      observation.stopAtShared = true
      observation.stopBefore = InstructionClass.io
      observation.stopSize = 0
      _ = run(cpu: cpu, limit: 1, passFirst: false)
      let o = observation
      return o.stopSize == 0 ? nil : (o.stopAddress, o.stopSize, o.stopFlags)
    }
  }

  /// Does something that runs CPUs, and undoes all that it did but what it learned of sharing.
  private func takingBack<T>(_ body: () -> T) -> T {
    let words = cpus.map { Array(UnsafeBufferPointer(start: $0.words, count: CPU.wordCount)) }
    let kept = (
      observation: observation, event: event, instructions: instructions,
      journal: memory.journalCount, fingerprint: memory.fingerprint,
      endOfInterrupt: lastEndOfInterrupt, exit: exitValue, unmodelled: unmodelled
    )
    let result = memory.withoutRecording(body)
    let learned = observation.newlyShared
    observation = kept.observation
    observation.newlyShared = learned
    event = kept.event
    instructions = kept.instructions
    lastEndOfInterrupt = kept.endOfInterrupt
    exitValue = kept.exit
    unmodelled = kept.unmodelled
    memory.undo(to: kept.journal)
    memory.fingerprint = kept.fingerprint
    for (c, block) in words.enumerated() {
      for i in 0..<CPU.wordCount { cpus[c].words[i] = block[i] }
    }
    return result
  }

  /// Whether the CPU's next instruction is part of a loop that does nothing but wait: within two dozen
  /// instructions it comes back, and neither writes memory nor calls anything on the way.
  public func isSpinLoop(_ cpu: Int) -> Bool {
    let start = cpus[cpu].base(CPU.Segment.cs) &+ cpus[cpu].rip
    return memory.withoutRecording {
      var at = start
      var decoder = ZydisDecoder()
      if cores[cpu].mask == ~0 {
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
      } else {
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32)
      }
      var instruction = ZydisDecodedInstruction()
      var operands = [ZydisDecodedOperand](repeating: ZydisDecodedOperand(), count: 10)
      for _ in 0..<24 {
        var bytes: [UInt8] = []
        for i in 0..<UInt64(15) {
          guard let byte = peek(cpu, linear: at &+ i, size: 1) else { break }
          bytes.append(UInt8(byte))
        }
        guard
          ZydisDecoderDecodeFull(
            &decoder, bytes, ZyanUSize(bytes.count), &instruction, &operands) & 0x8000_0000 == 0
        else { return false }
        let next = (at &+ UInt64(instruction.length)) & cores[cpu].mask
        switch instruction.meta.category {
        case ZYDIS_CATEGORY_CALL, ZYDIS_CATEGORY_RET, ZYDIS_CATEGORY_INTERRUPT,
          ZYDIS_CATEGORY_SYSCALL:
          return false
        case ZYDIS_CATEGORY_COND_BR, ZYDIS_CATEGORY_UNCOND_BR:
          guard operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE, operands[0].imm.is_relative != 0
          else { return false }
          let target = (next &+ operands[0].imm.value.u) & cores[cpu].mask
          if target <= start && start &- target < 128 { return true }
          at = instruction.meta.category == ZYDIS_CATEGORY_UNCOND_BR ? target : next
          continue
        default: break
        }
        for n in 0..<Int(instruction.operand_count)
        where operands[n].type == ZYDIS_OPERAND_TYPE_MEMORY && operands[n].actions & 0xA != 0 {
          return false
        }
        at = next
      }
      return false
    }
  }
}

extension Memory {
  /// Whether the four bytes around a physical address are known to be shared between contexts.
  public func isShared(at physical: UInt64) -> Bool {
    guard physical < hiddenBase, let p = frames[Int(truncatingIfNeeded: physical >> 12)] else {
      return false
    }
    let shadow = p.load(
      fromByteOffset: Memory.shadowOffset + Int(truncatingIfNeeded: physical & 0xFFC),
      as: UInt32.self)
    return shadow & Shadow.shared != 0
  }
}
