import CDwarf

/// The symbols of an ELF image that name code or data, by name and by address.
///
/// Assembly labels often carry no size: such a symbol reaches to the next one of its section. A
/// label inside a sized function (`retry:` in a loop) is known by name, but an address there
/// belongs to the function.
struct SymbolTable {
  private struct Symbol {
    var name: String
    var address: UInt64
    var size: UInt64
    var section: Int
    var rank: Int
  }

  /// Symbols that own their addresses, by address, none inside another.
  private var owners: [Symbol] = []
  private var byName: [String: (address: UInt64, size: Int)] = [:]
  private(set) var names: [String] = []
  /// Where functions end whose sizes are stated.
  private(set) var functionEnds: Set<UInt64> = []

  init() {}

  init(elf: OpaquePointer) {
    var sectionEnds: [Int: UInt64] = [:]
    var symbols: [Symbol] = []
    let wanted = Self.symbolSection(of: elf, sectionEnds: &sectionEnds)
    if let (data, strings, count) = wanted {
      for index in 0..<count {
        if let symbol = Self.symbol(at: index, in: data, strings: strings, elf: elf) {
          symbols.append(symbol)
        }
      }
    }
    // Ranks below 4 are functions.
    functionEnds = Set(
      symbols.lazy.filter { $0.rank < 4 && $0.size > 0 }.map { $0.address &+ $0.size })
    symbols.sort { ($0.address, $0.section, $0.rank) < ($1.address, $1.section, $1.rank) }
    Self.sizeLabels(&symbols, sectionEnds: sectionEnds)
    index(symbols)
  }

  func symbol(named name: String) -> (address: UInt64, size: Int)? { byName[name] }

  func symbol(containing address: UInt64) -> (name: String, address: UInt64, size: Int)? {
    var low = 0
    var high = owners.count
    while low < high {
      let middle = (low + high) / 2
      if owners[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let symbol = owners[low - 1]
    guard address - symbol.address < max(symbol.size, 1) else { return nil }
    return (symbol.name, symbol.address, Int(clamping: symbol.size))
  }

  /// The full symbol table, or the dynamic one where the image was stripped.
  private static func symbolSection(
    of elf: OpaquePointer, sectionEnds: inout [Int: UInt64]
  ) -> (data: UnsafeMutablePointer<Elf_Data>, strings: Int, count: Int)? {
    var found: (data: UnsafeMutablePointer<Elf_Data>, strings: Int, count: Int)?
    var section: OpaquePointer?
    while let next = elf_nextscn(elf, section) {
      section = next
      var header = GElf_Shdr()
      guard gelf_getshdr(next, &header) != nil else { continue }
      sectionEnds[Int(elf_ndxscn(next))] = header.sh_addr &+ header.sh_size
      let isFull = header.sh_type == UInt32(SHT_SYMTAB)
      guard isFull || (found == nil && header.sh_type == UInt32(SHT_DYNSYM)),
        header.sh_entsize > 0, let data = elf_getdata(next, nil)
      else { continue }
      let count = min(data.pointee.d_size / Int(clamping: header.sh_entsize), Int(Int32.max))
      found = (data, Int(header.sh_link), count)
    }
    return found
  }

  private static func symbol(
    at index: Int, in data: UnsafeMutablePointer<Elf_Data>, strings: Int, elf: OpaquePointer
  ) -> Symbol? {
    var raw = GElf_Sym()
    guard gelf_getsym(data, Int32(index), &raw) != nil, raw.st_shndx != UInt16(SHN_UNDEF) else {
      return nil
    }
    let type = Int32(raw.st_info & 0xF)
    let binding = Int32(raw.st_info >> 4)
    guard type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE || type == STT_GNU_IFUNC,
      let text = elf_strptr(elf, strings, Int(raw.st_name))
    else { return nil }
    let name = String(cString: text)
    guard !name.isEmpty, !name.hasPrefix(".L"), !name.hasPrefix("$x"), !name.hasPrefix("$d") else {
      return nil
    }
    let kind = type == STT_FUNC ? 0 : type == STT_OBJECT ? 1 : 2
    return Symbol(
      name: name, address: raw.st_value, size: raw.st_size, section: Int(raw.st_shndx),
      rank: kind * 4 + (binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2))
  }

  /// Gives each symbol without a size the bytes up to the next address of its section that has one.
  private static func sizeLabels(_ symbols: inout [Symbol], sectionEnds: [Int: UInt64]) {
    var following: [Int: UInt64] = [:]
    var end = symbols.count
    while end > 0 {
      // Symbols of one address are sized by what follows all of them.
      var start = end - 1
      while start > 0, symbols[start - 1].address == symbols[start].address { start -= 1 }
      for i in start..<end where symbols[i].size == 0 && symbols[i].section < Int(SHN_LORESERVE) {
        let limit = following[symbols[i].section] ?? sectionEnds[symbols[i].section] ?? 0
        if limit > symbols[i].address { symbols[i].size = limit - symbols[i].address }
      }
      for i in start..<end { following[symbols[i].section] = symbols[i].address }
      end = start
    }
  }

  private mutating func index(_ symbols: [Symbol]) {
    var covered: UInt64 = 0
    for symbol in symbols {
      let known = (symbol.address, Int(clamping: symbol.size))
      let shown = Demangler.name(of: symbol.name)
      for name in Set([symbol.name, shown]) where byName[name] == nil {
        byName[name] = known
        names.append(name)
      }
      // Absolute symbols are numbers, not places.
      guard symbol.section < Int(SHN_LORESERVE) else { continue }
      let isFirstAtAddress = owners.last.map { $0.address != symbol.address } ?? true
      guard isFirstAtAddress, owners.isEmpty || symbol.address >= covered else { continue }
      var owner = symbol
      owner.name = shown
      owners.append(owner)
      let (sum, overflow) = symbol.address.addingReportingOverflow(symbol.size)
      covered = overflow ? .max : sum
    }
    names.sort()
  }
}
