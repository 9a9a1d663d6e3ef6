import Foundation
import Testing

/// An ELF image that clang makes when a test asks for it.
enum CompiledImage {
  struct Failed: Error { var message: String }

  static func build(
    _ source: String, suffix: String = "c", target: String = "i686-unknown-none-elf",
    flags: [String] = ["-g", "-O1"]
  ) throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("locklab-image-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try source.write(
      to: folder.appendingPathComponent("kernel.\(suffix)"), atomically: true, encoding: .utf8)
    try run(
      ["clang", "-target", target, "-ffreestanding", "-c", "kernel.\(suffix)", "-o", "kernel.o"]
        + flags, in: folder)
    try run(["ld.lld", "-static", "-e", "_start", "kernel.o", "-o", "kernel.elf"], in: folder)
    return [UInt8](try Data(contentsOf: folder.appendingPathComponent("kernel.elf")))
  }

  private static func run(_ arguments: [String], in folder: URL) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.currentDirectoryURL = folder
    process.arguments = arguments
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let message = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failed(message: String(decoding: message, as: UTF8.self))
    }
  }

  /// `outer` calls `middle`, into which `inner` is inlined; `inner` faults on its line 3.
  static let nested = """
    static inline __attribute__((always_inline)) unsigned inner(unsigned *p) {
      asm volatile("" : : : "memory");
      *p += 1;
      return *p;
    }
    __attribute__((noinline)) unsigned middle(unsigned *p) {
      unsigned room[8];
      asm volatile("" : : "r"(room) : "memory");
      return inner(p) + 1;
    }
    unsigned counter[4];
    __attribute__((noinline)) unsigned outer(void) {
      return middle(&counter[1]) * 3;
    }
    void _start(void) { for (;;) outer(); }
    """
}
