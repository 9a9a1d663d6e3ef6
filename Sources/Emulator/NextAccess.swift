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

  /// What the CPU reads on its way, if it waits: going on, it comes back to where it stands with the same
  /// registers and the same memory, having written no shared bytes other than by locked instructions
  /// (which failed, as nothing changed). nil where it does not wait.
  public func awaitedReads(_ cpu: Int) -> [Access]? {
    takingBack {
      observation.stopAtShared = false
      observation.stopBefore =
        InstructionClass.interruptFlag | InstructionClass.io | InstructionClass.halt
        | InstructionClass.privileged | InstructionClass.gate | InstructionClass.time
        | InstructionClass.segment
      observation.logAccesses = true
      observation.accesses = []
      let words = cpus[cpu].words
      let start = words[CPU.Word.rip]
      var lap = Array(UnsafeBufferPointer(start: words, count: CPU.wordCount))
      var contents = memory.fingerprint
      for step in 0..<Self.awaitingLimit {
        guard run(cpu: cpu, limit: 1, passFirst: step == 0) == .limit else { return nil }
        guard words[CPU.Word.rip] == start else { continue }
        let now = UnsafeBufferPointer(start: words, count: CPU.wordCount)
        if memory.fingerprint == contents && now.elementsEqual(lap) {
          let writes = observation.accesses.contains {
            $0.isWrite && !$0.isLocked && memory.isShared(at: $0.physical)
          }
          return writes ? nil : observation.accesses.filter { !$0.isWrite }
        }
        // Registers may need one round to come to what they then are.
        lap = Array(now)
        contents = memory.fingerprint
        observation.accesses = []
      }
      return nil
    }
  }

  /// Instructions after which a loop is not taken for one that waits.
  private static let awaitingLimit = 512

  /// What the CPU's next instruction accesses, if it concerns nothing but the CPU itself and these bytes:
  /// nil where it touches a device, changes rings, stacks, segments or control registers, or reads the
  /// time.
  public func plainAccesses(_ cpu: Int) -> [Access]? {
    takingBack {
      observation.stopAtShared = false
      observation.stopBefore =
        InstructionClass.io | InstructionClass.privileged | InstructionClass.stackLoad
        | InstructionClass.gate | InstructionClass.time | InstructionClass.segment
      observation.logAccesses = true
      observation.accesses = []
      let ring = cpus[cpu].cpl
      switch run(cpu: cpu, limit: 1, passFirst: false) {
      case .limit, .halted: break
      case .event where event.kind == .interruptFlag || event.kind == .return: break
      default: return nil
      }
      return cpus[cpu].cpl == ring ? observation.accesses : nil
    }
  }

  /// Bytes of memory, at most eight, before and after the CPU's next instruction.
  public func effect(
    of cpu: Int, at physical: UInt64, size: Int
  ) -> (before: UInt64, after: UInt64) {
    takingBack {
      observation.stopAtShared = false
      observation.stopBefore = 0
      let before = memory.value(at: physical, size: size)
      _ = run(cpu: cpu, limit: 1, passFirst: true)
      return (before, memory.value(at: physical, size: size))
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
