import Foundation
import GRDB
import Model

/// The database of runs and counterexamples: one SQLite file in WAL mode.
///
/// Several processes may use one file at once: writers wait for each other up to ten seconds,
/// readers wait for nobody. Every method throws `StoreError`.
public final class Store {
  public enum Access: Sendable {
    /// Makes the file if there is none, brings its schema up to date.
    case write
    /// The file must exist; it is not changed, except that an older schema is brought up to date.
    case read
  }

  public let path: String
  let queue: DatabaseQueue

  public init(path: String, access: Access) throws {
    self.path = path
    if access == .read, !FileManager.default.fileExists(atPath: path) {
      throw StoreError.noDatabase(path: path)
    }
    do {
      queue = try Self.open(path, access: access)
    } catch {
      throw StoreError(error, path: path)
    }
  }

  private static func open(_ path: String, access: Access) throws -> DatabaseQueue {
    if access == .read {
      let reader = try DatabaseQueue(path: path, configuration: configuration(readOnly: true))
      switch try reader.read({ try Schema.inspect($0, path: path) }) {
      case .current: return reader
      case .empty: throw StoreError.noDatabase(path: path)
      case .older: break
      }
      try reader.close()
    }
    do {
      let queue = try DatabaseQueue(path: path, configuration: configuration(readOnly: false))
      try queue.writeWithoutTransaction { db in
        // Somebody else's database is left as it is: look before the journal mode is set.
        _ = try Schema.inspect(db, path: path)
        try db.execute(sql: "PRAGMA journal_mode = WAL")
        try Schema.migrate(db, path: path)
      }
      return queue
    } catch let error as DatabaseError
      where access == .read
      && [.SQLITE_READONLY, .SQLITE_CANTOPEN].contains(error.resultCode.primaryResultCode)
    {
      throw StoreError.olderSchema(path: path)
    }
  }

  private static func configuration(readOnly: Bool) -> Configuration {
    var configuration = Configuration()
    configuration.readonly = readOnly
    configuration.busyMode = .timeout(10)
    configuration.prepareDatabase { db in
      // What was announced survives a power failure too.
      if !readOnly { try db.execute(sql: "PRAGMA synchronous = FULL") }
    }
    return configuration
  }

  /// One transaction that writes.
  func write<Value>(_ body: (GRDB.Database) throws -> Value) throws -> Value {
    do {
      return try withoutActuallyEscaping(body) { body in
        try queue.writeWithoutTransaction { db in
          var value: Value?
          try db.inTransaction(.immediate) {
            value = try body(db)
            return .commit
          }
          return value!
        }
      }
    } catch {
      throw StoreError(error, path: path)
    }
  }

  func read<Value>(_ body: (GRDB.Database) throws -> Value) throws -> Value {
    do { return try queue.read(body) } catch { throw StoreError(error, path: path) }
  }
}

/// What is stored of an image: not its bytes.
public struct ImageRecord: Sendable, Equatable {
  /// SHA-256, hexadecimal.
  public var digest: String
  public var arch: String
  public var size: Int
  /// `builtin:NAME` or `file:PATH`.
  public var origin: String

  public init(digest: String, arch: String, size: Int, origin: String) {
    self.digest = digest
    self.arch = arch
    self.size = size
    self.origin = origin
  }
}

/// Now, in UTC, as the database writes times.
func timestamp(_ date: Date = Date()) -> String {
  date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}

/// Now, or right after `last` where a clock that was ahead wrote that: what is said later sorts later.
func timestamp(after last: String) -> String {
  let now = timestamp()
  guard now <= last else { return now }
  let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
  return (try? style.parse(last)).map { timestamp($0.addingTimeInterval(0.001)) } ?? last
}

private let encoder: JSONEncoder = {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return encoder
}()

/// The one JSON text of a value: equal values have equal texts.
func json(_ value: some Encodable) throws -> String {
  String(decoding: try encoder.encode(value), as: UTF8.self)
}

func value<Value: Decodable>(_ type: Value.Type, ofJSON text: String) throws -> Value {
  try JSONDecoder().decode(type, from: Data(text.utf8))
}
