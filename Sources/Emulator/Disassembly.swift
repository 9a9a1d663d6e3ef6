import CZydis

/// An instruction as text.
public struct Disassembly: Sendable {
  /// Intel syntax, with addresses of branches in full.
  public var text: String
  public var length: Int
  public var mnemonic: String
}

extension Machine {
  /// The instruction at an offset in the code segment of a CPU, as it would be fetched now;
  /// without side effects. "(bad)" of length 1 when there is none.
  public func disassemble(cpu: Int, at rip: UInt64) -> Disassembly {
    let bytes = codeBytes(cpu, rip)
    selectMode(cpu)
    return Machine.disassemble(bytes, mode: cores[cpu].mode, at: rip)
  }

  /// Up to 15 bytes at `rip`, fewer when the next page is not there.
  private func codeBytes(_ cpu: Int, _ rip: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    for i in 0..<15 {
      let linear = self.linear(cpu, CPU.Segment.cs, rip &+ UInt64(i))
      guard let physical = physicalAddress(cpu: cpu, linear: linear) else { break }
      bytes.append(memory.byte(at: physical))
    }
    return bytes
  }

  package static func disassemble(_ bytes: [UInt8], mode: Int, at address: UInt64) -> Disassembly {
    var decoder = ZydisDecoder()
    switch mode {
    case DecodeMode.segmented16:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16)
    case DecodeMode.long64:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
    default:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32)
    }
    var instruction = ZydisDecodedInstruction()
    var operands = [ZydisDecodedOperand](repeating: ZydisDecodedOperand(), count: 10)
    guard
      ZydisDecoderDecodeFull(
        &decoder, bytes, ZyanUSize(bytes.count), &instruction, &operands) & 0x8000_0000 == 0
    else { return Disassembly(text: "(bad)", length: 1, mnemonic: "(bad)") }
    var formatter = ZydisFormatter()
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)
    var buffer = [CChar](repeating: 0, count: 160)
    ZydisFormatterFormatInstruction(
      &formatter, &instruction, &operands, instruction.operand_count_visible, &buffer,
      ZyanUSize(buffer.count), address, nil)
    let text = String(
      decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return Disassembly(
      text: text, length: Int(instruction.length),
      mnemonic: String(cString: ZydisMnemonicGetString(instruction.mnemonic)))
  }
}
