/// The walk through the page tables. Intel SDM Vol. 3A §4.3 (32-bit paging), §4.6 (access rights),
/// §4.7 (page-fault exceptions), §4.8 (accessed and dirty flags).

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
}

/// Bits of a page-table entry, and of a page fault's error code.
private enum Page {
  static let present: UInt64 = 1
  static let writable: UInt64 = 1 << 1
  static let user: UInt64 = 1 << 2
  static let accessed: UInt64 = 1 << 5
  static let dirty: UInt64 = 1 << 6
  static let large: UInt64 = 1 << 7
}

extension Machine {
  /// Translates a linear address to a physical one by walking the tables.
  ///
  /// - Parameters:
  ///   - user: whether the access has user rights (CPL 3 and not made by the processor itself).
  ///   - fetch: an instruction fetch; matters to messages, and later to execute-disable.
  /// - Returns: the physical address, or `UInt64.max` after a fault (#PF sets CR2) or when nothing
  ///   that is modelled is at that address.
  func translateSlow(
    _ cpu: Int, linear: UInt64, write: Bool, user: Bool, fetch: Bool
  ) -> UInt64 {
    let c = cpus[cpu]
    if c[CPU.Word.cr0] & ControlBit.pg == 0 {
      return checkedPhysical(linear & 0xFFFF_FFFF, write: write, fetch: fetch)
    }
    // PAE and four-level paging get their walks here; CR4.PAE cannot be set yet.
    return walk32(cpu, linear: linear & 0xFFFF_FFFF, write: write, user: user, fetch: fetch)
  }

  /// Two levels of 4-byte entries, 4 KiB pages, and 4 MiB pages with CR4.PSE. Vol. 3A §4.3.
  private func walk32(
    _ cpu: Int, linear: UInt64, write: Bool, user: Bool, fetch: Bool
  ) -> UInt64 {
    let c = cpus[cpu]
    let protectsSupervisor = c[CPU.Word.cr0] & ControlBit.wp != 0
    let directoryAddress = c[CPU.Word.cr3] & 0xFFFF_F000 | (linear >> 22) << 2
    guard let directory = tableEntry(directoryAddress) else { return .max }
    guard directory & Page.present != 0 else {
      return pageFault(cpu, linear, present: false, write: write, user: user)
    }
    let isLarge = directory & Page.large != 0 && c[CPU.Word.cr4] & ControlBit.pse != 0
    var rights = directory
    var table: UInt64 = 0
    let tableAddress = directory & 0xFFFF_F000 | ((linear >> 12) & 0x3FF) << 2
    if !isLarge {
      guard let entry = tableEntry(tableAddress) else { return .max }
      table = entry
      guard table & Page.present != 0 else {
        return pageFault(cpu, linear, present: false, write: write, user: user)
      }
      rights &= table
    } else if directory & 0x3F_E000 != 0 {
      // PSE-36 is not announced by CPUID, so that these bits are reserved. Vol. 3A §4.3.
      return pageFault(cpu, linear, present: true, write: write, user: user, reserved: true)
    }
    let denied =
      user
      ? rights & Page.user == 0 || (write && rights & Page.writable == 0)
      : write && protectsSupervisor && rights & Page.writable == 0
    if denied {
      return pageFault(cpu, linear, present: true, write: write, user: user)
    }
    if isLarge {
      setTableEntry(directoryAddress, directory, write: write)
      watchTable(directoryAddress)
      return checkedPhysical(
        directory & 0xFFC0_0000 | linear & 0x3F_FFFF, write: write, fetch: fetch)
    }
    if directory & Page.accessed == 0 {
      memory.setValue(at: directoryAddress, size: 4, directory | Page.accessed)
    }
    setTableEntry(tableAddress, table, write: write)
    watchTable(directoryAddress)
    watchTable(tableAddress)
    return checkedPhysical(table & 0xFFFF_F000 | linear & 0xFFF, write: write, fetch: fetch)
  }

  private func tableEntry(_ physical: UInt64) -> UInt64? {
    guard physical < memory.hiddenBase else {
      _ = notModelled("page table at physical address 0x\(hex(physical)), beyond RAM")
      return nil
    }
    let word = memory.word(at: physical)
    if memory.observed {
      let shadow =
        memory.frame(Int(physical >> 12))
        + (Memory.shadowOffset + Int(physical & 0xFFC))
      claimTable(shadow.assumingMemoryBound(to: UInt32.self))
    }
    return (physical & 4 != 0 ? word >> 32 : word) & 0xFFFF_FFFF
  }

  private func setTableEntry(_ physical: UInt64, _ entry: UInt64, write: Bool) {
    let marked = entry | Page.accessed | (write ? Page.dirty : 0)
    if marked != entry { memory.setValue(at: physical, size: 4, marked) }
  }

  /// Error code: bit 0 protection, bit 1 write, bit 2 user, bit 3 reserved bit. Vol. 3A §4.7.
  private func pageFault(
    _ cpu: Int, _ linear: UInt64, present: Bool, write: Bool, user: Bool, reserved: Bool = false
  ) -> UInt64 {
    cpus[cpu][CPU.Word.cr2] = linear
    _ = fault(
      Vector.pageFault,
      (present ? 1 : 0) | (write ? 2 : 0) | (user ? 4 : 0) | (reserved ? 8 : 0))
    return .max
  }

  /// Tells RAM, devices and nothing at all apart. Text-mode video memory is plain RAM.
  private func checkedPhysical(_ physical: UInt64, write: Bool, fetch: Bool) -> UInt64 {
    if physical < memory.hiddenBase || (isDevicePage(physical) && !fetch) { return physical }
    let access = fetch ? "fetch from" : write ? "write to" : "read of"
    _ = notModelled(
      "\(access) physical address 0x\(hex(physical)): beyond RAM, no device is modelled there")
    return .max
  }
}

func hex<Number: BinaryInteger>(_ number: Number) -> String { String(number, radix: 16) }
