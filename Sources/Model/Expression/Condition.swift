import Emulator

/// An expression whose symbols have been found in an image, ready to be evaluated.
struct Condition {
  let expression: Expression
  var text: String { expression.text }
  private let root: Node
  /// What it reads: each variable, array element or address, as it is written.
  let terms: [(text: String, node: Node)]
  /// The memory that it may read: linear address and bytes.
  let extents: [(address: UInt64, size: Int)]

  indirect enum Node {
    case number(Int64)
    /// `size` bytes within `low..<high`, at `low + offset`.
    case load(low: UInt64, high: UInt64, offset: Node, size: Int, isSigned: Bool)
    case interrupts(Node)
    case held(UInt64)
    case unary(String, Node)
    case binary(String, Node, Node)
    case choice(Node, Node, Node)
  }

  /// Why an expression has no value, in words.
  struct NoValue: Error { var reason: String }

  init(_ expression: Expression, image: PreparedImage, cpus: Int) throws {
    self.expression = expression
    var resolver = Resolver(image: image, cpus: cpus)
    root = try resolver.resolve(expression.root)
    terms = resolver.terms
    extents = resolver.extents
  }

  func value(in world: World) throws -> Int64 { try Self.value(root, world) }

  /// `a = 3, b[1] = 0`.
  func values(in world: World) -> String {
    terms.map { term in
      "\(term.text) = " + ((try? Self.value(term.node, world)).map { String($0) } ?? "?")
    }.joined(separator: ", ")
  }

  private static func value(_ node: Node, _ world: World) throws -> Int64 {
    switch node {
    case .number(let value): return value
    case .load(let low, let high, let offset, let size, let isSigned):
      let at = low &+ UInt64(bitPattern: try value(offset, world))
      guard at >= low, at < high, high - at >= UInt64(size) else {
        throw NoValue(
          reason: "0x\(String(at, radix: 16)) is outside `\(world.image.symbols.describe(low))`")
      }
      guard let raw = world.read(linear: at, size: size) else {
        throw NoValue(reason: "0x\(String(at, radix: 16)) is not mapped")
      }
      let unused = UInt64(64 - 8 * size)
      return isSigned
        ? Int64(bitPattern: raw << unused) >> Int64(unused) : Int64(bitPattern: raw)
    case .interrupts(let cpu):
      let index = try value(cpu, world)
      guard world.machine.cpus.indices.contains(Int(clamping: index)) else {
        throw NoValue(reason: "there is no CPU \(index)")
      }
      return world.machine.cpus[Int(index)].interruptsEnabled ? 1 : 0
    case .held(let lock): return Int64(world.holders(of: lock))
    case .unary(let sign, let operand):
      let x = try value(operand, world)
      switch sign {
      case "!": return x == 0 ? 1 : 0
      case "~": return ~x
      default: return 0 &- x
      }
    case .binary(let sign, let left, let right):
      let a = try value(left, world)
      if sign == "&&" && a == 0 { return 0 }
      if sign == "||" && a != 0 { return 1 }
      return try combine(sign, a, try value(right, world))
    case .choice(let condition, let first, let second):
      return try value(try value(condition, world) != 0 ? first : second, world)
    }
  }

  private static func combine(_ sign: String, _ a: Int64, _ b: Int64) throws -> Int64 {
    switch sign {
    case "||", "&&": return b == 0 ? 0 : 1
    case "|": return a | b
    case "^": return a ^ b
    case "&": return a & b
    case "==": return a == b ? 1 : 0
    case "!=": return a != b ? 1 : 0
    case "<": return a < b ? 1 : 0
    case "<=": return a <= b ? 1 : 0
    case ">": return a > b ? 1 : 0
    case ">=": return a >= b ? 1 : 0
    case "<<": return (0..<64).contains(b) ? a << b : 0
    case ">>": return (0..<64).contains(b) ? a >> b : (a < 0 ? -1 : 0)
    case "+": return a &+ b
    case "-": return a &- b
    case "*": return a &* b
    default:
      guard b != 0 else { throw NoValue(reason: "division by zero") }
      if a == .min && b == -1 { return sign == "/" ? a : 0 }
      return sign == "/" ? a / b : a % b
    }
  }

  // MARK: Symbols

  private struct Resolver {
    let image: PreparedImage
    let cpus: Int
    var terms: [(text: String, node: Node)] = []
    var extents: [(address: UInt64, size: Int)] = []

    private func symbol(_ name: String) throws -> (address: UInt64, size: Int) {
      if let symbol = image.symbols.symbol(named: name) { return symbol }
      let near = nearestNames(to: name, among: image.symbols.symbolNames)
      throw ScenarioError(
        "image `\(image.name)` has no symbol `\(name)`"
          + (near.isEmpty ? "" : "; similar names: " + near.joined(separator: ", ")))
    }

    private mutating func term(_ text: String, _ node: Node) -> Node {
      if !terms.contains(where: { $0.text == text }) { terms.append((text, node)) }
      return node
    }

    mutating func resolve(_ node: Expression.Node) throws -> Node {
      switch node {
      case .number(let value): return .number(value)
      case .cpus: return .number(Int64(cpus))
      case .address(let name): return .number(Int64(bitPattern: try symbol(name).address))
      case .variable(let name): return try variable(name)
      case .element(let name, let index): return try element(name, index)
      case .bytes(let size, let isSigned, let address):
        return try bytes(size, isSigned, address)
      case .interrupts(let cpu): return term("interrupts", .interrupts(try resolve(cpu)))
      case .held(let name):
        return term("held(\(name))", .held(try symbol(name).address))
      case .unary(let sign, let operand): return .unary(sign, try resolve(operand))
      case .binary(let sign, let left, let right):
        return .binary(sign, try resolve(left), try resolve(right))
      case .choice(let condition, let first, let second):
        return .choice(try resolve(condition), try resolve(first), try resolve(second))
      }
    }

    private mutating func variable(_ name: String) throws -> Node {
      let (address, size) = try symbol(name)
      let shape = image.symbols.variable(named: name)
      if let shape, shape.isArray {
        throw ScenarioError("`\(name)` is an array; write `\(name)[0]`")
      }
      let bytes = shape?.elementSize ?? size
      guard [1, 2, 4, 8].contains(bytes) else {
        throw ScenarioError(
          "`\(name)` has \(bytes) bytes and is no number; write which of them, as in `u32(\(name) + 0)`"
        )
      }
      extents.append((address, bytes))
      return term(
        name,
        .load(
          low: address, high: address &+ UInt64(bytes), offset: .number(0), size: bytes,
          isSigned: shape?.isSigned ?? true))
    }

    private mutating func element(_ name: String, _ index: Expression.Node) throws -> Node {
      let (address, size) = try symbol(name)
      guard let shape = image.symbols.variable(named: name) else {
        throw ScenarioError(
          "the image has no debug information about `\(name)`, so the size of its elements is not known; write `u32(\(name) + 4 * …)`, or compile with -g"
        )
      }
      guard shape.isArray, [1, 2, 4, 8].contains(shape.elementSize) else {
        throw ScenarioError(
          shape.isArray
            ? "the elements of `\(name)` have \(shape.elementSize) bytes; write which of them, as in `u32(\(name) + \(shape.elementSize))`"
            : "`\(name)` is no array")
      }
      let scaled = Node.binary("*", try resolve(index), .number(Int64(shape.elementSize)))
      extents.append((address, size))
      let text: String
      if case .number(let i) = index { text = "\(name)[\(i)]" } else { text = "\(name)[…]" }
      return term(
        text,
        .load(
          low: address, high: address &+ UInt64(size), offset: scaled, size: shape.elementSize,
          isSigned: shape.isSigned))
    }

    private mutating func bytes(
      _ size: Int, _ isSigned: Bool, _ address: Expression.Node
    ) throws -> Node {
      var base = address
      var offset = Node.number(0)
      while case .binary(let sign, let left, let right) = base {
        offset = .binary(sign == "+" ? "+" : "-", offset, try resolve(right))
        base = left
      }
      guard case .address(let name) = base else {
        throw ScenarioError("an address begins with a symbol, as in u32(symbol + 4)")
      }
      let (low, known) = try symbol(name)
      let constant = Self.constant(offset)
      // A constant offset says itself how far it reaches.
      let extent = constant.map { max(known, Int(clamping: $0) + size) } ?? known
      guard constant.map({ $0 >= 0 }) ?? true, extent >= size else {
        throw ScenarioError("u\(size * 8)(…) reads outside `\(name)`, which has \(known) bytes")
      }
      if let constant {
        extents.append((low &+ UInt64(bitPattern: constant), size))
      } else {
        extents.append((low, extent))
      }
      let text =
        (isSigned ? "s" : "u") + "\(size * 8)(\(name)"
        + (constant.map { $0 == 0 ? "" : " + \($0)" } ?? " + …") + ")"
      return term(
        text,
        .load(
          low: low, high: low &+ UInt64(extent), offset: offset, size: size, isSigned: isSigned))
    }

    private static func constant(_ node: Node) -> Int64? {
      switch node {
      case .number(let value): return value
      case .binary(let sign, let left, let right):
        guard let a = constant(left), let b = constant(right) else { return nil }
        return try? Condition.combine(sign, a, b)
      case .unary(let sign, let operand):
        guard let x = constant(operand) else { return nil }
        return sign == "-" ? 0 &- x : sign == "~" ? ~x : x == 0 ? 1 : 0
      default: return nil
      }
    }
  }
}
