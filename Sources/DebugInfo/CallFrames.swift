import CDwarf
import Foundation

/// Steps from a frame to its caller's, by the image's call-frame information (`.debug_frame`,
/// `.eh_frame`), else by the chain of frame pointers.
final class CallFrames {
  typealias Frame = (pc: UInt64, sp: UInt64, bp: UInt64)

  private let fromDebugFrame: OpaquePointer?
  private let fromExceptionFrame: OpaquePointer?
  private let is64Bit: Bool
  private var isClosed = false

  /// DWARF's numbers of the registers (System V ABI i386 table 2.14, x86-64 figure 3.36).
  private var stackPointer: Int32 { is64Bit ? 7 : 4 }
  private var framePointer: Int32 { is64Bit ? 6 : 5 }
  private var wordBytes: UInt64 { is64Bit ? 8 : 4 }
  private var mask: UInt64 { is64Bit ? .max : 0xFFFF_FFFF }

  init(elf: OpaquePointer?, dwarf: OpaquePointer?, is64Bit: Bool) {
    fromDebugFrame = dwarf.flatMap { dwarf_getcfi($0) }
    fromExceptionFrame = elf.flatMap { dwarf_getcfi_elf($0) }
    self.is64Bit = is64Bit
  }

  /// Gives back what must not outlive the ELF handle.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    if let fromExceptionFrame { dwarf_cfi_end(fromExceptionFrame) }
  }

  func unwind(pc: UInt64, sp: UInt64, bp: UInt64, read: (UInt64) -> UInt64?) -> Frame? {
    for information in [fromDebugFrame, fromExceptionFrame] {
      guard let information else { continue }
      var description: OpaquePointer?
      guard dwarf_cfi_addrframe(information, pc, &description) == 0, let description else {
        continue
      }
      defer { free(UnsafeMutableRawPointer(description)) }
      if let caller = caller(by: description, (pc, sp, bp), read) { return caller }
    }
    return callerByFramePointer(sp: sp, bp: bp, read: read)
  }

  private func caller(
    by description: OpaquePointer, _ frame: Frame, _ read: (UInt64) -> UInt64?
  ) -> Frame? {
    var operations: UnsafeMutablePointer<Dwarf_Op>?
    var count = 0
    guard dwarf_frame_cfa(description, &operations, &count) == 0, count > 0, let operations,
      let cfa = evaluate(operations, count, frame, cfa: nil, read)
    else { return nil }
    let returnColumn = dwarf_frame_info(description, nil, nil, nil)
    guard returnColumn >= 0,
      let pc = register(returnColumn, of: description, frame, cfa, read, unchanged: nil)
    else { return nil }
    let bp =
      register(framePointer, of: description, frame, cfa, read, unchanged: frame.bp) ?? frame.bp
    // The caller's stack pointer is the CFA unless the information says otherwise.
    let sp = register(stackPointer, of: description, frame, cfa, read, unchanged: nil) ?? cfa
    return (pc, sp, bp)
  }

  /// A register's value in the caller; nil where it is undefined or cannot be computed.
  private func register(
    _ number: Int32, of description: OpaquePointer, _ frame: Frame, _ cfa: UInt64,
    _ read: (UInt64) -> UInt64?, unchanged: UInt64?
  ) -> UInt64? {
    withUnsafeTemporaryAllocation(of: Dwarf_Op.self, capacity: 3) { room -> UInt64? in
      room.initialize(repeating: Dwarf_Op())
      var operations: UnsafeMutablePointer<Dwarf_Op>?
      var count = 0
      guard
        dwarf_frame_register(description, number, room.baseAddress!, &operations, &count) == 0
      else { return nil }
      guard let operations else { return unchanged }
      guard count > 0 else { return nil }
      let isValue = operations[count - 1].atom == UInt8(DW_OP_stack_value)
      guard let result = evaluate(operations, count, frame, cfa: cfa, read) else { return nil }
      return isValue ? result : word(at: result, read)
    }
  }

  private func word(at address: UInt64, _ read: (UInt64) -> UInt64?) -> UInt64? {
    read(address & mask).map { $0 & mask }
  }

  /// The operations that compilers emit for frames; nil for any other.
  private func evaluate(
    _ operations: UnsafeMutablePointer<Dwarf_Op>, _ count: Int, _ frame: Frame, cfa: UInt64?,
    _ read: (UInt64) -> UInt64?
  ) -> UInt64? {
    var stack: [UInt64] = []
    for index in 0..<min(count, 64) {
      let operation = operations[index]
      let atom = Int(operation.atom)
      switch atom {
      case DW_OP_breg0...DW_OP_breg31:
        guard let value = value(ofRegister: Int32(atom - DW_OP_breg0), frame) else { return nil }
        stack.append(value &+ operation.number)
      case DW_OP_bregx:
        guard operation.number < 64, let value = value(ofRegister: Int32(operation.number), frame)
        else { return nil }
        stack.append(value &+ operation.number2)
      case DW_OP_call_frame_cfa:
        guard let cfa else { return nil }
        stack.append(cfa)
      case DW_OP_lit0...DW_OP_lit31: stack.append(UInt64(atom - DW_OP_lit0))
      case DW_OP_const1u, DW_OP_const1s, DW_OP_const2u, DW_OP_const2s, DW_OP_const4u,
        DW_OP_const4s, DW_OP_const8u, DW_OP_const8s, DW_OP_constu, DW_OP_consts, DW_OP_addr:
        stack.append(operation.number)
      case DW_OP_plus_uconst:
        guard let value = stack.popLast() else { return nil }
        stack.append(value &+ operation.number)
      case DW_OP_plus, DW_OP_minus, DW_OP_and, DW_OP_shl, DW_OP_ge:
        guard let right = stack.popLast(), let left = stack.popLast() else { return nil }
        stack.append(combine(atom, left & mask, right & mask))
      case DW_OP_dup:
        guard let value = stack.last else { return nil }
        stack.append(value)
      case DW_OP_drop: _ = stack.popLast()
      case DW_OP_deref:
        guard let address = stack.popLast(), let value = word(at: address, read) else { return nil }
        stack.append(value)
      case DW_OP_stack_value, DW_OP_nop: break
      default: return nil
      }
    }
    return stack.last.map { $0 & mask }
  }

  private func combine(_ atom: Int, _ left: UInt64, _ right: UInt64) -> UInt64 {
    switch atom {
    case DW_OP_plus: left &+ right
    case DW_OP_minus: left &- right
    case DW_OP_and: left & right
    case DW_OP_shl: left << (right & 63)
    default: left >= right ? 1 : 0
    }
  }

  /// Only these registers of a frame are known.
  private func value(ofRegister number: Int32, _ frame: Frame) -> UInt64? {
    switch number {
    case stackPointer: frame.sp
    case framePointer: frame.bp
    case is64Bit ? 16 : 8: frame.pc
    default: nil
    }
  }

  private func callerByFramePointer(
    sp: UInt64, bp: UInt64, read: (UInt64) -> UInt64?
  ) -> Frame? {
    guard bp >= sp, bp % wordBytes == 0, let saved = word(at: bp, read),
      let pc = word(at: bp &+ wordBytes, read), pc != 0
    else { return nil }
    return (pc, (bp &+ 2 * wordBytes) & mask, saved)
  }
}
