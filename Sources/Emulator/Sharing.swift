extension Shadow {
  /// What two shadow words of the same bytes, seen by two machines, make together; as if one machine had
  /// seen all accesses, in any order.
  public static func join(_ a: UInt32, _ b: UInt32) -> UInt32 {
    if a == b || b == 0 { return a }
    if a == 0 { return b }
    let both = a | b
    let owner = min(a, b) & ~0xF
    if both & shared != 0 || (a ^ b) & stack != 0 {
      return owner | both & 0xF | shared
    }
    if a & ~written == b & ~written && a & readByMany == 0 { return both }
    return owner | both & 0xF | (both & written != 0 ? shared : readByMany)
  }
}

extension Memory {
  /// The shadow words of a frame, which is made if it was never touched.
  public func shadow(ofFrame index: Int) -> UnsafeMutablePointer<UInt32> {
    frame(index).advanced(by: Memory.shadowOffset).assumingMemoryBound(to: UInt32.self)
  }
}

extension Machine {
  /// Judges one data access of an observed run, within a page: who owns the bytes, is it visible,
  /// does it read dead stack. False, with `faultVector` set, when the run must stop before it.
  /// See `Observation` and `Shadow`.
  @inline(__always) func observe(
    _ cpu: Int, _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64, _ size: Int,
    _ kind: UInt8, write: Bool, logged: Bool = true
  ) -> Bool {
    let frame = Machine.frame(entry, linear)
    let offset = Int(truncatingIfNeeded: linear & 0xFFF)
    let shadow = (frame + (Memory.shadowOffset + offset & ~3)).assumingMemoryBound(to: UInt32.self)
    let count = (offset & 3 &+ size &+ 3) >> 2
    if kind & AccessKind.implicit != 0 {
      if kind & AccessKind.table != 0 {
        for i in 0..<count { claimTable(shadow + i) }
      }
      if observation.logAccesses && logged { log(cpu, entry, linear, size, kind, write: write) }
      return true
    }
    // What lies between the stack pointer (and what one instruction may push below it) and the
    // end of this context's part of its stack is this context's alone by the stack's discipline: it
    // orders what runs on one CPU. Two CPUs on one stack do share it.
    let live = cores[cpu].words[CPU.Register.sp] &- 64
    let ownStack = linear >= live && linear < observation.stackTop
    let mine =
      ownStack
      ? Shadow.stack | UInt32(truncatingIfNeeded: cpu) &<< Shadow.ownerShift
      : observation.owner &<< Shadow.ownerShift
    var i = 0
    while i < count {
      let now = shadow[i]
      // By far the most frequent: the owner again, and nothing new.
      if now & ~Shadow.written != mine || (write && now & Shadow.written == 0) {
        if !claim(cpu, shadow + i, now, mine, kind, write: write) {
          noteStop(entry.pointee.physical & ~0xFFF | linear & 0xFFF, size, kind, write: write)
          return false
        }
      }
      i &+= 1
    }
    if (!write || kind & AccessKind.update != 0)
      && kind & (AccessKind.stack | AccessKind.implicit | AccessKind.probed) == 0
    {
      let words = cores[cpu].words
      let base =
        cores[cpu].mask == ~0 ? 0 : words[CPU.Word.segments + CPU.Segment.ss * 4 + 1]
      let distance = (base &+ words[CPU.Register.sp] &- 1 &- linear) & cores[cpu].mask
      if distance < 512 {
        observation.readsBelowStack += 1
        // An interrupt may just have pushed its frame over it. Not in ring 3: its entries change stacks.
        if observation.stopAtShared && words[CPU.Word.cpl] == 0 && !cores[cpu].passing {
          faultVector = Machine.visibleFault
          return false
        }
      }
      if Memory.isFilling(frame, at: offset, size: size, isOwn: ownStack) {
        observation.readsOfFilling += 1
        observation.fillingReadAt = cpus[cpu].linearIP
      }
    }
    if !write && kind & (AccessKind.stack | AccessKind.implicit) == 0 {
      let shift = observation.victimSlotShift
      let slot = (observation.victimTop &+ (1 << shift) &- 1 &- linear) >> shift
      if slot < 64 && observation.victimSlots >> slot & 1 != 0 { observation.victimReads += 1 }
    }
    if observation.clobberedSlots != 0 { noteClobbered(cpu, linear, size, kind, write: write) }
    if observation.logAccesses && logged {
      log(cpu, entry, linear, size, kind, write: write)
    }
    return true
  }

  /// An access, perhaps to what an interrupt has overwritten.
  @inline(never) private func noteClobbered(
    _ cpu: Int, _ linear: UInt64, _ size: Int, _ kind: UInt8, write: Bool
  ) {
    let top = observation.clobberedTop
    for i in 0..<UInt64(16) where observation.clobberedSlots >> i & 1 != 0 {
      let high = top &- 8 &* i
      guard linear < high, linear &+ UInt64(size) > high &- 8 else { continue }
      if write {
        observation.clobberedSlots &= ~(1 << i)
      } else if kind & AccessKind.stack == 0 && cores[cpu].words[CPU.Word.cpl] == 0 {
        observation.clobberedRead = cpus[cpu].linearIP
      }
    }
  }

  /// Ring 0 uses GS: whose is it?
  @inline(never) func noteGS(_ cpu: Int) {
    let words = cores[cpu].words
    guard memory.observed, observation.kernelGSBase & 1 == 0, words[CPU.Word.cpl] == 0 else {
      return
    }
    if words[CPU.Word.segments + CPU.Segment.gs * 4 + 1] != observation.kernelGSBase {
      observation.foreignGSUse = words[CPU.Word.rip]
    }
  }

  /// Notes what the instruction that is not executed was about to access.
  func noteStop(
    _ physical: UInt64, _ size: Int, _ kind: UInt8, write: Bool, isDevice: Bool = false
  ) {
    observation.stopAddress = physical
    observation.stopSize = UInt8(truncatingIfNeeded: size)
    observation.stopFlags =
      (write ? 1 : 0) | (kind & AccessKind.update != 0 ? 2 : 0)
      | (kind & AccessKind.locked != 0 ? 4 : 0) | (isDevice ? 8 : 0)
  }

  /// The cases of `observe` that change the shadow word or meet somebody else's.
  @inline(never) private func claim(
    _ cpu: Int, _ shadow: UnsafeMutablePointer<UInt32>, _ now: UInt32, _ mine: UInt32,
    _ kind: UInt8, write: Bool
  ) -> Bool {
    if now & Shadow.shared != 0 {
      if kind & (AccessKind.implicit | AccessKind.probed) == 0 && !cores[cpu].passing
        && (observation.stopAtShared || (write && isWatched(shadow)))
      {
        faultVector = Machine.visibleFault
        return false
      }
      return true
    }
    let wrote: UInt32 = write ? Shadow.written : 0
    if now != 0 && (now ^ mine) & Shadow.stack != 0 {
      // One context's stack, and another's data.
      shadow.pointee = now | Shadow.shared | wrote
      observation.newlyShared += 1
      return true
    }
    if now == 0 {
      shadow.pointee = mine | wrote
      return true
    }
    if now & Shadow.readByMany != 0 {
      if write {
        shadow.pointee = now | Shadow.shared | Shadow.written
        observation.newlyShared += 1
      }
      return true
    }
    if now & ~Shadow.written == mine {
      shadow.pointee = now | wrote
      return true
    }
    if write || now & Shadow.written != 0 {
      shadow.pointee = now | Shadow.shared | wrote
      observation.newlyShared += 1
    } else {
      shadow.pointee = now | Shadow.readByMany
    }
    return true
  }

  /// Makes accesses to four bytes visible from now on, and writes to them even where nothing else is.
  public func watch(physical: UInt64) {
    let frame = memory.frame(Int(physical >> 12))
    let shadow = (frame + (Memory.shadowOffset + Int(physical & 0xFFC)))
      .assumingMemoryBound(to: UInt32.self)
    shadow.pointee |= Shadow.shared
    let known = observation.watched
    guard !known.contains(UInt(bitPattern: shadow)) else { return }
    observation.watched.append(UInt(bitPattern: shadow))
  }

  @inline(never) private func isWatched(_ shadow: UnsafeMutablePointer<UInt32>) -> Bool {
    if observation.watched.isEmpty { return false }
    return observation.watched.contains(UInt(bitPattern: shadow))
  }

  /// The processor itself reads a descriptor or a task state segment, at a moment that a raised
  /// interrupt decides: whoever writes there is seen by it.
  func claimTable(_ shadow: UnsafeMutablePointer<UInt32>) {
    let now = shadow.pointee
    if now & (Shadow.shared | Shadow.readByMany) != 0 || now == Shadow.processor { return }
    if now & (Shadow.written | Shadow.stack) != 0 {
      shadow.pointee = now | Shadow.shared
      observation.newlyShared += 1
    } else {
      shadow.pointee = now == 0 ? Shadow.processor : now | Shadow.readByMany
    }
  }

  @inline(never) private func log(
    _ cpu: Int, _ entry: UnsafeMutablePointer<TLBEntry>, _ linear: UInt64, _ size: Int,
    _ kind: UInt8, write: Bool
  ) {
    observation.accesses.append(
      Access(
        physical: entry.pointee.physical & ~0xFFF | linear & 0xFFF, linear: linear,
        rip: cores[cpu].words[CPU.Word.rip], size: UInt8(size), isWrite: write,
        isLocked: kind & AccessKind.locked != 0))
  }
}
