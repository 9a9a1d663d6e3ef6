/// A schedule after which a rule is broken, with its evidence.
public struct Counterexample: Codable, Sendable, Equatable {
  public var rule: String
  /// One sentence that says what happened.
  public var title: String
  public var identity: Identity
  public var schedule: Schedule
  /// What was injected, in order: source names.
  public var injected: [String]
  /// The interleaving: what happened, in order.
  public var events: [TraceEvent]
  /// Stacks of every context at the end.
  public var stacks: [ContextStack]
  /// Who holds and who waits, in sentences.
  public var holders: [String]
  public var waiters: [String]
  /// Instructions executed from the start to the violation.
  public var steps: Int { schedule.steps.reduce(0) { $0 + $1.instructions } }

  public init(
    rule: String, title: String, identity: Identity, schedule: Schedule, injected: [String] = [],
    events: [TraceEvent] = [], stacks: [ContextStack] = [], holders: [String] = [],
    waiters: [String] = []
  ) {
    self.rule = rule
    self.title = title
    self.identity = identity
    self.schedule = schedule
    self.injected = injected
    self.events = events
    self.stacks = stacks
    self.holders = holders
    self.waiters = waiters
  }

  /// What makes two counterexamples the same defect: no path, line or address.
  public struct Identity: Codable, Sendable, Hashable {
    /// Version of the algorithm that made it.
    public var version: Int
    public var rule: String
    public var lockClasses: [String]
    public var functions: [String]

    /// 2: lock classes are variables, without offsets; functions have no compiler's additions.
    public static let currentVersion = 2

    /// An identity of the present version; names can be those that an earlier version kept.
    public init(rule: String, lockClasses: [String], functions: [String]) {
      version = Identity.currentVersion
      self.rule = rule
      self.lockClasses = lockClasses.map(IdentityNames.lockClass)
      self.functions = functions.map(IdentityNames.function)
    }

    /// The text that is hashed, and that a baseline file shows.
    public var text: String {
      "v\(version) \(rule) locks=\(lockClasses.joined(separator: ","))"
        + " functions=\(functions.joined(separator: ","))"
    }

    /// Whether both stand for one defect, whichever version of the algorithm made them.
    public func isSameDefect(as other: Identity) -> Bool {
      func present(_ identity: Identity) -> Identity {
        Identity(
          rule: identity.rule, lockClasses: identity.lockClasses, functions: identity.functions)
      }
      return present(self) == present(other)
    }

    /// 128 bits of FNV-1a over `text`, in hexadecimal.
    public var fingerprint: String {
      var hash: UInt128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D
      for byte in text.utf8 {
        hash ^= UInt128(byte)
        hash = hash &* 0x0000_0000_0100_0000_0000_0000_0000_013B
      }
      let hex = String(hash, radix: 16)
      return String(repeating: "0", count: 32 - hex.count) + hex
    }
  }
}

/// A list of choices from the start; it alone reproduces an execution.
public struct Schedule: Codable, Sendable, Equatable {
  public struct Step: Codable, Sendable, Equatable {
    public var cpu = 0
    /// Index into the scenario's sources of what is raised at this boundary, before the
    /// instructions; nil: nothing.
    public var raise: Int?
    /// The value of the marker that the CPU stands before, if it is not 0.
    public var value: UInt64?
    /// Instructions that the CPU executes then.
    public var instructions: Int
    public init(cpu: Int = 0, raise: Int?, value: UInt64? = nil, instructions: Int) {
      self.value = value
      self.cpu = cpu
      self.raise = raise
      self.instructions = instructions
    }
  }
  public var steps: [Step]
  public init(steps: [Step] = []) { self.steps = steps }
}

/// One line of an interleaving.
public struct TraceEvent: Codable, Sendable, Equatable {
  public enum Kind: String, Codable, Sendable {
    case start, interrupt, nmi, exception, systemCall, `return`, acquire, release, wait
    case interruptsOn, interruptsOff, `switch`, halt, endOfInterrupt, access, violation, end
  }
  public var kind: Kind
  /// Instructions executed since the start.
  public var step: Int
  public var cpu: Int
  /// The lane: a context's name, e.g. "task reader", "interrupt 33 (keyboard)".
  public var context: String
  /// What happened, in words.
  public var text: String
  public var address: UInt64
  public var function: String
  public var location: SourceLocation?
  /// Functions inlined at this address, innermost first, as `Symbolizer.location` gives them.
  public var inlined: [String]
  public var disassembly: String
  /// IF after the event.
  public var interruptFlag: Bool
  /// Names of the locks held on this CPU after the event, outermost first.
  public var held: [String]

  public init(
    kind: Kind, step: Int, cpu: Int, context: String, text: String, address: UInt64,
    function: String = "", location: SourceLocation? = nil, inlined: [String] = [],
    disassembly: String = "",
    interruptFlag: Bool = false, held: [String] = []
  ) {
    self.kind = kind
    self.step = step
    self.cpu = cpu
    self.context = context
    self.text = text
    self.address = address
    self.function = function
    self.location = location
    self.inlined = inlined
    self.disassembly = disassembly
    self.interruptFlag = interruptFlag
    self.held = held
  }
}

public struct ContextStack: Codable, Sendable, Equatable {
  public var context: String
  /// Innermost first.
  public var frames: [StackFrame]
  public init(context: String, frames: [StackFrame]) {
    self.context = context
    self.frames = frames
  }
}

public struct StackFrame: Codable, Sendable, Equatable {
  public var address: UInt64
  /// `function+0x1c`.
  public var function: String
  public var location: SourceLocation?
  /// Functions inlined at this address, innermost first, each with its own location.
  public var inlined: [String]
  public init(
    address: UInt64, function: String, location: SourceLocation? = nil, inlined: [String] = []
  ) {
    self.address = address
    self.function = function
    self.location = location
    self.inlined = inlined
  }
}

public struct SourceLocation: Codable, Sendable, Equatable, Hashable, CustomStringConvertible {
  public var file: String
  public var line: Int
  public init(file: String, line: Int) {
    self.file = file
    self.line = line
  }
  public var description: String { "\(file):\(line)" }
}
