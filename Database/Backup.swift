import Foundation
import GRDB

extension Store {
  /// Copies the whole database to a new file while others go on using it (SQLite's online backup).
  ///
  /// The copy is made beside `file`, checked, and then moved there: `file` is never half a database.
  /// An existing file is only replaced if `overwrite` says so, and never by itself.
  public func backUp(to file: String, overwrite: Bool) throws {
    let target = URL(fileURLWithPath: file)
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: file, isDirectory: &isFolder) {
      guard !isFolder.boolValue else { throw StoreError.isFolder(path: file) }
      guard
        target.resolvingSymlinksInPath() != URL(fileURLWithPath: path).resolvingSymlinksInPath()
      else { throw StoreError.other(path: file, detail: "is the database itself") }
      guard overwrite else { throw StoreError.exists(path: file) }
    }
    let copy = target.deletingLastPathComponent()
      .appendingPathComponent(".\(target.lastPathComponent).\(UUID().uuidString)").path
    defer {
      for suffix in ["", "-journal", "-wal", "-shm"] {
        try? FileManager.default.removeItem(atPath: copy + suffix)
      }
    }
    do {
      let destination = try DatabaseQueue(path: copy)
      try queue.backup(to: destination)
      try destination.writeWithoutTransaction { db in
        // One file, with nothing beside it.
        try db.execute(sql: "PRAGMA journal_mode = DELETE")
        let faults = try String.fetchAll(db, sql: "PRAGMA integrity_check(1)")
        guard faults == ["ok"] else {
          throw StoreError.damaged(path: path, detail: faults.first ?? "unknown")
        }
      }
      try destination.close()
    } catch {
      throw StoreError(error, path: file)
    }
    guard rename(copy, file) == 0 else {
      throw StoreError.other(path: file, detail: String(cString: strerror(errno)).lowercased())
    }
  }
}
