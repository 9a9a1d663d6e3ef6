import Database
import Foundation

extension SQLValue {
  var text: String {
    switch self {
    case .null: ""
    case .integer(let number): String(number)
    case .real(let number): String(format: "%g", number)
    case .text(let text): text
    case .blob(let bytes): "x'" + bytes.map { String(format: "%02x", $0) }.joined() + "'"
    }
  }

  var isNumber: Bool {
    switch self {
    case .integer, .real: true
    default: false
    }
  }
}

/// A query's rows as data for other programs.
enum RowsText {
  /// An array of objects; keys in the order of the columns.
  static func json(_ rows: Rows) -> String {
    let objects = rows.rows.map { row in
      "  {"
        + zip(rows.columns, row).map { "\(quoted($0)): \(literal($1))" }.joined(separator: ", ")
        + "}"
    }
    return objects.isEmpty ? "[]" : "[\n\(objects.joined(separator: ",\n"))\n]"
  }

  /// RFC 4180, with the columns' names in the first line. CSV has no escapes: text is as it is, unless
  /// a terminal is to show it.
  static func csv(_ rows: Rows, forTerminal: Bool = false) -> String {
    var lines = [rows.columns] + rows.rows.map { $0.map(\.text) }
    if forTerminal { lines = lines.map { $0.map(printable) } }
    return lines.map { $0.map(field).joined(separator: ",") + "\r\n" }.joined()
  }

  private static func field(_ text: String) -> String {
    let needsQuotes = text.unicodeScalars.contains { "\",\r\n".unicodeScalars.contains($0) }
    return needsQuotes ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
  }

  private static func literal(_ value: SQLValue) -> String {
    switch value {
    case .null: "null"
    case .integer(let number): String(number)
    case .real(let number): number.isFinite ? "\(number)" : "null"
    case .text, .blob: quoted(value.text)
    }
  }

  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    let json = (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    return printableJSON(json)
  }
}
