/// What an object file, or an archive of them, is for.
struct ObjectFile {
  enum Architecture: String {
    case i386
    case x64 = "x86-64"

    /// What linkers call it.
    var emulation: String { self == .i386 ? "elf_i386" : "elf_x86_64" }
  }

  let path: String
  let architecture: Architecture

  /// Reads as much of a file as tells what it is. System V ABI chapter 4; `ar` format.
  init(_ path: String) throws {
    self.path = path
    let bytes = try readFile(path, limit: 1 << 30)
    guard
      let found = bytes.starts(with: Array("!<arch>\n".utf8))
        ? try Self.ofArchive(bytes, path) : try Self.ofObject(bytes[...], path)
    else { throw Failure("\(path): the archive has no object file in it") }
    architecture = found
  }

  private static func ofObject(_ bytes: ArraySlice<UInt8>, _ path: String) throws -> Architecture? {
    let start = bytes.startIndex
    guard bytes.count >= 20, bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
      if bytes.starts(with: [0x42, 0x43, 0xC0, 0xDE]) {
        throw Failure("\(path): LLVM bitcode, not machine code; compile it without -flto")
      }
      throw Failure("\(path): neither an ELF object file nor an archive")
    }
    switch Int(bytes[start + 16]) | Int(bytes[start + 17]) << 8 {
    case 1: break
    case 2, 3:
      throw Failure("\(path): linked already; name it as `{file: …}`, not under `objects`")
    case let type: throw Failure("\(path): ELF type \(type) is no object file")
    }
    switch Int(bytes[start + 18]) | Int(bytes[start + 19]) << 8 {
    case 3: return .i386
    case 62: return .x64
    case let machine:
      throw Failure("\(path): for machine \(machine); LockLab runs i386 (3) and x86-64 (62)")
    }
  }

  /// The machine of an archive's first object file.
  private static func ofArchive(_ bytes: [UInt8], _ path: String) throws -> Architecture? {
    var at = 8
    while at + 60 <= bytes.count {
      let text = String(decoding: bytes[(at + 48)..<(at + 58)], as: UTF8.self)
      guard let size = Int(text.prefix { $0 != " " }), size >= 0, at + 60 + size <= bytes.count
      else { throw Failure("\(path): the archive is cut off or damaged at byte \(at)") }
      let member = bytes[(at + 60)..<(at + 60 + size)]
      // The symbol table and the table of long names are `/…`.
      if bytes[at] != 0x2F || (bytes[at + 1] >= 0x30 && bytes[at + 1] <= 0x39) {
        return try ofObject(member, path)
      }
      at += 60 + size + size % 2
    }
    return nil
  }
}
