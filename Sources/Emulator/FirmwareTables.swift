/// What firmware leaves in memory for a kernel to find CPUs and interrupt controllers by: the
/// MultiProcessor Specification's structures (version 1.4, chapter 4) and ACPI's RSDP, RSDT and MADT
/// (ACPI 1.0b §5.2; the MADT as ACPI 2.0 §5.2.10 has it).

extension Machine {
  /// Where they are: in the area that both specifications have kernels search on 16-byte boundaries.
  public enum FirmwareAddress {
    public static let mpPointer: UInt64 = 0xF_5A00
    public static let mpTable: UInt64 = 0xF_5A10
    public static let rsdp: UInt64 = 0xF_6000
    public static let rsdt: UInt64 = 0xF_6040
    public static let madt: UInt64 = 0xF_6080
    static let end: UInt64 = 0xF_7000
  }

  /// Pins of the I/O APIC that ISA lines arrive at other than by their number.
  private static let overriddenLine = (line: UInt8(0), pin: UInt8(2))

  /// Writes the tables, unless the image lies there or there is no such memory.
  func writeFirmwareTables(avoiding ranges: [Range<UInt64>]) {
    typealias Address = FirmwareAddress
    guard memory.hiddenBase >= Address.end,
      !ranges.contains(where: { $0.overlaps(Address.mpPointer..<Address.end) })
    else { return }
    put(mpTable(), at: Address.mpTable)
    var pointer = FirmwareTable()
    pointer.text("_MP_")
    pointer.value(Address.mpTable, 4)
    // Length in paragraphs, version 1.4, checksum, no default configuration, no IMCR: virtual wire.
    pointer.bytes += [1, 4, 0, 0, 0, 0, 0, 0]
    pointer.sum(at: 10)
    put(pointer.bytes, at: Address.mpPointer)

    put(madt(), at: Address.madt)
    var rsdt = FirmwareTable(acpi: "RSDT")
    rsdt.value(Address.madt, 4)
    put(rsdt.closed(), at: Address.rsdt)
    var rsdp = FirmwareTable()
    rsdp.text("RSD PTR ")
    rsdp.bytes.append(0)
    rsdp.text("LOCKLB")
    rsdp.bytes.append(0)
    rsdp.value(Address.rsdt, 4)
    rsdp.sum(at: 8)
    put(rsdp.bytes, at: Address.rsdp)
  }

  private func put(_ bytes: [UInt8], at physical: UInt64) {
    for (i, byte) in bytes.enumerated() { memory.setByte(at: physical + UInt64(i), byte) }
  }

  /// Specification §4.2, §4.3.
  private func mpTable() -> [UInt8] {
    var table = FirmwareTable()
    table.text("PCMP")
    table.value(0, 2)  // length, below
    table.bytes += [4, 0]  // revision 1.4, checksum below
    table.text("LOCKLAB MACHINE     ")
    table.value(0, 4)
    table.value(0, 2)
    table.value(UInt64(cpus.count + 2 + 16 + 2), 2)
    table.value(LocalAPIC.address, 4)
    table.value(0, 4)
    for cpu in cpus.indices {
      // Processor: ID, version, enabled, bootstrap; signature; feature flags as CPUID has them.
      table.bytes += [0, UInt8(cpu), 0x14, cpu == 0 ? 3 : 1]
      table.value(0x600, 4)
      table.value(0x200, 4)
      table.value(0, 8)
    }
    table.bytes += [1, 0]
    table.text("ISA   ")
    let ioAPIC = UInt8(cpus.count)
    table.bytes += [2, ioAPIC, 0x20, 1]
    table.value(Machine.ioAPICAddress, 4)
    for line in UInt8(0)..<16 {
      // Line 2 is the cascade: its pin has line 0.
      if line == 2 {
        // ExtINT of the 8259 pair at pin 0.
        table.bytes += [3, 3, 0, 0, 0, 0, ioAPIC, 0]
      } else {
        let pin = line == Machine.overriddenLine.line ? Machine.overriddenLine.pin : line
        table.bytes += [3, 0, 0, 0, 0, line, ioAPIC, pin]
      }
    }
    // Local interrupts: ExtINT at LINT0, NMI at LINT1, of all CPUs.
    table.bytes += [4, 3, 0, 0, 0, 0, 0xFF, 0]
    table.bytes += [4, 1, 0, 0, 0, 0, 0xFF, 1]
    table.set(UInt64(table.bytes.count), 2, at: 4)
    table.sum(at: 7)
    return table.bytes
  }

  private func madt() -> [UInt8] {
    var table = FirmwareTable(acpi: "APIC")
    table.value(LocalAPIC.address, 4)
    table.value(1, 4)  // PCAT_COMPAT: there is an 8259 pair
    for cpu in cpus.indices {
      table.bytes += [0, 8, UInt8(cpu), UInt8(cpu)]
      table.value(1, 4)
    }
    table.bytes += [1, 12, UInt8(cpus.count), 0]
    table.value(Machine.ioAPICAddress, 4)
    table.value(0, 4)
    table.bytes += [2, 10, 0, Machine.overriddenLine.line]
    table.value(UInt64(Machine.overriddenLine.pin), 4)
    table.value(0, 2)
    // NMI at LINT1 of all CPUs.
    table.bytes += [4, 6, 0xFF, 0, 0, 1]
    return table.closed()
  }
}

/// A table under construction.
private struct FirmwareTable {
  var bytes: [UInt8] = []

  init() {}

  /// With ACPI's header of 36 bytes. ACPI 1.0b §5.2.3.
  init(acpi signature: String) {
    text(signature)
    value(0, 4)
    bytes += [1, 0]
    text("LOCKLBMACHINE ")
    value(1, 4)
    text("LLAB")
    value(1, 4)
  }

  mutating func text(_ text: String) { bytes += Array(text.utf8) }

  mutating func value(_ value: UInt64, _ size: Int) {
    for i in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
  }

  mutating func set(_ value: UInt64, _ size: Int, at offset: Int) {
    for i in 0..<size { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
  }

  /// Makes all bytes add up to zero.
  mutating func sum(at offset: Int) {
    bytes[offset] = 0
    bytes[offset] = 0 &- bytes.reduce(0) { $0 &+ $1 }
  }

  /// With length and checksum of an ACPI table.
  func closed() -> [UInt8] {
    var table = self
    table.set(UInt64(bytes.count), 4, at: 4)
    table.sum(at: 9)
    return table.bytes
  }
}
