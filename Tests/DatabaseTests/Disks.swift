import Foundation

/// File systems of a test's own. They need the superuser; without, the test has nothing to show.
enum SmallDisk {
  static func with(kilobytes: Int, _ body: (String) throws -> Void) throws {
    let folder = try Folder()
    let disk = folder.path("disk")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
    guard Mount.run("mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", disk) else {
      return
    }
    defer { _ = Mount.run("umount", "-l", disk) }
    try body(disk)
  }
}

enum ReadOnlyMount {
  /// The file, copied to a disk that cannot be written any more.
  static func with(_ file: String, _ body: (String) throws -> Void) throws {
    try SmallDisk.with(kilobytes: 4096) { disk in
      let copy = disk + "/locklab.db"
      try FileManager.default.copyItem(atPath: file, toPath: copy)
      guard Mount.run("mount", "-o", "remount,ro", disk) else { return }
      try body(copy)
    }
  }
}

private enum Mount {
  static func run(_ command: String...) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
