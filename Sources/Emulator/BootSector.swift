/// Booting from the first disk: its first sector at 7C00h in real mode, as the BIOS Boot Specification 1.01 §6.5.1
/// has it, with what a BIOS leaves in low memory.

extension Machine {
  /// Where the BIOS keeps its variables (IBM PC/AT Technical Reference, "BIOS Data Area").
  enum BIOSData {
    static let serialPorts: UInt64 = 0x400
    static let equipment: UInt64 = 0x410
    static let memoryKilobytes: UInt64 = 0x413
    static let videoMode: UInt64 = 0x449
    static let columns: UInt64 = 0x44A
    static let cursor: UInt64 = 0x450
    static let videoPort: UInt64 = 0x463
    static let ticks: UInt64 = 0x46C
    static let diskCount: UInt64 = 0x475
    static let lastRow: UInt64 = 0x484
  }
  /// The segment of the BIOS's handlers, and the first one's offset. There is no code: `enterReal` knows what they do.
  static let biosSegment: UInt64 = 0xF000
  static let biosHandlers: UInt64 = 0xE000

  /// Sets the machine to where a BIOS jumps to the boot sector of disk 80h.
  func bootDisk() throws(ImageError) {
    guard let disk = memory.disks.first else { throw .noDisk }
    guard disk.count >= 512 else { throw .diskTooSmall(size: disk.count) }
    let signature = UInt16(disk[510]) | UInt16(disk[511]) << 8
    guard signature == 0xAA55 else { throw .noBootSignature(signature) }
    guard memory.hiddenBase >= 1 << 20 else {
      throw .segmentOutsideMemory(
        index: 0, start: 0, end: 1 << 20, ramBytes: memory.hiddenBase)
    }
    fill(0x7C00, with: disk[0..<512], size: 512)
    for vector in UInt64(0)..<256 {
      put(Machine.biosSegment << 16 | (Machine.biosHandlers + vector), 4, at: vector * 4)
      // Code that jumps there by itself finds UD2.
    }
    for offset in stride(from: UInt64(0), to: 256, by: 2) {
      put(0x0B0F, 2, at: Machine.biosSegment << 4 + Machine.biosHandlers + offset)
    }
    put(0x03F8, 2, at: BIOSData.serialPorts)
    put(0x02F8, 2, at: BIOSData.serialPorts + 2)
    // 80×25, two serial ports, a coprocessor.
    put(0x0422, 2, at: BIOSData.equipment)
    put(639, 2, at: BIOSData.memoryKilobytes)
    put(3, 1, at: BIOSData.videoMode)
    put(80, 2, at: BIOSData.columns)
    put(0x3D4, 2, at: BIOSData.videoPort)
    put(UInt64(memory.disks.count), 1, at: BIOSData.diskCount)
    put(24, 1, at: BIOSData.lastRow)
    clearScreen()
    writeFirmwareTables(avoiding: [0..<0x8000])

    let c = cpus[0]
    for word in 0..<CPU.wordCount { c[word] = 0 }
    c.rip = 0x7C00
    c.rflags = CPU.Flag.fixed | CPU.Flag.if
    c[CPU.Register.dx] = 0x80
    c[CPU.Register.sp] = 0x7000
    c[CPU.Word.cr0] = ControlBit.et
    c[CPU.Word.dr0 + 6] = 0xFFFF_0FF0
    c[CPU.Word.dr0 + 7] = 0x400
    c[CPU.Word.pat] = 0x0007_0406_0007_0406
    c[CPU.Word.idtrLimit] = 0x3FF
    c[CPU.Word.gdtrLimit] = 0xFFFF
    for segment in 0..<6 {
      c.setSegment(
        segment, selector: 0, base: 0, limit: 0xFFFF,
        attributes: segment == CPU.Segment.cs ? 0x9B : 0x93)
    }
    c.setSegment(CPU.Segment.ldtr, selector: 0, base: 0, limit: 0xFFFF, attributes: 0x82)
    c.setSegment(CPU.Segment.tr, selector: 0, base: 0, limit: 0xFFFF, attributes: 0x8B)
    for cpu in cpus.indices.dropFirst() { initialise(cpu) }
    flushTLB(0)
  }

  // MARK: The screen

  private static let screen: UInt64 = 0xB_8000

  func clearScreen() {
    for cell in UInt64(0)..<2000 { put(0x0720, 2, at: Machine.screen + cell * 2) }
    setCursor(0)
  }

  /// Row in bits 8–15, column in bits 0–7; shown by registers 0Eh and 0Fh of the CRT controller.
  func setCursor(_ position: UInt64) {
    put(position & 0xFFFF, 2, at: BIOSData.cursor)
    let cell = (position >> 8 & 0xFF) * 80 + (position & 0xFF)
    let word = deviceWord(.videoRegisters, 1)
    setDeviceWord(
      .videoRegisters, 1,
      word & ~(0xFFFF << 48) | (cell >> 8 & 0xFF) << 48 | (cell & 0xFF) << 56)
  }

  var cursor: UInt64 { memory.value(at: BIOSData.cursor, size: 2) }

  func teletype(_ character: UInt8) {
    var row = cursor >> 8
    var column = cursor & 0xFF
    switch character {
    case 7: break
    case 8: column = column == 0 ? 0 : column - 1
    case 10: row += 1
    case 13: column = 0
    default:
      memory.setByte(at: Machine.screen + (row * 80 + column) * 2, character)
      column += 1
      if column == 80 { (row, column) = (row + 1, 0) }
    }
    while row > 24 {
      for cell in UInt64(0)..<(24 * 80) {
        put(
          memory.value(at: Machine.screen + (cell + 80) * 2, size: 2), 2,
          at: Machine.screen + cell * 2)
      }
      for cell in UInt64(24 * 80)..<2000 { put(0x0720, 2, at: Machine.screen + cell * 2) }
      row -= 1
    }
    setCursor(row << 8 | column)
  }

  /// The 25 lines of the text screen, without blanks at their ends.
  public var screenLines: [String] {
    (0..<25 as Range<UInt64>).map { row in
      let bytes = (0..<80 as Range<UInt64>).map {
        memory.byte(at: Machine.screen + (row * 80 + $0) * 2)
      }
      var text = String(decoding: bytes.map { $0 >= 32 && $0 < 127 ? $0 : 32 }, as: UTF8.self)
      while text.last == " " { text.removeLast() }
      return text
    }
  }
}
