import Foundation

@_silgen_name("swift_demangle")
private func swiftDemangle(
  _ name: UnsafePointer<CChar>, _ length: UInt, _ output: UnsafeMutablePointer<CChar>?,
  _ outputSize: UnsafeMutablePointer<UInt>?, _ flags: UInt32
) -> UnsafeMutablePointer<CChar>?

@_silgen_name("__cxa_demangle")
private func cxxDemangle(
  _ name: UnsafePointer<CChar>, _ output: UnsafeMutablePointer<CChar>?,
  _ length: UnsafeMutablePointer<Int>?, _ status: UnsafeMutablePointer<Int32>?
) -> UnsafeMutablePointer<CChar>?

/// Turns a linker's names of Swift, C++ and Rust functions into what a reader would call them:
/// `core.SpinLock.acquire`, with neither parameters nor result.
enum Demangler {
  /// The readable name, or the name as it is where nothing better is known.
  static func name(of symbol: String) -> String {
    // Longer names come from generated code or from a hostile file; neither is worth the recursion.
    guard symbol.utf8.count < 2000 else { return symbol }
    for prefix in ["$s", "$e", "$S", "_$s", "_$e", "_$S"] where symbol.hasPrefix(prefix) {
      guard let text = swiftDemangle(symbol, UInt(symbol.utf8.count), nil, nil, 0) else { break }
      defer { free(text) }
      return brief(swift: String(cString: text))
    }
    if symbol.hasPrefix("_Z") {
      var status: Int32 = 0
      guard let text = cxxDemangle(symbol, nil, nil, &status) else { return symbol }
      defer { free(text) }
      return brief(cxx: String(cString: text))
    }
    return symbol
  }

  private static func brief(swift name: String) -> String {
    // A private name stands in parentheses, with a hash of its file's name behind it.
    let name = name.replacing(/\(([^()]+) in _[0-9A-F]{32}\)/) { String($0.output.1) }
    var rest = Substring(name)
    for wrapper in ["generic specialization <", "function signature specialization <", "merged "] {
      while rest.hasPrefix(wrapper) {
        if wrapper.hasSuffix("<") {
          guard let inner = rest.range(of: "> of ") else { return name }
          rest = rest[inner.upperBound...]
        } else {
          rest = rest.dropFirst(wrapper.count)
        }
      }
    }
    if rest.hasPrefix("closure #") || rest.hasPrefix("implicit closure #") {
      guard let inner = rest.range(of: " in ", options: .backwards) else { return name }
      let number = rest.prefix { $0 != "(" }.trimmingCharacters(in: .whitespaces)
      return "\(number) in \(withoutSignature(rest[inner.upperBound...]))"
    }
    if rest.hasPrefix("static ") { rest = rest.dropFirst("static ".count) }
    return withoutSignature(rest)
  }

  private static func brief(cxx name: String) -> String {
    var rest = withoutSignature(Substring(name))
    // Rust's older scheme ends in a hash that changes with every build.
    if let hash = rest.range(of: "::h[0-9a-f]{16}$", options: .regularExpression) {
      rest.removeSubrange(hash)
    }
    return rest
  }

  /// Everything before the parameter list; a parenthesis that opens the name stays
  /// (`(extension in core):…`, `(anonymous namespace)::…`).
  private static func withoutSignature(_ name: Substring) -> String {
    var depth = 0
    var previous: Character = " "
    for index in name.indices {
      let character = name[index]
      switch character {
      case "(":
        let follows = name[index...]
        let isPartOfName =
          index == name.startIndex || follows.hasPrefix("(anonymous") || previous == ":"
        if depth == 0 && !isPartOfName {
          return name[..<index].trimmingCharacters(in: .whitespaces)
        }
        depth += 1
      case ")": depth -= 1
      default: break
      }
      previous = character
    }
    return String(name)
  }
}
