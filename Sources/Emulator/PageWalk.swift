/// The walk through the page tables. Intel SDM Vol. 3A §4.3 (32-bit paging), §4.4 (PAE paging), §4.5
/// (4-level paging), §4.6 (access rights), §4.7 (page-fault exceptions), §4.8 (accessed and dirty
/// flags).

enum ControlBit {
  static let pe: UInt64 = 1 << 0
  static let mp: UInt64 = 1 << 1
  static let em: UInt64 = 1 << 2
  static let ts: UInt64 = 1 << 3
  static let et: UInt64 = 1 << 4
  static let ne: UInt64 = 1 << 5
  static let wp: UInt64 = 1 << 16
  static let am: UInt64 = 1 << 18
  static let nw: UInt64 = 1 << 29
  static let cd: UInt64 = 1 << 30
  static let pg: UInt64 = 1 << 31
  // CR4
  static let tsd: UInt64 = 1 << 2
  static let de: UInt64 = 1 << 3
  static let pse: UInt64 = 1 << 4
  static let pae: UInt64 = 1 << 5
  static let mce: UInt64 = 1 << 6
  static let pge: UInt64 = 1 << 7
  static let pce: UInt64 = 1 << 8
  static let osfxsr: UInt64 = 1 << 9
  static let osxmmexcpt: UInt64 = 1 << 10
  static let fsgsbase: UInt64 = 1 << 16
  static let smep: UInt64 = 1 << 20
  static let smap: UInt64 = 1 << 21
  // EFER. Intel SDM Vol. 4, table 2-2, "IA32_EFER".
  static let sce: UInt64 = 1 << 0
  static let lme: UInt64 = 1 << 8
  static let lma: UInt64 = 1 << 10
  static let nxe: UInt64 = 1 << 11
}

/// Bits of a page-table entry. Intel SDM Vol. 3A §4.3, table 4-6; §4.5, tables 4-15 to 4-20.
enum Page {
  static let present: UInt64 = 1
  static let writable: UInt64 = 1 << 1
  static let user: UInt64 = 1 << 2
  static let accessed: UInt64 = 1 << 5
  static let dirty: UInt64 = 1 << 6
  static let large: UInt64 = 1 << 7
  static let noExecute: UInt64 = 1 << 63
  /// MAXPHYADDR, as CPUID announces it: address bits from here to 51 are reserved.
  static let physicalBits: UInt64 = 40
  /// The address in an entry of 8 bytes.
  static let frame: UInt64 = ((1 << physicalBits) - 1) & ~0xFFF
  static let beyondPhysical: UInt64 = ((1 << 52) - 1) & ~((1 << physicalBits) - 1)
}

/// An access that needs a translation.
struct PageAccess {
  var linear: UInt64
  var write: Bool
  /// It has user rights: CPL 3, and not made by the processor itself.
  var user: Bool
  var fetch: Bool
  /// Made by the processor to a descriptor table or a TSS. Intel SDM Vol. 3A §4.6.
  var implicit: Bool
}

extension Machine {
  /// Translates a linear address to a physical one by walking the tables.
  ///
  /// - Parameters:
  ///   - user: whether the access has user rights (CPL 3 and not made by the processor itself).
  ///   - implicit: whether the processor reads a table of its own.
  /// - Returns: the physical address, or `UInt64.max` after a fault (#PF sets CR2) or when nothing
  ///   that is modelled is at that address. `Core.isTransient` says whether it may be remembered.
  func translateSlow(
    _ cpu: Int, linear: UInt64, write: Bool, user: Bool, fetch: Bool, implicit: Bool = false
  ) -> UInt64 {
    let c = cpus[cpu]
    cores[cpu].isTransient = false
    var access = PageAccess(
      linear: linear, write: write, user: user, fetch: fetch, implicit: implicit)
    if c[CPU.Word.cr0] & ControlBit.pg == 0 {
      access.linear &= 0xFFFF_FFFF
      return checkedPhysical(access.linear, access)
    }
    if c[CPU.Word.cr4] & ControlBit.pae == 0 {
      access.linear &= 0xFFFF_FFFF
      return walk32(cpu, access)
    }
    return walkWide(cpu, access)
  }

  /// Two levels of 4-byte entries, 4 KiB pages, and 4 MiB pages with CR4.PSE. Vol. 3A §4.3.
  private func walk32(_ cpu: Int, _ access: PageAccess) -> UInt64 {
    let c = cpus[cpu]
    let linear = access.linear
    let directoryAddress = c[CPU.Word.cr3] & 0xFFFF_F000 | (linear >> 22) << 2
    guard let directory = tableEntry(directoryAddress) else { return .max }
    guard directory & Page.present != 0 else { return pageFault(cpu, access, present: false) }
    let isLarge = directory & Page.large != 0 && c[CPU.Word.cr4] & ControlBit.pse != 0
    var rights = directory
    var table: UInt64 = 0
    let tableAddress = directory & 0xFFFF_F000 | ((linear >> 12) & 0x3FF) << 2
    if !isLarge {
      guard let entry = tableEntry(tableAddress) else { return .max }
      table = entry
      guard table & Page.present != 0 else { return pageFault(cpu, access, present: false) }
      rights &= table
    } else if directory & 0x3F_E000 != 0 {
      // PSE-36 is not announced by CPUID, so that these bits are reserved. Vol. 3A §4.3.
      return pageFault(cpu, access, present: true, reserved: true)
    }
    if isDenied(cpu, access, rights) { return pageFault(cpu, access, present: true) }
    if isLarge {
      setTableEntry(directoryAddress, directory, write: access.write)
      watchTable(directoryAddress)
      return checkedPhysical(directory & 0xFFC0_0000 | linear & 0x3F_FFFF, access)
    }
    if directory & Page.accessed == 0 {
      memory.setValue(at: directoryAddress, size: 4, directory | Page.accessed)
    }
    setTableEntry(tableAddress, table, write: access.write)
    watchTable(directoryAddress)
    watchTable(tableAddress)
    return checkedPhysical(table & 0xFFFF_F000 | linear & 0xFFF, access)
  }

  /// Entries of 8 bytes: three levels with PAE paging (Vol. 3A §4.4), four in IA-32e mode (§4.5).
  ///
  /// The page-directory pointers of PAE paging are read anew at each walk, where the manual has them
  /// in registers that MOV to CR3 loads (§4.4.1): a kernel that changes one without it is not caught.
  private func walkWide(_ cpu: Int, _ access: PageAccess) -> UInt64 {
    let c = cpus[cpu]
    let isLong = c.isLongMode
    let executeDisable = c[CPU.Word.efer] & ControlBit.nxe != 0
    var table = c[CPU.Word.cr3] & (isLong ? Page.frame : 0xFFFF_FFE0)
    var rights = Page.writable | Page.user
    // Entries to mark accessed, once the access is known to be allowed.
    var path = (0 as UInt64, 0 as UInt64, 0 as UInt64)
    var depth = 0
    var level = isLong ? 4 : 3
    while true {
      let shift = UInt64(12 + 9 * (level - 1))
      let index = (access.linear >> shift) & (!isLong && level == 3 ? 3 : 511)
      let at = table + index * 8
      guard let entry = wideTableEntry(at) else { return .max }
      guard entry & Page.present != 0 else { return pageFault(cpu, access, present: false) }
      let isPointer = !isLong && level == 3
      let isLeaf = level == 1 || (!isPointer && level < 4 && entry & Page.large != 0)
      var reserved = Page.beyondPhysical
      if isPointer {
        reserved |= 0x7FF0_0000_0000_01E6 | Page.noExecute
      } else {
        if !executeDisable { reserved |= Page.noExecute }
        if !isLong { reserved |= 0x7FF0_0000_0000_0000 }
        if level == 4 { reserved |= Page.large }
        if isLeaf && level > 1 {
          // Bit 12 of a large page is its PAT bit; below the page's size the address is reserved.
          reserved |= ((1 << shift) - 1) & ~0x1FFF
        }
      }
      if entry & reserved != 0 { return pageFault(cpu, access, present: true, reserved: true) }
      if !isPointer {
        rights = rights & entry | (rights | entry) & Page.noExecute
      }
      if isLeaf {
        if isDenied(cpu, access, rights) { return pageFault(cpu, access, present: true) }
        for n in 0..<depth { markAccessed(n == 0 ? path.0 : n == 1 ? path.1 : path.2) }
        let marked = entry | Page.accessed | (access.write ? Page.dirty : 0)
        if marked != entry { memory.setWord(at: at, marked) }
        watchTable(at)
        let offset: UInt64 = (1 << shift) - 1
        return checkedPhysical(entry & Page.frame & ~offset | access.linear & offset, access)
      }
      // The pointers of PAE paging have no accessed flag. Vol. 3A §4.8.
      if isPointer {
        watchTable(at)
      } else {
        if depth == 0 { path.0 = at } else if depth == 1 { path.1 = at } else { path.2 = at }
        depth += 1
      }
      table = entry & Page.frame
      level -= 1
    }
  }

  private func markAccessed(_ at: UInt64) {
    let entry = memory.word(at: at)
    if entry & Page.accessed == 0 { memory.setWord(at: at, entry | Page.accessed) }
    watchTable(at)
  }

  /// Whether the rights of a page, gathered on the way to it, refuse the access. Vol. 3A §4.6.1.
  private func isDenied(_ cpu: Int, _ access: PageAccess, _ rights: UInt64) -> Bool {
    let c = cpus[cpu]
    let cr4 = c[CPU.Word.cr4]
    let isUserPage = rights & Page.user != 0
    if access.fetch && rights & Page.noExecute != 0 { return true }
    if access.user { return !isUserPage || (access.write && rights & Page.writable == 0) }
    if access.fetch { return isUserPage && cr4 & ControlBit.smep != 0 }
    if isUserPage && cr4 & ControlBit.smap != 0 {
      // What EFLAGS.AC decides now, it may decide otherwise for the next access.
      cores[cpu].isTransient = true
      if access.implicit || c.cpl == 3 || c.rflags & CPU.Flag.ac == 0 { return true }
    }
    return access.write && rights & Page.writable == 0 && c[CPU.Word.cr0] & ControlBit.wp != 0
  }

  private func tableEntry(_ physical: UInt64) -> UInt64? {
    guard physical < memory.hiddenBase else {
      _ = notModelled("page table at physical address 0x\(hex(physical)), beyond RAM")
      return nil
    }
    if memory.observed { claimEntry(physical, halves: 1) }
    let word = memory.word(at: physical)
    return (physical & 4 != 0 ? word >> 32 : word) & 0xFFFF_FFFF
  }

  private func wideTableEntry(_ physical: UInt64) -> UInt64? {
    guard physical < memory.hiddenBase else {
      _ = notModelled("page table at physical address 0x\(hex(physical)), beyond RAM")
      return nil
    }
    if memory.observed { claimEntry(physical, halves: 2) }
    return memory.word(at: physical)
  }

  private func claimEntry(_ physical: UInt64, halves: Int) {
    let shadow =
      memory.frame(Int(physical >> 12)) + (Memory.shadowOffset + Int(physical & 0xFFC))
    for half in 0..<halves { claimTable(shadow.assumingMemoryBound(to: UInt32.self) + half) }
  }

  private func setTableEntry(_ physical: UInt64, _ entry: UInt64, write: Bool) {
    let marked = entry | Page.accessed | (write ? Page.dirty : 0)
    if marked != entry { memory.setValue(at: physical, size: 4, marked) }
  }

  /// Error code: bit 0 protection, bit 1 write, bit 2 user, bit 3 reserved bit, bit 4 fetch where
  /// fetches can be refused (EFER.NXE with PAE, or CR4.SMEP). Vol. 3A §4.7.
  private func pageFault(
    _ cpu: Int, _ access: PageAccess, present: Bool, reserved: Bool = false
  ) -> UInt64 {
    let c = cpus[cpu]
    c[CPU.Word.cr2] = access.linear
    let cr4 = c[CPU.Word.cr4]
    let tellsFetches =
      cr4 & ControlBit.smep != 0
      || (cr4 & ControlBit.pae != 0 && c[CPU.Word.efer] & ControlBit.nxe != 0)
    _ = fault(
      Vector.pageFault,
      (present ? 1 : 0) | (access.write ? 2 : 0) | (access.user ? 4 : 0) | (reserved ? 8 : 0)
        | (access.fetch && tellsFetches ? 16 : 0))
    return .max
  }

  /// Tells RAM, devices and nothing at all apart. Text-mode video memory is plain RAM.
  private func checkedPhysical(_ physical: UInt64, _ access: PageAccess) -> UInt64 {
    if physical < memory.hiddenBase || (isDevicePage(physical) && !access.fetch) { return physical }
    let name = access.fetch ? "fetch from" : access.write ? "write to" : "read of"
    _ = notModelled(
      "\(name) physical address 0x\(hex(physical)): beyond RAM, no device is modelled there")
    return .max
  }

  // MARK: Without effects

  /// Where a linear address lies in physical memory now, whatever its permissions; nil when
  /// nowhere. Unlike an access it sets no bit in the tables.
  public func physicalAddress(cpu: Int, linear: UInt64) -> UInt64? {
    let c = cpus[cpu]
    var physical = linear & 0xFFFF_FFFF
    if c[CPU.Word.cr0] & ControlBit.pg != 0 {
      let isWide = c[CPU.Word.cr4] & ControlBit.pae != 0
      let isLong = isWide && c.isLongMode
      if isLong && !Machine.isCanonical(linear) { return nil }
      // The root, and bits of an index, bytes of an entry.
      var table =
        c[CPU.Word.cr3] & (isLong ? Page.frame : isWide ? 0xFFFF_FFE0 : 0xFFFF_F000)
      let (bits, bytes): (UInt64, UInt64) = isWide ? (9, 8) : (10, 4)
      let address = isLong ? linear : linear & 0xFFFF_FFFF
      var level: UInt64 = isLong ? 4 : isWide ? 3 : 2
      while true {
        let shift = 12 + bits * (level - 1)
        let at = table + (address >> shift & ((1 << bits) - 1)) * bytes
        guard at < memory.hiddenBase else { return nil }
        let entry = memory.value(at: at, size: Int(bytes))
        if entry & Page.present == 0 { return nil }
        let mayBeLarge =
          isLong ? level < 4 : isWide ? level < 3 : c[CPU.Word.cr4] & ControlBit.pse != 0
        if level == 1 || (mayBeLarge && entry & Page.large != 0) {
          let offset: UInt64 = (1 << shift) - 1
          physical = entry & Page.frame & ~offset | address & offset
          break
        }
        table = entry & Page.frame
        level -= 1
      }
    }
    return physical < memory.hiddenBase ? physical : nil
  }

  /// Whether bits 63–47 of an address are alike. Intel SDM Vol. 1 §3.3.7.1.
  @inline(__always) static func isCanonical(_ address: UInt64) -> Bool {
    UInt64(bitPattern: Int64(bitPattern: address << 16) >> 16) == address
  }
}

func hex<Number: BinaryInteger>(_ number: Number) -> String { String(number, radix: 16) }
