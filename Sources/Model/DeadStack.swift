import Emulator

/// Dead stack: what lies below the stack pointer, and is no part of a state.
extension World {
  /// Whether code was seen to read what nobody had written since it was dead.
  var readsDeadStack: Bool {
    machine.observation.readsBelowStack > 0 || machine.observation.readsOfFilling > 0
  }

  func describeDeadStackRead() -> String {
    guard machine.observation.readsBelowStack == 0 else {
      return "Code reads below its stack pointer"
    }
    let place = image.symbols.describe(machine.observation.fillingReadAt)
    return "Code reads a local variable that it has not written, at \(place)"
  }

  /// Marks the parts of declared stacks that were never used, before exploration begins, so that reads of
  /// them show. What is near something that was used may be a frame that was prepared.
  func fillUnusedStacks() {
    guard scrubs else { return }
    for stack in stacks {
      var at = stack.low
      var used = stack.high
      while at + 8 <= stack.high {
        if machine.peek(0, linear: at, size: 8) ?? 1 != 0 {
          used = at
          break
        }
        at += 8
      }
      guard used >= stack.low + Self.preparedBytes else { continue }
      let end = used - Self.preparedBytes
      at = stack.low
      while at < end {
        let next = min(end, (at | 0xFFF) + 1)
        if let physical = machine.physicalAddress(cpu: 0, linear: at) {
          filled += memory.fillZeros(physical, physical + (next - at))
        }
        at = next
      }
    }
  }

  private static let preparedBytes: UInt64 = 256

  /// Without the reduction, what was never written is what the boot left.
  func unfillStacks() {
    if filled.isEmpty { return }
    memory.unfill(filled)
    filled.removeAll()
  }
}
