import Emulator

/// What the instructions of one function tell about locks and the interrupt flag.
public struct FunctionShape: Sendable, Equatable {
  /// XCHG with memory, or an instruction with LOCK.
  public var isAtomic = false
  /// A jump backwards, PAUSE included: it waits.
  public var loops = false
  public var savesFlags = false
  public var restoresFlags = false
  public var clearsInterrupts = false
  public var setsInterrupts = false
  /// Reads or writes segments or returns by IRET: an entry, no function.
  public var returnsFromInterrupt = false
  /// Functions that it calls directly.
  public var calls: [UInt64] = []
  public var instructions = 0

  public init() {}
}

/// Reads functions of an image without executing them.
public final class FunctionReader {
  private let image: PreparedImage
  private let machine = Machine(ramBytes: 1 << 20)
  private static let scratch: UInt64 = 0x1_0000

  public init(image: PreparedImage) { self.image = image }

  /// - Parameter size: Bytes; more than 4096 are no lock's function, and not read.
  public func shape(at address: UInt64, size: Int) -> FunctionShape? {
    guard size > 0, size <= 4096,
      let segment = image.elf.segments.first(where: {
        $0.flags & 1 != 0 && address >= $0.virtual
          && address - $0.virtual < UInt64($0.file.count)
      })
    else { return nil }
    let start = segment.file.lowerBound + Int(address - segment.virtual)
    let end = min(start + size, segment.file.upperBound)
    machine.place(
      image.bytes[start..<end], at: FunctionReader.scratch, size: UInt64(end - start + 16))
    var shape = FunctionShape()
    var at = 0
    while at < end - start,
      let instruction = machine.decodeText(
        physical: FunctionReader.scratch + UInt64(at), address: address + UInt64(at),
        is64Bit: image.elf.is64Bit), instruction.length > 0
    {
      note(instruction, at: address + UInt64(at), function: address, in: &shape)
      at += instruction.length
    }
    return shape
  }

  private func note(
    _ instruction: Disassembly, at address: UInt64, function: UInt64, in shape: inout FunctionShape
  ) {
    shape.instructions += 1
    let mnemonic = instruction.mnemonic
    let text = instruction.text
    if text.hasPrefix("lock ") || (mnemonic == "xchg" && text.contains("[")) {
      shape.isAtomic = true
    }
    switch mnemonic {
    case "pause": shape.loops = true
    case "cli": shape.clearsInterrupts = true
    case "sti": shape.setsInterrupts = true
    case "pushf", "pushfd", "pushfq": shape.savesFlags = true
    case "popf", "popfd", "popfq": shape.restoresFlags = true
    case "iret", "iretd", "iretq": shape.returnsFromInterrupt = true
    case "call":
      if let target = target(text) { shape.calls.append(target) }
    default:
      if mnemonic.hasPrefix("j"), let target = target(text), target >= function, target <= address {
        shape.loops = true
      }
    }
  }

  /// The address that a branch names.
  private func target(_ text: String) -> UInt64? {
    guard let word = text.split(separator: " ").last, word.hasPrefix("0x") else { return nil }
    return UInt64(word.dropFirst(2), radix: 16)
  }
}
