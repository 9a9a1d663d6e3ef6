import Foundation
import Yams

/// What is wrong with a job file, and where.
struct JobError: Error, CustomStringConvertible {
  /// Counted from 1.
  struct Place: Equatable {
    var line: Int
    var column: Int
  }

  var file: String
  var place: Place?
  var message: String

  var description: String {
    place.map { "\(file):\($0.line):\($0.column): \(message)" } ?? "\(file): \(message)"
  }
}

extension Node {
  var place: JobError.Place? { mark.map { .init(line: $0.line, column: $0.column) } }
}

/// A node of a job file that is read strictly: every key and every type must be one that is known.
struct JobNode {
  let node: Node
  let file: String

  func error(_ message: String) -> JobError {
    JobError(file: file, place: node.place, message: message)
  }

  private func expected(_ what: String) -> JobError {
    error("expected \(what), found \(kind)")
  }

  private var kind: String {
    switch node {
    case .mapping: return "a mapping"
    case .sequence: return "a list"
    case .alias: return "an alias"
    case .scalar(let scalar):
      switch resolved(scalar) {
      case .null: return "nothing"
      case .int, .float: return "the number \(scalar.string)"
      case .bool: return "the truth value \(scalar.string)"
      default: return "'\(scalar.string)'"
      }
    }
  }

  /// What YAML takes an unquoted scalar for.
  private func resolved(_ scalar: Node.Scalar) -> Tag.Name {
    guard scalar.style == .plain || scalar.style == .any else { return .str }
    return Resolver.default.resolveTag(of: node)
  }

  // MARK: Scalars

  func text() throws -> String {
    guard case .scalar(let scalar) = node else { throw expected("a text") }
    switch resolved(scalar) {
    case .null: throw expected("a text")
    case .int, .float, .bool, .timestamp:
      throw error("expected a text, found \(kind); put it in quotes if that is meant")
    default: break
    }
    guard !scalar.string.isEmpty else { throw error("expected a text, found an empty one") }
    return scalar.string
  }

  /// Whether this is this word.
  func isScalar(_ word: String) -> Bool {
    if case .scalar(let scalar) = node { scalar.string == word } else { false }
  }

  /// A file, relative to the job's folder.
  func path() throws -> String {
    let path = try text()
    if path.hasPrefix("/") { return path }
    return URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent(path)
      .relativePath
  }

  /// A scalar's characters, whatever YAML takes them for.
  func characters() throws -> String {
    guard case .scalar(let scalar) = node else { throw expected("a text") }
    return scalar.string
  }

  func number(_ range: ClosedRange<Int>) throws -> Int {
    guard case .scalar(let scalar) = node, resolved(scalar) == .int else {
      throw expected("a number")
    }
    let digits = scalar.string.replacing("_", with: "")
    let value = digits.hasPrefix("0x") ? Int(digits.dropFirst(2), radix: 16) : Int(digits)
    guard let value, range.contains(value) else {
      let bounds =
        range.upperBound == .max
        ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
      throw error("\(scalar.string) is out of range: \(bounds)")
    }
    return value
  }

  func truth() throws -> Bool {
    guard case .scalar(let scalar) = node, resolved(scalar) == .bool else {
      throw expected("true or false")
    }
    switch scalar.string.lowercased() {
    case "true": return true
    case "false": return false
    default: throw expected("true or false")
    }
  }

  /// A number, or nil for the word `unlimited`.
  func bound() throws -> Int? {
    if case .scalar(let scalar) = node, scalar.string == "unlimited" { return nil }
    guard case .scalar(let scalar) = node, resolved(scalar) == .int else {
      throw expected("a number or 'unlimited'")
    }
    return try number(0...Int.max)
  }

  /// Bytes: a number, or one with K, M or G behind it.
  func byteCount() throws -> Int {
    guard case .scalar(let scalar) = node else { throw expected("a size such as 32M") }
    guard let bytes = ByteCount.parse(scalar.string), bytes > 0 else {
      throw error("'\(scalar.string)' is not a size; write bytes, or 64K, 32M, 1G")
    }
    return bytes
  }

  /// Bytes in hexadecimal, blanks between them if wanted: `90 90`.
  func hexBytes() throws -> [UInt8] {
    let digits = try characters().filter { !$0.isWhitespace }
    let values = stride(from: 0, to: digits.count, by: 2).map { offset in
      UInt8(digits.dropFirst(offset).prefix(2), radix: 16)
    }
    guard !digits.isEmpty, digits.count % 2 == 0, digits.allSatisfy(\.isHexDigit) else {
      throw error("expected bytes in hexadecimal, as in \"90 90\"")
    }
    return values.compactMap { $0 }
  }

  func choice(_ names: [String], what: String) throws -> String {
    let name = try text()
    guard names.contains(name) else {
      throw error(
        "'\(name)' is no \(what)\(Suggestion.hint(for: name, among: names)) "
          + "(\(names.joined(separator: ", ")))")
    }
    return name
  }

  // MARK: Collections

  func list() throws -> [JobNode] {
    guard case .sequence(let sequence) = node else { throw expected("a list") }
    return sequence.map { JobNode(node: $0, file: file) }
  }

  /// A list, or one item alone.
  func items() throws -> [JobNode] {
    if case .sequence = node { return try list() }
    return [self]
  }

  /// The entries of a mapping whose keys are free names.
  func entries() throws -> [(key: JobNode, value: JobNode)] {
    guard case .mapping(let mapping) = node else { throw expected("a mapping") }
    return mapping.map { (JobNode(node: $0.key, file: file), JobNode(node: $0.value, file: file)) }
  }

  /// The entries of a mapping whose keys are all among `known`.
  func fields(_ known: [String], of what: String) throws -> [String: JobNode] {
    var fields: [String: JobNode] = [:]
    for (key, value) in try entries() {
      let name = try key.text()
      guard known.contains(name) else {
        let hint = Suggestion.hint(for: name, among: known)
        throw key.error(
          "unknown key '\(name)' in \(what)"
            + (hint.isEmpty ? " (known: \(known.sorted().joined(separator: ", ")))" : hint))
      }
      fields[name] = value
    }
    return fields
  }

  var isMapping: Bool { if case .mapping = node { true } else { false } }
}
