/// Functions that a scenario calls in turn on one CPU.
public struct CallList: Codable, Sendable, Equatable {
  public var cpu: Int
  /// Bytes of the stack that they run on.
  public var stack = 16 << 10
  /// Whether interrupts are on when the first one is called.
  public var interrupts = true
  public var calls: [FunctionCall]

  public init(cpu: Int, calls: [FunctionCall]) {
    self.cpu = cpu
    self.calls = calls
  }
}

public struct FunctionCall: Codable, Sendable, Equatable {
  public var function: String
  public var arguments: [CallArgument] = []
  /// How often in a row.
  public var times = 1

  public init(function: String) { self.function = function }
}

/// A number, or the address of a symbol and something added to it.
public struct CallArgument: Codable, Sendable, Equatable {
  public var symbol: String?
  public var number: Int64

  public init(symbol: String? = nil, number: Int64 = 0) {
    self.symbol = symbol
    self.number = number
  }
}

/// A function that handles a vector. LockLab's entry saves the registers and gives them back.
public struct Handler: Codable, Sendable, Equatable {
  public var vector: Int
  public var function: String
  public var arguments: [CallArgument] = []
  /// Whether the local APIC is told of the end of the interrupt when the function has returned.
  public var endsInterrupt = false

  public init(vector: Int, function: String) {
    self.vector = vector
    self.function = function
  }
}

/// How arguments are handed over on i386; x86-64 has one convention only (System V).
public enum CallingConvention: String, Codable, Sendable, CaseIterable {
  /// All on the stack. System V ABI, Intel386 Architecture Processor Supplement §3.
  case cdecl
  /// The first three in EAX, EDX, ECX: GCC's -mregparm=3, as Linux has it.
  case regparm
}

/// Data that each CPU has a copy of, reached through a segment register: CPU 0 has the image's own.
public struct PerCPUData: Codable, Sendable, Equatable {
  /// GS, or else FS.
  public var usesGS: Bool
  /// Symbols of its beginning and end in the image.
  public var start: String
  public var end: String
  /// An array with the distance of each CPU's copy from the image's own.
  public var offsets: String?
  /// Variables within it that have this distance, and the CPU's number.
  public var offset: String?
  public var number: String?

  public init(usesGS: Bool, start: String, end: String) {
    self.usesGS = usesGS
    self.start = start
    self.end = end
  }
}

/// A generated function in place of one that is missing, or that is not to be executed.
public struct Stub: Codable, Sendable, Equatable {
  public enum Action: Codable, Sendable, Equatable {
    /// Returns this.
    case returns(Int64)
    /// Jumps to another function.
    case jumps(String)
    /// No function: so many bytes of zeroes.
    case data(Int)
  }
  public var symbol: String
  public var action: Action

  public init(symbol: String, action: Action) {
    self.symbol = symbol
    self.action = action
  }

  /// Bytes that every stub has.
  public static let size = 16
}

/// What a scenario observes where all work is done.
public struct Observed: Codable, Sendable, Equatable {
  public var name: String
  public var expression: String

  public init(name: String, expression: String) {
    self.name = name
    self.expression = expression
  }
}
