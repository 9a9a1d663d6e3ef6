import CDwarf
import Foundation
import Model

/// Source lines and inlined functions of an image's instructions, by DWARF.
final class DebugLines {
  private struct Range {
    var low: UInt64
    var high: UInt64
    var unit: Int
  }

  private var units: [Dwarf_Die] = []
  /// Addresses of each unit, by their start. Compilers do not always write `.debug_aranges`.
  private var ranges: [Range] = []
  private var functions: [Int: DebugFunctions] = [:]
  private var cache: [UInt64: (location: SourceLocation, inlined: [String])?] = [:]

  init(dwarf: OpaquePointer?) {
    guard let dwarf else { return }
    var offset: Dwarf_Off = 0
    var next: Dwarf_Off = 0
    var headerSize = 0
    while dwarf_nextcu(dwarf, offset, &next, &headerSize, nil, nil, nil) == 0, next > offset {
      var die = Dwarf_Die()
      if dwarf_offdie(dwarf, offset + Dwarf_Off(headerSize), &die) != nil {
        add(unit: &die)
      }
      offset = next
    }
    ranges.sort { ($0.low, $0.high) < ($1.low, $1.high) }
  }

  private func add(unit die: inout Dwarf_Die) {
    var base: Dwarf_Addr = 0
    var low: Dwarf_Addr = 0
    var high: Dwarf_Addr = 0
    var position = 0
    while true {
      position = dwarf_ranges(&die, position, &base, &low, &high)
      guard position > 0 else { break }
      if low < high { ranges.append(Range(low: low, high: high, unit: units.count)) }
    }
    units.append(die)
  }

  func location(of address: UInt64) -> (location: SourceLocation, inlined: [String])? {
    if let known = cache[address] { return known }
    let found = lookUp(address)
    cache[address] = .some(found)
    return found
  }

  private func lookUp(_ address: UInt64) -> (location: SourceLocation, inlined: [String])? {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].low <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0, address < ranges[low - 1].high else { return nil }
    let number = ranges[low - 1].unit
    let folder = Self.text(of: &units[number], DW_AT_comp_dir)
    guard let location = Self.line(of: address, in: &units[number], folder: folder) else {
      return nil
    }
    return (location, inlined(at: address, in: number, folder: folder))
  }

  private static func line(
    of address: UInt64, in unit: inout Dwarf_Die, folder: String?
  ) -> SourceLocation? {
    guard let line = dwarf_getsrc_die(&unit, address) else { return nil }
    var number: Int32 = 0
    guard dwarf_lineno(line, &number) == 0, let file = dwarf_linesrc(line, nil, nil) else {
      return nil
    }
    if number == 0 {
      // The compiler's own code: the nearest line before it, if its sequence has one.
      var lines: OpaquePointer?
      var count = 0
      guard dwarf_getsrclines(&unit, &lines, &count) == 0 else { return nil }
      var best: (address: Dwarf_Addr, number: Int32)?
      for index in 0..<count {
        guard let other = dwarf_onesrcline(lines, index) else { continue }
        var at: Dwarf_Addr = 0
        var otherNumber: Int32 = 0
        guard dwarf_lineaddr(other, &at) == 0, at <= address,
          dwarf_lineno(other, &otherNumber) == 0, otherNumber > 0, at >= best?.address ?? 0
        else { continue }
        best = (at, otherNumber)
      }
      guard let best else { return nil }
      number = best.number
    }
    return SourceLocation(
      file: relative(String(cString: file), to: folder), line: Int(number))
  }

  /// The functions inlined at an address, innermost first, as `name (inlined at file:line)`.
  private func inlined(at address: UInt64, in number: Int, folder: String?) -> [String] {
    guard var scope = functions(of: number).function(at: address) else { return [] }
    var names: [String] = []
    while let inner = DebugFunctions.scope(at: address, within: &scope) {
      scope = inner
      guard dwarf_tag(&scope) == DW_TAG_inlined_subroutine else { continue }
      names.append(Self.describe(inlined: &scope, unit: &units[number], folder: folder))
    }
    return names.reversed()
  }

  private func functions(of number: Int) -> DebugFunctions {
    if let known = functions[number] { return known }
    let made = DebugFunctions(unit: units[number])
    functions[number] = made
    return made
  }

  private static func describe(
    inlined die: inout Dwarf_Die, unit: inout Dwarf_Die, folder: String?
  ) -> String {
    let name =
      text(of: &die, DW_AT_linkage_name).map(Demangler.name(of:))
      ?? dwarf_diename(&die).map { String(cString: $0) } ?? "?"
    guard let line = Self.number(of: &die, DW_AT_call_line),
      let file = Self.number(of: &die, DW_AT_call_file),
      let path = sourceFile(Int(clamping: file), of: &unit)
    else { return name }
    return "\(name) (inlined at \(relative(path, to: folder)):\(line))"
  }

  private static func sourceFile(_ index: Int, of unit: inout Dwarf_Die) -> String? {
    var files: OpaquePointer?
    var count = 0
    guard dwarf_getsrcfiles(&unit, &files, &count) == 0, index >= 0, index < count,
      let name = dwarf_filesrc(files, index, nil, nil)
    else { return nil }
    return String(cString: name)
  }

  private static func text(of die: inout Dwarf_Die, _ name: Int) -> String? {
    var attribute = Dwarf_Attribute()
    guard dwarf_attr_integrate(&die, UInt32(name), &attribute) != nil,
      let text = dwarf_formstring(&attribute)
    else { return nil }
    return String(cString: text)
  }

  private static func number(of die: inout Dwarf_Die, _ name: Int) -> UInt64? {
    var attribute = Dwarf_Attribute()
    var value: Dwarf_Word = 0
    guard dwarf_attr(&die, UInt32(name), &attribute) != nil,
      dwarf_formudata(&attribute, &value) == 0
    else { return nil }
    return value
  }

  /// The path without the folder that the compiler ran in, and without `.` and `..`.
  private static func relative(_ path: String, to folder: String?) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == "..", let last = parts.last, last != ".." {
        parts.removeLast()
      } else {
        parts.append(part)
      }
    }
    let clean = (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    if let folder, clean.hasPrefix(folder + "/") {
      return String(clean.dropFirst(folder.count + 1))
    }
    return clean
  }
}
