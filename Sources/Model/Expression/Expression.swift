/// An expression over an image's variables, as a job file has them: C's operators on signed 64-bit
/// numbers.
///
/// `counter`, `slots[2]`, `u16(buffer + 6)`, `&task0`, `interrupts(0)`, `held(lock)`, `cpus`; the
/// operators `?: ==> || && | ^ & == != < <= > >= << >> + - * / % ! ~ -`. A name that is no C identifier
/// stands in backquotes.
public struct Expression: Sendable, Equatable {
  /// As it was written.
  public let text: String
  let root: Node

  indirect enum Node: Sendable, Equatable {
    case number(Int64)
    /// The value of a variable.
    case variable(String)
    /// An element of an array.
    case element(String, Node)
    /// Bytes at an address, which begins with a symbol: `size`, whether it has a sign.
    case bytes(Int, Bool, Node)
    /// The address of a symbol.
    case address(String)
    /// IF of a CPU.
    case interrupts(Node)
    /// How many contexts hold the lock at a symbol.
    case held(String)
    /// The number of CPUs.
    case cpus
    case unary(String, Node)
    case binary(String, Node, Node)
    case choice(Node, Node, Node)
  }

  /// What is wrong with a text, and at which of its characters, from 1.
  public struct Problem: Error, CustomStringConvertible {
    public var message: String
    public var character: Int
    public var description: String { "\(message) (character \(character))" }
  }

  /// - Throws: `Problem`.
  public init(_ text: String) throws {
    var parser = ExpressionParser(text)
    self.text = text
    root = try parser.parse()
  }

  /// Names of symbols in it, each once, in the order of the text.
  public var symbols: [String] {
    var names: [String] = []
    Self.visit(root) { node in
      switch node {
      case .variable(let name), .element(let name, _), .address(let name), .held(let name):
        if !names.contains(name) { names.append(name) }
      default: break
      }
    }
    return names
  }

  static func visit(_ node: Node, _ body: (Node) -> Void) {
    body(node)
    switch node {
    case .element(_, let index): visit(index, body)
    case .bytes(_, _, let address): visit(address, body)
    case .interrupts(let cpu): visit(cpu, body)
    case .unary(_, let operand): visit(operand, body)
    case .binary(_, let left, let right):
      visit(left, body)
      visit(right, body)
    case .choice(let condition, let first, let second):
      visit(condition, body)
      visit(first, body)
      visit(second, body)
    case .number, .variable, .address, .held, .cpus: break
    }
  }
}

/// Shape of a variable, as the debug information has it.
public struct VariableShape: Sendable, Equatable {
  /// Bytes of the variable, or of an element of the array that it is; 1, 2, 4 or 8 can be read.
  public var elementSize: Int
  public var isSigned: Bool
  public var isArray: Bool

  public init(elementSize: Int, isSigned: Bool, isArray: Bool) {
    self.elementSize = elementSize
    self.isSigned = isSigned
    self.isArray = isArray
  }
}
