/// Names and source lines of an image's addresses. Implemented over the ELF symbol table and DWARF.
public protocol Symbolizer: AnyObject {
  /// Address and size of a symbol by its exact name.
  func symbol(named name: String) -> (address: UInt64, size: Int)?
  /// The function or object that contains an address: name (demangled), start, and size.
  func symbol(containing address: UInt64) -> (name: String, address: UInt64, size: Int)?
  /// Source line of an instruction, with the functions inlined there, innermost first, each as
  /// `name (inlined at file:line)`.
  func location(of address: UInt64) -> (location: SourceLocation, inlined: [String])?
  /// Where the caller's frame is, by the image's call-frame information: given a frame's pc, sp
  /// and bp, the return address and the caller's sp and bp.
  func unwind(
    pc: UInt64, sp: UInt64, bp: UInt64, read: (UInt64) -> UInt64?
  ) -> (pc: UInt64, sp: UInt64, bp: UInt64)?
  /// Whether a function whose size the image states ends before an address.
  func endsFunction(_ address: UInt64) -> Bool
  /// What a variable is made of; nil where the debug information does not say.
  func variable(named name: String) -> VariableShape?
  /// Every symbol's name, for suggestions.
  var symbolNames: [String] { get }
}

extension Symbolizer {
  public func endsFunction(_ address: UInt64) -> Bool { false }
  public func variable(named name: String) -> VariableShape? { nil }

  /// `console_write+0x1c`, or the bare address where no symbol covers it.
  public func describe(_ address: UInt64) -> String {
    guard let s = symbol(containing: address) else { return "0x" + String(address, radix: 16) }
    let offset = address - s.address
    return offset == 0 ? s.name : s.name + "+0x" + String(offset, radix: 16)
  }
}
