import Foundation
import GRDB

/// What can be wrong with a database; each says what to do about it.
public enum StoreError: Error, Equatable {
  /// No file, where one is needed.
  case noDatabase(path: String)
  case noFolder(path: String)
  case isFolder(path: String)
  case notADatabase(path: String)
  /// A database, but another program's.
  case foreign(path: String)
  /// Written by a later version of LockLab.
  case newerSchema(path: String, found: Int, known: Int)
  case olderSchema(path: String)
  case readOnly(path: String)
  case diskFull(path: String)
  case busy(path: String)
  case damaged(path: String, detail: String)
  case other(path: String, detail: String)
  case noCounterexample(reference: String)
  case noRun(reference: String)
  /// A file that would be overwritten.
  case exists(path: String)
  /// A file that is no export of counterexamples, or a bad one.
  case badExport(path: String, detail: String)
  case ambiguous(reference: String, candidates: [Int64])
  /// A query that is no single SELECT, or that SQLite refuses.
  case query(detail: String)
  case queryTooLong(seconds: Double)
}

extension StoreError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noDatabase(let path):
      "\(path): no such database; `locklab check --db \(path)` makes one"
    case .noFolder(let path):
      "\(path): its folder does not exist; make the folder or name another file with --db"
    case .isFolder(let path):
      "\(path): is a folder; name a file in it with --db"
    case .notADatabase(let path):
      "\(path): not an SQLite database; name another file with --db"
    case .foreign(let path):
      "\(path): an SQLite database of another program, left as it is; name another file with --db"
    case .newerSchema(let path, let found, let known):
      "\(path): written by a newer LockLab (schema \(found), this one knows \(known)); "
        + "update LockLab or name another file with --db"
    case .olderSchema(let path):
      "\(path): of an older schema, and the file cannot be written to bring it up to date; "
        + "make the file and its folder writable, or copy it"
    case .readOnly(let path):
      "\(path): cannot be written; make the file and its folder writable, "
        + "or name another file with --db"
    case .diskFull(let path):
      "\(path): the disk is full; free some space or name a file on another disk with --db"
    case .busy(let path):
      "\(path): another process keeps the database locked; wait until it has ended and try again"
    case .damaged(let path, let detail):
      "\(path): the database is damaged (\(detail)); restore a backup, "
        + "or save what can be read with `sqlite3 FILE .recover`"
    case .other(let path, let detail):
      "\(path): \(detail)"
    case .noCounterexample(let reference):
      "no counterexample '\(reference)'; `locklab query` lists them"
    case .noRun(let reference):
      "no run '\(reference)'; `locklab query runs` lists them"
    case .exists(let path):
      "\(path): exists already; name another file, or say --overwrite"
    case .badExport(let path, let detail):
      "\(path): not a file of counterexamples that can be imported: \(detail)"
    case .ambiguous(let reference, let candidates):
      "'\(reference)' fits several counterexamples: "
        + candidates.map(String.init).joined(separator: ", ")
    case .query(let detail):
      detail
    case .queryTooLong(let seconds):
      "the query was stopped after \(Int(seconds)) s; narrow it or add LIMIT"
    }
  }
}

extension StoreError {
  /// Says what an SQLite error means for the database at `path`.
  init(_ error: any Error, path: String) {
    if let known = error as? StoreError {
      self = known
      return
    }
    guard let error = error as? DatabaseError else {
      self = .other(path: path, detail: "\(error)")
      return
    }
    self.init(
      code: error.resultCode.rawValue, detail: error.message ?? "\(error.resultCode)", path: path)
  }

  init(code: Int32, detail: String, path: String) {
    switch ResultCode(rawValue: code).primaryResultCode {
    case .SQLITE_NOTADB: self = .notADatabase(path: path)
    case .SQLITE_READONLY, .SQLITE_PERM: self = .readOnly(path: path)
    case .SQLITE_FULL: self = .diskFull(path: path)
    case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy(path: path)
    case .SQLITE_CORRUPT: self = .damaged(path: path, detail: detail)
    case .SQLITE_CANTOPEN: self = Self.whyNotOpened(path)
    // Some writes fail in other ways where there is no room.
    case .SQLITE_IOERR where Self.isDiskFull(path): self = .diskFull(path: path)
    default: self = .other(path: path, detail: detail)
    }
  }

  private static func isDiskFull(_ path: String) -> Bool {
    var disk = statvfs()
    guard statvfs(URL(fileURLWithPath: path).deletingLastPathComponent().path, &disk) == 0 else {
      return false
    }
    return UInt64(disk.f_bavail) * UInt64(disk.f_frsize) < 64 << 10
  }

  private static func whyNotOpened(_ path: String) -> StoreError {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
      return isFolder.boolValue ? .isFolder(path: path) : .readOnly(path: path)
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    if FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue {
      return .readOnly(path: path)
    }
    return .noFolder(path: path)
  }
}
