import Emulator

/// What is to be checked: an image, where to start, what may happen, what must hold.
///
/// A job file describes scenarios; this is one of them, complete, with every default filled in.
public struct Scenario: Codable, Sendable, Equatable {
  public var name: String
  /// The image's name in the job, for reports.
  public var image: String
  /// The command line, for protocols that have one.
  public var commandLine = ""
  /// How the image is brought into memory; nil: as its headers say.
  public var boot: BootProtocol?
  /// Files of the machine's disks, as the job names them.
  public var disks: [String]?
  public var cpus = 1
  /// Bytes of RAM. Pages that nobody touches cost nothing.
  public var memory = 256 << 20
  public var start = Start()
  public var sources: [Source] = []
  /// True: the sources are those that the image has programmed by the start; `sources` are not looked at.
  public var sourcesFromImage: Bool?
  /// Bound on injected interrupts over all sources, nil for none.
  public var maxInterrupts: Int?
  public var locks: [LockDiscipline] = []
  /// Functions at which a context ends: it owes no return to user code from there on.
  public var ends: [String] = []
  /// Functions whose call means that an assertion of the kernel failed.
  public var assertions: [String] = []
  /// Functions whose call means that the kernel met an exception it did not expect.
  public var panics: [String] = []
  /// The common entry path: where it is complete, where the exit begins.
  public var entry: EntryPath?
  public var stacks: [StackLimit] = []
  /// Functions that switch from one task's stack to another's.
  public var switches: [String] = []
  /// Memory that does not count as state. Can hide what depends on it.
  public var ignore: [MemoryRange] = []
  /// Variables that contexts share on purpose without a lock: plain loads and stores of theirs are no
  /// data race; an update in two steps is.
  public var atomics: [String]?
  /// Invariants over symbols, checked in every state.
  public var invariants: [String] = []
  /// Conditions over symbols, checked where all work is done.
  public var final: [String]?
  /// Expressions whose values where all work is done are listed as outcomes.
  public var observe: [Observed]?
  /// Functions at which an execution is at its end: all work is done.
  public var until: [String]?
  /// Functions that are called instead of a boot, each list on a CPU of its own.
  public var calls: [CallList]?
  /// With `calls`: functions as handlers of interrupts that no source raises.
  public var handlers: [Handler]?
  /// How functions are called; nil: as C does.
  public var convention: CallingConvention?
  /// With `calls`: the data that each CPU has a copy of.
  public var perCPU: PerCPUData?
  /// Functions that are replaced by generated ones.
  public var stubs: [Stub]?
  /// Exception vectors that are part of the kernel's normal work (page faults, say).
  public var expectedExceptions: [Int] = []
  public var patches: [Patch] = []
  public var expect = Expectation.clean
  /// Mechanisms (M1…) and rules that this scenario exercises.
  public var covers: [String] = []
  public var summary = ""

  public init(name: String, image: String) {
    self.name = name
    self.image = image
  }
}

/// Where exploration begins: after the machine's own boot has sent `serial`, and then come to `symbol` for the
/// `hits`-th time.
public struct Start: Codable, Sendable, Equatable {
  /// Text that COM1 or port 0xE9 has sent.
  public var serial: String?
  public var symbol: String?
  public var hits = 1
  /// Give up after so many instructions of boot.
  public var limit = 200_000_000
  public init() {}
}

/// An interrupt source: when it raises its line is the schedule's to choose.
public struct Source: Codable, Sendable, Equatable {
  public var name: String
  /// ISA interrupt line 0…15, at the 8259 pair and the I/O APIC; nil for the others.
  public var line: Int?
  public var nmi = false
  /// A machine check.
  public var machineCheck = false
  /// The timer of a CPU's local APIC.
  public var localTimer = false
  /// The CPU that an NMI, a machine check or a local timer is for.
  public var cpu = 0
  /// Bytes that the device delivers with its n-th interrupt (keyboard, mouse), repeated in turn.
  public var data: [UInt8] = []
  /// How often it may fire; nil: without limit.
  public var arrivals: Int?
  /// With `calls`: the function that handles it, the vector that it has, and its arguments.
  public var function: String?
  public var vector: Int?
  public var arguments: [CallArgument]?

  public init(name: String, line: Int?) {
    self.name = name
    self.line = line
  }

  /// Scenarios that were stored by earlier versions have no CPUs, machine checks and local timers.
  public init(from decoder: any Decoder) throws {
    let c = try decoder.container(keyedBy: CodingKeys.self)
    name = try c.decode(String.self, forKey: .name)
    line = try c.decodeIfPresent(Int.self, forKey: .line)
    nmi = try c.decode(Bool.self, forKey: .nmi)
    machineCheck = try c.decodeIfPresent(Bool.self, forKey: .machineCheck) ?? false
    localTimer = try c.decodeIfPresent(Bool.self, forKey: .localTimer) ?? false
    cpu = try c.decodeIfPresent(Int.self, forKey: .cpu) ?? 0
    data = try c.decode([UInt8].self, forKey: .data)
    arrivals = try c.decodeIfPresent(Int.self, forKey: .arrivals)
    function = try c.decodeIfPresent(String.self, forKey: .function)
    vector = try c.decodeIfPresent(Int.self, forKey: .vector)
    arguments = try c.decodeIfPresent([CallArgument].self, forKey: .arguments)
  }
}

extension Source {
  /// What raises it: "line 1", "NMI of CPU 2".
  public func kindInWords(cpus: Int) -> String {
    if let function, !nmi, !machineCheck {
      return "calls \(function)" + (cpus > 1 ? " on CPU \(cpu)" : "")
    }
    if let line { return "line \(line)" }
    let what = nmi ? "NMI" : machineCheck ? "machine check" : "local timer"
    return cpus > 1 ? "\(what) of CPU \(cpu)" : what
  }
}

/// How a kernel acquires and releases one kind of lock.
public struct LockDiscipline: Codable, Sendable, Equatable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// Acquire returns the flags, release takes them.
    case value
    /// The CPU has a count of the locks that it holds and one saved IF: the first acquire keeps it, the
    /// last release restores it.
    case count
    /// The lock has a field for the saved IF, which acquire writes and release restores.
    case field
    /// Acquire and release neither save nor restore IF.
    case plain
    /// May sleep; holds no obligation on IF.
    case sleeping
  }
  public var kind = Kind.value
  public var acquire: [String]
  public var release: [String]
  /// Functions that try and may fail: 0 returned means not acquired.
  public var tryAcquire: [String] = []
  /// Number of the argument (from 1, cdecl on i386) that is the lock's address.
  public var lockArgument = 1
  /// Number of release's argument that is the saved flags; nil where kind is not `value`.
  public var flagsArgument: Int? = 2
  /// What a function that tries returns when it has the lock; nil: anything but 0.
  public var success: Int64?
  /// Where the lock's address is, if it is no argument.
  public var lockPlace: LockPlace?
  /// Bytes from there to the lock.
  public var lockOffset: Int?
  /// Number of acquire's argument that points to where it stores the flags, for kind `value`; nil: it
  /// returns them.
  public var flagsPointer: Int?
  /// Whether several contexts may hold it so at the same time: the readers' side of a lock.
  public var isShared: Bool?
  /// Locks (symbols) that one task may take and the next release across a switch.
  public var handedOver: [String] = []

  public init(acquire: [String], release: [String]) {
    self.acquire = acquire
    self.release = release
  }
}

/// Where a lock's address is, other than in an argument.
public enum LockPlace: Codable, Sendable, Equatable {
  /// General register, by the encoding's number, as the function is entered.
  case register(Int)
  /// There is one lock only, at this symbol.
  case symbol(String)

  /// Registers by name, as i386 and x86-64 call them.
  public static let registers: [String: Int] = {
    var numbers: [String: Int] = [:]
    for (number, name) in ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"].enumerated() {
      numbers["e" + name] = number
      numbers["r" + name] = number
    }
    for number in 8...15 { numbers["r\(number)"] = number }
    return numbers
  }()
}

public struct EntryPath: Codable, Sendable, Equatable {
  /// Symbols reached when an entry has saved the registers and loaded the kernel's segments.
  public var complete: [String]
  /// Symbols from which the way out must not be interrupted any more.
  public var exit: [String]
  public init(complete: [String], exit: [String]) {
    self.complete = complete
    self.exit = exit
  }
}

/// A stack's extent: a symbol with its size, or part of it.
public struct StackLimit: Codable, Sendable, Equatable {
  public var symbol: String
  /// Bytes; nil: the symbol's size.
  public var size: Int?
  public init(symbol: String, size: Int? = nil) {
    self.symbol = symbol
    self.size = size
  }
}

public struct MemoryRange: Codable, Sendable, Equatable {
  public var symbol: String
  /// Bytes; nil: the symbol's size.
  public var size: Int?
  public init(symbol: String, size: Int? = nil) {
    self.symbol = symbol
    self.size = size
  }
}

/// A change of one instruction of the image, to see whether a scenario has teeth.
public struct Patch: Codable, Sendable, Equatable {
  public enum Action: Codable, Sendable, Equatable {
    /// The instruction becomes NOPs.
    case drop
    /// The instruction's bytes become these, filled up with NOPs.
    case replace([UInt8])
  }
  public var symbol: String
  /// Mnemonic of the instruction, as the disassembly shows it.
  public var instruction: String
  /// Which one of that mnemonic within the symbol, from 1.
  public var occurrence = 1
  public var action: Action

  public init(symbol: String, instruction: String, occurrence: Int = 1, action: Action) {
    self.symbol = symbol
    self.instruction = instruction
    self.occurrence = occurrence
    self.action = action
  }
}

public enum Expectation: Codable, Sendable, Equatable {
  case clean
  /// These rules are broken, and no others.
  case violated(rules: [String])
}
