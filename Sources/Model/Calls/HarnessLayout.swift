/// Where the loader of called functions lies in physical memory, and the tables that it needs.
struct HarnessLayout {
  static let page: UInt64 = 4096
  /// Bytes between two CPUs' task state segments. Intel SDM Vol. 3A §7.2.1, §7.7: 104 bytes.
  static let taskSize: UInt64 = 128

  let base: UInt64
  /// Descriptors and task state segments share a page; then the IDT, code, page tables, stacks.
  var gdt: UInt64 { base }
  func task(_ cpu: Int) -> UInt64 { base + 0x400 + UInt64(cpu) * HarnessLayout.taskSize }
  var idt: UInt64 { base + HarnessLayout.page }
  var code: UInt64 { base + 2 * HarnessLayout.page }

  static func taskSelector(_ cpu: Int) -> UInt16 { 0x18 + UInt16(cpu) * 16 }

  /// A descriptor table with flat code and data, and a task state segment for each CPU.
  /// Intel SDM Vol. 3A §3.4.5, §7.2.2, §7.2.3.
  func descriptors(cpus: Int, is64Bit: Bool) -> [UInt64] {
    var table: [UInt64] = [
      0, is64Bit ? 0x00AF_9B00_0000_FFFF : 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF,
    ]
    for cpu in 0..<cpus {
      let at = task(cpu)
      table.append(
        (at & 0xFF00_0000) << 32 | 0x0000_8B00_0000_0000 | (at & 0xFF_FFFF) << 16
          | (HarnessLayout.taskSize - 1))
      table.append(is64Bit ? at >> 32 : 0)
    }
    return table
  }

  /// An interrupt gate of ring 0. Intel SDM Vol. 3A §6.11, §6.14.1.
  static func gate(_ target: UInt64, is64Bit: Bool) -> [UInt64] {
    let low =
      target & 0xFFFF | 0x08 << 16 | 0x8E00 << 32 | (target & 0xFFFF_0000) << 32
    return is64Bit ? [low, target >> 32] : [low]
  }
}

/// Page tables under construction: pages of 2 or 4 MB, and of 4 KB where they do not do.
/// Intel SDM Vol. 3A §4.3 (32-bit paging), §4.5 (4-level paging).
struct PageTables {
  let is64Bit: Bool
  let base: UInt64
  private(set) var words: [UInt64]
  private var size: UInt64 { is64Bit ? 8 : 4 }
  private var bits: UInt64 { is64Bit ? 9 : 10 }
  private var largeShift: UInt64 { is64Bit ? 21 : 22 }

  init(is64Bit: Bool, base: UInt64) {
    self.is64Bit = is64Bit
    self.base = base
    words = Array(repeating: 0, count: 512)
  }

  var root: UInt64 { base }

  private func read(_ at: UInt64) -> UInt64 {
    let word = words[Int(at - base) / 8]
    return is64Bit ? word : word >> ((at & 4) * 8) & 0xFFFF_FFFF
  }

  private mutating func write(_ at: UInt64, _ value: UInt64) {
    let index = Int(at - base) / 8
    if is64Bit {
      words[index] = value
    } else {
      let shift = (at & 4) * 8
      words[index] = words[index] & ~(0xFFFF_FFFF << shift) | value << shift
    }
  }

  private mutating func newTable() -> UInt64 {
    let at = base + UInt64(words.count) * 8
    words += Array(repeating: 0, count: 512)
    return at
  }

  /// Maps a page of 4 KB (`large`: of 2 or 4 MB), present and writable, accessed and dirty so that the
  /// processor has nothing to write there.
  mutating func map(_ linear: UInt64, to physical: UInt64, large: Bool) {
    var table = base
    var shift = is64Bit ? 39 : largeShift
    while true {
      let entry = table + (linear >> shift & ((1 << bits) - 1)) * size
      let now = read(entry)
      if shift == 12 || (large && shift == largeShift) {
        write(entry, physical | (large ? 0xE3 : 0x63))
        return
      }
      if now & 1 == 0 {
        let new = newTable()
        write(entry, new | 0x23)
        table = new
      } else if shift == largeShift && now & 0x80 != 0 {
        // A large page, of which one small page goes elsewhere.
        let new = newTable()
        for i in 0..<(UInt64(1) << bits) {
          write(new + i * size, ((now & ~0xFFF) + (i << 12)) | 0x63)
        }
        write(entry, new | 0x23)
        table = new
      } else {
        table = now & 0x000F_FFFF_FFFF_F000
      }
      shift = shift == largeShift ? 12 : shift - bits
    }
  }
}
