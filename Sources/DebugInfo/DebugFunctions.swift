import CDwarf

/// The functions of a compile unit, by their addresses.
///
/// libdw's own search does not look into modules and types, where Swift and C++ put most of theirs.
struct DebugFunctions {
  private struct Range {
    var low: UInt64
    var high: UInt64
    var die: Dwarf_Die
  }

  private var ranges: [Range] = []

  init(unit: Dwarf_Die) {
    var unit = unit
    collect(&unit, depth: 0)
    ranges.sort { ($0.low, $0.high) < ($1.low, $1.high) }
  }

  func function(at address: UInt64) -> Dwarf_Die? {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].low <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0, address < ranges[low - 1].high else { return nil }
    return ranges[low - 1].die
  }

  /// The inlined function or block directly within `scope` that covers an address.
  static func scope(at address: UInt64, within scope: inout Dwarf_Die) -> Dwarf_Die? {
    var found: Dwarf_Die?
    forEachChild(of: &scope) { child in
      switch Int(dwarf_tag(&child)) {
      case DW_TAG_inlined_subroutine, DW_TAG_lexical_block, DW_TAG_try_block, DW_TAG_catch_block:
        guard dwarf_haspc(&child, address) == 1 else { return true }
        found = child
        return false
      default: return true
      }
    }
    return found
  }

  private mutating func collect(_ parent: inout Dwarf_Die, depth: Int) {
    guard depth < 32 else { return }
    Self.forEachChild(of: &parent) { child in
      switch Int(dwarf_tag(&child)) {
      case DW_TAG_subprogram: add(&child)
      case DW_TAG_module, DW_TAG_namespace, DW_TAG_structure_type, DW_TAG_class_type,
        DW_TAG_enumeration_type, DW_TAG_union_type, DW_TAG_interface_type:
        collect(&child, depth: depth + 1)
      default: break
      }
      return true
    }
  }

  private mutating func add(_ function: inout Dwarf_Die) {
    var base: Dwarf_Addr = 0
    var low: Dwarf_Addr = 0
    var high: Dwarf_Addr = 0
    var position = 0
    while true {
      position = dwarf_ranges(&function, position, &base, &low, &high)
      guard position > 0 else { return }
      if low < high { ranges.append(Range(low: low, high: high, die: function)) }
    }
  }

  /// Visits children in their order until `body` says false. A file that leads back to an earlier
  /// child is not followed.
  static func forEachChild(
    of parent: inout Dwarf_Die, _ body: (inout Dwarf_Die) -> Bool
  ) {
    var child = Dwarf_Die()
    guard dwarf_child(&parent, &child) == 0 else { return }
    while true {
      let offset = dwarf_dieoffset(&child)
      var current = child
      guard body(&current) else { return }
      var next = Dwarf_Die()
      guard dwarf_siblingof(&child, &next) == 0, dwarf_dieoffset(&next) > offset else { return }
      child = next
    }
  }
}
