import Foundation
import GRDBSQLite

/// A value of a query's result.
public enum SQLValue: Sendable, Equatable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])
}

public struct Rows: Sendable, Equatable {
  public var columns: [String]
  public var rows: [[SQLValue]]
  /// There were more rows than asked for.
  public var isCut = false

  public init(columns: [String], rows: [[SQLValue]]) {
    self.columns = columns
    self.rows = rows
  }
}

/// Runs SQL that a person typed: one SELECT that can neither write, nor attach, nor run away.
///
/// Five fences: the connection is read-only, `query_only` is on, an authorizer refuses whatever is
/// not reading, a progress handler stops the statement when its time is up, and neither a value nor
/// the rows together can grow beyond a bound.
public final class ReadOnlyQuery {
  private let path: String
  private var connection: OpaquePointer?
  private let seconds: Double
  /// Of one value, and of all that is returned.
  private static let valueLimit: Int32 = 64 << 20
  private static let resultLimit = 512 << 20
  fileprivate var deadline = ContinuousClock.now

  /// The database must exist and be of the present schema: `Store` with access `.read` checks it.
  public init(path: String, seconds: Double = 30) throws {
    self.path = path
    self.seconds = seconds
    let code = sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY, nil)
    guard code == SQLITE_OK else {
      defer { sqlite3_close_v2(connection) }
      throw StoreError(code: code, detail: message, path: path)
    }
    sqlite3_busy_timeout(connection, 10_000)
    sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, Self.valueLimit)
    sqlite3_limit(connection, SQLITE_LIMIT_ATTACHED, 0)
    sqlite3_exec(connection, "PRAGMA query_only = ON", nil, nil, nil)
    // Whoever looks at every row of a large table should not ask the system for each page anew.
    sqlite3_exec(connection, "PRAGMA cache_size = -65536", nil, nil, nil)
    // These declare what they are like when they are first used, as one makes a table, which the
    // authorizer refuses; lists are JSON.
    sqlite3_exec(
      connection, "SELECT 1 FROM json_each('[]'); SELECT 1 FROM json_tree('[]')", nil, nil, nil)
    sqlite3_set_authorizer(
      connection,
      { _, action, _, name, _, _ in
        switch action {
        case SQLITE_SELECT, SQLITE_READ, SQLITE_RECURSIVE: return SQLITE_OK
        case SQLITE_FUNCTION:
          let isLoader = name.map { String(cString: $0).lowercased() == "load_extension" } ?? true
          return isLoader ? SQLITE_DENY : SQLITE_OK
        default: return SQLITE_DENY
        }
      }, nil)
    let clock = Unmanaged.passUnretained(self).toOpaque()
    sqlite3_progress_handler(
      connection, 10_000,
      { context in
        let query = Unmanaged<ReadOnlyQuery>.fromOpaque(context!).takeUnretainedValue()
        return ContinuousClock.now > query.deadline ? 1 : 0
      }, clock)
  }

  deinit { sqlite3_close_v2(connection) }

  private var message: String {
    connection.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory"
  }

  /// The rows of a SELECT; `arguments` are named parameters without their colon.
  public func rows(
    of sql: String, arguments: [String: SQLValue] = [:], limit: Int? = nil
  ) throws -> Rows {
    deadline = .now + .seconds(seconds)
    let statement = try prepare(sql)
    defer { sqlite3_finalize(statement) }
    for (name, value) in arguments {
      let index = sqlite3_bind_parameter_index(statement, ":\(name)")
      if index > 0 { bind(value, at: index, in: statement) }
    }
    let columns = (0..<sqlite3_column_count(statement)).map {
      sqlite3_column_name(statement, $0).map { String(cString: $0) } ?? ""
    }
    var result = Rows(columns: columns, rows: [])
    var bytes = 0
    while true {
      let code = sqlite3_step(statement)
      if code == SQLITE_DONE { return result }
      guard code == SQLITE_ROW else { throw failure(code) }
      if let limit, result.rows.count == limit {
        result.isCut = true
        return result
      }
      result.rows.append((0..<Int32(columns.count)).map { value(at: $0, of: statement) })
      bytes += (0..<Int32(columns.count)).reduce(0) {
        $0 + 16 + Int(sqlite3_column_bytes(statement, $1))
      }
      guard bytes <= Self.resultLimit else {
        throw StoreError.query(
          detail: "the result is larger than \(Self.resultLimit >> 20) MB; add LIMIT")
      }
    }
  }

  private func prepare(_ sql: String) throws -> OpaquePointer? {
    var statement: OpaquePointer?
    let (code, rest) = sql.withCString { text in
      var tail: UnsafePointer<CChar>?
      let code = sqlite3_prepare_v2(connection, text, -1, &statement, &tail)
      return (code, tail.map { String(cString: $0) } ?? "")
    }
    guard code == SQLITE_OK else { throw failure(code) }
    guard let statement else { throw StoreError.query(detail: "the query is empty") }
    guard isBlank(rest) else {
      sqlite3_finalize(statement)
      throw StoreError.query(detail: "one statement at a time: what follows the first ';' is left")
    }
    guard sqlite3_stmt_readonly(statement) != 0, sqlite3_column_count(statement) > 0 else {
      sqlite3_finalize(statement)
      throw StoreError.query(detail: "only SELECT is allowed here")
    }
    return statement
  }

  /// Whether only white space, comments and semicolons are left: SQLite compiles that to nothing.
  private func isBlank(_ sql: String) -> Bool {
    var rest = sql
    while true {
      var statement: OpaquePointer?
      let (isNothing, tail) = rest.withCString { text in
        var tail: UnsafePointer<CChar>?
        let code = sqlite3_prepare_v2(connection, text, -1, &statement, &tail)
        return (code == SQLITE_OK && statement == nil, tail.map { String(cString: $0) } ?? "")
      }
      sqlite3_finalize(statement)
      guard isNothing else { return false }
      if tail.isEmpty || tail.utf8.count >= rest.utf8.count { return true }
      rest = tail
    }
  }

  private func failure(_ code: Int32) -> StoreError {
    switch code & 0xFF {
    case SQLITE_AUTH: .query(detail: "only SELECT over the database's tables is allowed here")
    case SQLITE_INTERRUPT: .queryTooLong(seconds: seconds)
    case SQLITE_TOOBIG: .query(detail: "a value would be larger than \(Self.valueLimit >> 20) MB")
    case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_CANTOPEN, SQLITE_IOERR,
      SQLITE_NOMEM:
      StoreError(code: code, detail: message, path: path)
    default: .query(detail: "SQL: \(message)")
    }
  }

  private func bind(_ value: SQLValue, at index: Int32, in statement: OpaquePointer?) {
    let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    switch value {
    case .null: sqlite3_bind_null(statement, index)
    case .integer(let number): sqlite3_bind_int64(statement, index, number)
    case .real(let number): sqlite3_bind_double(statement, index, number)
    case .text(let text):
      sqlite3_bind_text(statement, index, text, Int32(text.utf8.count), transient)
    case .blob(let bytes):
      sqlite3_bind_blob(statement, index, bytes, Int32(bytes.count), transient)
    }
  }

  private func value(at column: Int32, of statement: OpaquePointer?) -> SQLValue {
    switch sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, column))
    case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, column))
    case SQLITE_TEXT:
      // A NUL is a character like others.
      let start = sqlite3_column_text(statement, column)
      let count = Int(sqlite3_column_bytes(statement, column))
      return .text(String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self))
    case SQLITE_BLOB:
      let count = Int(sqlite3_column_bytes(statement, column))
      guard count > 0, let bytes = sqlite3_column_blob(statement, column) else { return .blob([]) }
      return .blob(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
    default: return .null
    }
  }
}
