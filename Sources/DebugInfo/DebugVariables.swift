import CDwarf
import Model

/// The variables of an image with a fixed address, and what they are made of, by DWARF.
struct DebugVariables {
  private var shapes: [UInt64: VariableShape] = [:]

  init(dwarf: OpaquePointer?) {
    guard let dwarf else { return }
    var offset: Dwarf_Off = 0
    var next: Dwarf_Off = 0
    var headerSize = 0
    while dwarf_nextcu(dwarf, offset, &next, &headerSize, nil, nil, nil) == 0, next > offset {
      var unit = Dwarf_Die()
      if dwarf_offdie(dwarf, offset + Dwarf_Off(headerSize), &unit) != nil {
        collect(&unit, depth: 0)
      }
      offset = next
    }
  }

  func shape(at address: UInt64) -> VariableShape? { shapes[address] }

  private mutating func collect(_ parent: inout Dwarf_Die, depth: Int) {
    guard depth < 32 else { return }
    DebugFunctions.forEachChild(of: &parent) { child in
      switch Int(dwarf_tag(&child)) {
      case DW_TAG_variable: add(&child)
      case DW_TAG_module, DW_TAG_namespace, DW_TAG_structure_type, DW_TAG_class_type,
        DW_TAG_enumeration_type, DW_TAG_union_type, DW_TAG_subprogram, DW_TAG_lexical_block:
        collect(&child, depth: depth + 1)
      default: break
      }
      return true
    }
  }

  private mutating func add(_ variable: inout Dwarf_Die) {
    var attribute = Dwarf_Attribute()
    var operations: UnsafeMutablePointer<Dwarf_Op>?
    var count = 0
    guard dwarf_attr(&variable, UInt32(DW_AT_location), &attribute) != nil,
      dwarf_getlocation(&attribute, &operations, &count) == 0, count == 1, let operations
    else { return }
    var address = operations[0].number
    switch Int(operations[0].atom) {
    case DW_OP_addr: break
    case DW_OP_addrx, DW_OP_GNU_addr_index:
      // By its number in `.debug_addr`, as DWARF 5 has it.
      var indirect = Dwarf_Attribute()
      guard dwarf_getlocation_attr(&attribute, operations, &indirect) == 0,
        dwarf_formaddr(&indirect, &address) == 0
      else { return }
    default: return
    }
    guard shapes[address] == nil, let shape = Self.shape(of: &variable) else { return }
    shapes[address] = shape
  }

  private static func shape(of variable: inout Dwarf_Die) -> VariableShape? {
    guard var type = type(of: &variable) else { return nil }
    var isArray = false
    var steps = 0
    while Int(dwarf_tag(&type)) == DW_TAG_array_type {
      isArray = true
      guard let element = self.type(of: &type), steps < 8 else { return nil }
      type = element
      steps += 1
    }
    let size = dwarf_bytesize(&type)
    guard size > 0 else { return nil }
    var isSigned = false
    var base = type
    if Int(dwarf_tag(&base)) == DW_TAG_enumeration_type, let under = self.type(of: &base) {
      base = under
    }
    var attribute = Dwarf_Attribute()
    var encoding: Dwarf_Word = 0
    if dwarf_attr_integrate(&base, UInt32(DW_AT_encoding), &attribute) != nil,
      dwarf_formudata(&attribute, &encoding) == 0
    {
      isSigned = Int(encoding) == DW_ATE_signed || Int(encoding) == DW_ATE_signed_char
    }
    return VariableShape(elementSize: Int(size), isSigned: isSigned, isArray: isArray)
  }

  /// The type of a variable, an element or a typedef, without its qualifiers.
  private static func type(of die: inout Dwarf_Die) -> Dwarf_Die? {
    var attribute = Dwarf_Attribute()
    var type = Dwarf_Die()
    guard dwarf_attr_integrate(&die, UInt32(DW_AT_type), &attribute) != nil,
      dwarf_formref_die(&attribute, &type) != nil
    else { return nil }
    var plain = Dwarf_Die()
    return dwarf_peel_type(&type, &plain) == 0 ? plain : type
  }
}
