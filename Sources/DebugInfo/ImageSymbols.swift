import CDwarf
import Foundation
import Model

/// Names, source lines and call frames of an ELF image, read by elfutils' libelf and libdw.
///
/// The image is taken from bytes in memory. Whatever the image lacks, or holds in a form that
/// cannot be read, is simply not known: without DWARF there are still symbols, without symbols
/// nothing is named. An instance belongs to one thread at a time.
public final class ImageSymbols: Symbolizer {
  /// `i386` or `x86-64`; nil for any other machine, or for bytes that are no ELF file.
  public let architecture: String?

  private let bytes: UnsafeMutableBufferPointer<CChar>
  private let elf: OpaquePointer?
  private let dwarf: OpaquePointer?
  private let table: SymbolTable
  private lazy var lines = DebugLines(dwarf: dwarf)
  private lazy var variables = DebugVariables(dwarf: dwarf)
  private var openFrames: CallFrames?
  private var frames: CallFrames {
    if let openFrames { return openFrames }
    let made = CallFrames(elf: elf, dwarf: dwarf, is64Bit: architecture == "x86-64")
    openFrames = made
    return made
  }

  public init(bytes image: [UInt8]) {
    elf_version(UInt32(EV_CURRENT))
    // libelf converts in place: it works on a copy of its own.
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: max(image.count, 1))
    copy.initialize(repeating: 0)
    image.withUnsafeBytes { UnsafeMutableRawBufferPointer(copy).copyMemory(from: $0) }
    bytes = copy
    elf = image.isEmpty ? nil : elf_memory(bytes.baseAddress!, image.count)
    if let elf, elf_kind(elf) == ELF_K_ELF {
      var header = GElf_Ehdr()
      let machine = gelf_getehdr(elf, &header) == nil ? 0 : Int32(header.e_machine)
      architecture = machine == EM_386 ? "i386" : machine == EM_X86_64 ? "x86-64" : nil
      table = SymbolTable(elf: elf)
      dwarf = dwarf_begin_elf(elf, DWARF_C_READ, nil)
    } else {
      architecture = nil
      table = SymbolTable()
      dwarf = nil
    }
  }

  deinit {
    openFrames?.close()
    if let dwarf { dwarf_end(dwarf) }
    if let elf { elf_end(elf) }
    bytes.deallocate()
  }

  /// Bytes of a section; nil: there is none of this name.
  public func section(named name: String) -> [UInt8]? {
    guard let elf else { return nil }
    var index = 0
    guard elf_getshdrstrndx(elf, &index) == 0 else { return nil }
    var section: OpaquePointer?
    while let next = elf_nextscn(elf, section) {
      section = next
      var header = GElf_Shdr()
      guard gelf_getshdr(next, &header) != nil,
        let text = elf_strptr(elf, index, Int(header.sh_name)), String(cString: text) == name,
        let data = elf_rawdata(next, nil), let start = data.pointee.d_buf
      else { continue }
      return [UInt8](UnsafeRawBufferPointer(start: start, count: data.pointee.d_size))
    }
    return nil
  }

  public var symbolNames: [String] { table.names }

  public func symbol(named name: String) -> (address: UInt64, size: Int)? {
    table.symbol(named: name)
  }

  public func symbol(containing address: UInt64) -> (name: String, address: UInt64, size: Int)? {
    table.symbol(containing: address)
  }

  public func endsFunction(_ address: UInt64) -> Bool { table.functionEnds.contains(address) }

  public func location(of address: UInt64) -> (location: SourceLocation, inlined: [String])? {
    lines.location(of: address)
  }

  public func variable(named name: String) -> VariableShape? {
    table.symbol(named: name).flatMap { variables.shape(at: $0.address) }
  }

  public func unwind(
    pc: UInt64, sp: UInt64, bp: UInt64, read: (UInt64) -> UInt64?
  ) -> (pc: UInt64, sp: UInt64, bp: UInt64)? {
    frames.unwind(pc: pc, sp: sp, bp: bp, read: read)
  }
}
