/// Reads an expression by C's precedences, with `==>` (implies) below `||`.
struct ExpressionParser {
  private enum Token: Equatable {
    case number(Int64)
    case name(String)
    case sign(String)
    case end
  }

  private let characters: [Character]
  private var at = 0
  private var token = Token.end
  /// Where the token begins.
  private var start = 0
  private var nesting = 0

  init(_ text: String) { characters = Array(text) }

  mutating func parse() throws -> Expression.Node {
    try next()
    let node = try conditional()
    guard token == .end else { throw problem("unexpected \(described)") }
    return node
  }

  private func problem(_ message: String) -> Expression.Problem {
    Expression.Problem(message: message, character: start + 1)
  }

  private var described: String {
    switch token {
    case .number(let value): "number \(value)"
    case .name(let name): "name '\(name)'"
    case .sign(let sign): "'\(sign)'"
    case .end: "end"
    }
  }

  // MARK: Tokens

  private static let signs = [
    "==>", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "(", ")", "[", "]", "?", ":", "+", "-",
    "*", "/", "%", "<", ">", "&", "|", "^", "!", "~", ",",
  ]

  private mutating func next() throws {
    while at < characters.count, characters[at].isWhitespace { at += 1 }
    start = at
    guard at < characters.count else {
      token = .end
      return
    }
    let first = characters[at]
    if first.isNumber {
      try number()
    } else if first == "`" {
      guard let close = characters[(at + 1)...].firstIndex(of: "`") else {
        throw problem("a backquote is not closed")
      }
      token = .name(String(characters[(at + 1)..<close]))
      at = close + 1
    } else if first.isLetter || first == "_" || first == "$" || first == "." {
      while at < characters.count,
        characters[at].isLetter || characters[at].isNumber || "_$.@".contains(characters[at])
      {
        at += 1
      }
      token = .name(String(characters[start..<at]))
    } else {
      let rest = String(characters[at..<min(at + 3, characters.count)])
      guard let sign = Self.signs.first(where: { rest.hasPrefix($0) }) else {
        throw problem(
          first == "="
            ? "'=' assigns; compare with '=='" : "unexpected character '\(first)'")
      }
      token = .sign(sign)
      at += sign.count
    }
  }

  private mutating func number() throws {
    while at < characters.count, characters[at].isLetter || characters[at].isNumber { at += 1 }
    var digits = String(characters[start..<at]).lowercased()
    while let last = digits.last, "ul".contains(last) { digits.removeLast() }
    let value: UInt64? =
      if digits.hasPrefix("0x") {
        UInt64(digits.dropFirst(2), radix: 16)
      } else if digits.hasPrefix("0b") {
        UInt64(digits.dropFirst(2), radix: 2)
      } else if digits.hasPrefix("0"), digits.count > 1 {
        UInt64(digits.dropFirst(), radix: 8)
      } else {
        UInt64(digits)
      }
    guard let value else {
      throw problem("'\(String(characters[start..<at]))' is not a number of up to 64 bits")
    }
    token = .number(Int64(bitPattern: value))
  }

  private mutating func take(_ sign: String) throws -> Bool {
    guard token == .sign(sign) else { return false }
    try next()
    return true
  }

  private mutating func expect(_ sign: String) throws {
    guard try take(sign) else { throw problem("expected '\(sign)', found \(described)") }
  }

  // MARK: Precedences

  private mutating func conditional() throws -> Expression.Node {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting < 100 else { throw problem("nested too deeply") }
    let condition = try implication()
    guard try take("?") else { return condition }
    let first = try conditional()
    try expect(":")
    return .choice(condition, first, try conditional())
  }

  private mutating func implication() throws -> Expression.Node {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting < 100 else { throw problem("nested too deeply") }
    let left = try binary(0)
    guard try take("==>") else { return left }
    return .binary("||", .unary("!", left), try implication())
  }

  private static let levels = [
    ["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", "<=", ">", ">="], ["<<", ">>"],
    ["+", "-"], ["*", "/", "%"],
  ]

  private mutating func binary(_ level: Int) throws -> Expression.Node {
    guard level < Self.levels.count else { return try unary() }
    var left = try binary(level + 1)
    while case .sign(let sign) = token, Self.levels[level].contains(sign) {
      try next()
      left = .binary(sign, left, try binary(level + 1))
    }
    return left
  }

  private mutating func unary() throws -> Expression.Node {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting < 100 else { throw problem("nested too deeply") }
    guard case .sign(let sign) = token, ["!", "~", "-", "+", "&"].contains(sign) else {
      return try primary()
    }
    try next()
    if sign == "&" {
      guard case .name(let name) = token else { throw problem("'&' needs a symbol") }
      try next()
      return .address(name)
    }
    let operand = try unary()
    return sign == "+" ? operand : .unary(sign, operand)
  }

  private static let widths: [String: (Int, Bool)] = [
    "u8": (1, false), "u16": (2, false), "u32": (4, false), "u64": (8, false),
    "s8": (1, true), "s16": (2, true), "s32": (4, true), "s64": (8, true),
  ]

  private mutating func primary() throws -> Expression.Node {
    if case .number(let value) = token {
      try next()
      return .number(value)
    }
    if try take("(") {
      let node = try conditional()
      try expect(")")
      return node
    }
    guard case .name(let name) = token else {
      throw problem("expected a symbol, a number or '(', found \(described)")
    }
    let isQuoted = characters[start] == "`"
    try next()
    if try take("[") {
      let index = try conditional()
      try expect("]")
      return .element(name, index)
    }
    if !isQuoted, name == "cpus" { return .cpus }
    guard token == .sign("(") else { return .variable(name) }
    guard !isQuoted, Self.widths[name] != nil || name == "interrupts" || name == "held" else {
      throw problem(
        "there is no function '\(name)' in expressions: u8, u16, u32, u64, s8, s16, s32, s64, "
          + "interrupts and held are there")
    }
    try next()
    if name == "held" {
      _ = try take("&")
      guard case .name(let lock) = token else { throw problem("held() needs a lock's symbol") }
      try next()
      try expect(")")
      return .held(lock)
    }
    let operand = try conditional()
    try expect(")")
    if let (size, isSigned) = Self.widths[name] {
      return .bytes(size, isSigned, try address(operand))
    }
    return .interrupts(operand)
  }

  /// Within `u32(…)` the first name is a symbol's address, not its value.
  private func address(_ node: Expression.Node) throws -> Expression.Node {
    switch node {
    case .variable(let name): return .address(name)
    case .address: return node
    case .binary(let sign, let left, let right) where sign == "+" || sign == "-":
      return .binary(sign, try address(left), right)
    default: throw problem("an address begins with a symbol, as in u32(symbol + 4)")
    }
  }
}
