import Emulator

/// A raw disk that Bochs boots into a multiboot image: the boot sector, a sector with the multiboot
/// information, and the image's segments as they lie in memory (Guests/boot-sector.S loads them).
struct DiskImage {
  let bytes: [UInt8]

  /// What INT 13h can read below the BIOS' own memory.
  private static let largestPayload = 0x80000
  /// Where the loader puts the information.
  private static let information: UInt32 = 0x10000
  private static let sector = 512
  /// Where in its sector the list of pieces begins; one without words ends it.
  private static let pieces = 464
  private static let mostPieces = 5

  init(bootSector: [UInt8], image: ELFImage, commandLine: String) throws {
    guard bootSector.count == DiskImage.sector else {
      throw Failure("the boot sector has \(bootSector.count) bytes, not \(DiskImage.sector)")
    }
    var payload: [UInt8] = []
    var pieces: [UInt32] = []
    for segment in image.segments where segment.memorySize > 0 {
      guard pieces.count < 2 * DiskImage.mostPieces else {
        throw Failure("the image has more than \(DiskImage.mostPieces) segments")
      }
      let bytes = Int(segment.memorySize + 3) & ~3
      pieces += [UInt32(segment.physical), UInt32(bytes / 4)]
      payload += image.bytes[segment.file]
      payload += [UInt8](repeating: 0, count: bytes - segment.file.count)
    }
    guard payload.count <= DiskImage.largestPayload else {
      throw Failure("the image takes \(payload.count) bytes; the boot sector can load 512 KiB")
    }

    var disk = bootSector
    let chunk = 64
    let sectors = 1 + (payload.count + DiskImage.sector - 1) / DiskImage.sector
    let whole = (sectors + chunk - 1) / chunk * chunk
    disk.put(UInt32(whole), at: 0x1F4)
    disk.put(UInt32(image.entry), at: 0x1F8)
    // Flags 0 and 2: memory sizes (in KiB) and the command line.
    var information = [UInt8](repeating: 0, count: DiskImage.sector)
    information.put(0b101, at: 0)
    information.put(640, at: 4)
    information.put(63 << 10, at: 8)
    information.put(DiskImage.information + 64, at: 16)
    let text = Array(commandLine.utf8.prefix(400))
    information.replaceSubrange(64..<64 + text.count, with: text)
    for (index, value) in pieces.enumerated() {
      information.put(value, at: DiskImage.pieces + 4 * index)
    }
    disk += information + payload
    // 16 heads of 63 sectors, whole cylinders.
    let cylinder = 16 * 63 * DiskImage.sector
    let size = (disk.count + chunk * DiskImage.sector + cylinder - 1) / cylinder * cylinder
    disk += [UInt8](repeating: 0, count: size - disk.count)
    bytes = disk
  }

  var cylinders: Int { bytes.count / (16 * 63 * DiskImage.sector) }
}

extension [UInt8] {
  /// Stores a little-endian word.
  fileprivate mutating func put(_ value: UInt32, at offset: Int) {
    for i in 0..<4 { self[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
  }
}
