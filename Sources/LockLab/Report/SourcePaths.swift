import Foundation

/// Makes paths relative to the root of the sources, so that a report means the same on any machine.
struct SourcePaths {
  private let roots: [String]

  /// - Parameter root: The folder of the sources, as debugging information names it; nil: the
  ///   current one. Files of the current folder are known in any case.
  init(root: String?) {
    let current = FileManager.default.currentDirectoryPath
    roots = ([root] + [current]).compactMap { $0 }.map {
      URL(fileURLWithPath: $0).standardizedFileURL.path
    }
  }

  /// The path from a root, with `/` and without `.` or `..`; nil where it lies outside. A path that
  /// is not absolute counts from the root.
  func relative(_ path: String) -> String? {
    guard path.hasPrefix("/") else { return Self.clean(path[...]) }
    guard let whole = Self.clean(path.dropFirst()) else { return nil }
    for root in roots {
      let prefix = root == "/" ? "" : root.dropFirst() + "/"
      if whole.hasPrefix(prefix) { return Self.clean(whole.dropFirst(prefix.count)) }
    }
    return nil
  }

  private static func clean(_ path: Substring) -> String? {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == ".." {
        guard parts.popLast() != nil else { return nil }
      } else {
        parts.append(part)
      }
    }
    return parts.isEmpty ? nil : parts.joined(separator: "/")
  }

  /// A relative path as a URI reference (RFC 3986): whatever is not unreserved is percent-encoded.
  static func uri(_ path: String) -> String {
    path.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
        String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }.joined()
  }
}
