import Emulator

/// Something that rules observe.
struct Happening {
  enum Kind: UInt8, CaseIterable {
    /// An interrupt, exception or software interrupt entered its handler; `activation` is new.
    case entered
    /// The entry path says that registers are saved and kernel segments loaded.
    case entryComplete
    /// The way out has begun.
    case exitBegins
    /// IRET; `activation` is the entry that it ends, if the frame is one that was entered.
    case returned
    case interruptFlag
    /// Acquire was called; `lock` is what for.
    case acquiring
    /// Acquire came back with the lock.
    case acquired
    /// Release was called.
    case releasing
    /// Release came back.
    case released
    /// A function that switches tasks was called.
    case switching
    /// Another stack was loaded; `activation` is the SYSCALL that begins or ends with it.
    case stackLoaded
    /// Ring 0 used GS while its base was not the kernel's.
    case foreignGS
    /// Ring 0 read data below a stack pointer that an interrupt had overwritten; `event.rip` is what was
    /// interrupted.
    case clobberedRead
    case halted
    case assertion
    case panic
    case segment
    case shutdown
    /// A CPU stands before an instruction that touches what others touch too; `access`.
    case aboutToAccess
    /// The interrupt controller, or a local APIC, was told of an end of interrupt.
    case endOfInterrupt
    /// A run of instructions on one stack is over; `lowestSP` says how deep it went.
    case depth
  }

  var kind: Kind
  /// Linear address of the instruction concerned.
  var rip: UInt64 = 0
  var activation: Activation?
  var lock: UInt64 = 0
  var discipline = 0
  /// The stack that was loaded is the user's, for the return to it.
  var loadsUserStack = false
  /// The held-lock record concerned.
  var held: HeldLock?
  /// IF bit of the flags handed to release or returned by acquire.
  var flagsInterrupts: Bool?
  /// IF before the lock operation or the change.
  var interruptsBefore = false
  var event = Event()
  var lowestSP: UInt64 = 0
  var access: PendingAccess?
  var ended: EndOfInterrupt?
  /// A marker in the code says so.
  var marked = false
  /// An acquire that may give up.
  var tries = false
  /// Highest address of the stretch of stack whose depth is judged.
  var stretchTop: UInt64 = 0

  init(_ kind: Kind, rip: UInt64) {
    self.kind = kind
    self.rip = rip
  }
}

/// A rule found broken, in raw form: names are looked up only for what is reported.
struct Violation: Hashable {
  /// Index into `RuleBook.rules`, or a negative number for the rules that the graph decides.
  var rule: String
  /// Instructions in conflict, in order.
  var sites: [UInt64]
  /// Locks concerned.
  var locks: [UInt64] = []
  /// Whether the execution is not followed further.
  var endsPath = false
  /// Report only if this lock turns out to be taken by a handler.
  var onlyIfHandlerTakes: UInt64?
  /// Do not report if this strand turns out to be a stack of handlers.
  var unlessHandlerStack: UInt64?
  /// Do not report if this word (physical address / 4) turns out to synchronise contexts.
  var unlessSynchronised: UInt64?
  /// Further numbers for the title.
  var details: [UInt64] = []
  /// How many of the sites make the defect what it is; the others are where it showed.
  var identitySites: Int
  /// What else makes it what it is: a vector, a stack.
  var tags: [String]

  init(
    _ rule: String, sites: [UInt64], locks: [UInt64] = [], endsPath: Bool = false,
    onlyIfHandlerTakes: UInt64? = nil, unlessHandlerStack: UInt64? = nil,
    unlessSynchronised: UInt64? = nil,
    details: [UInt64] = [], identitySites: Int = .max,
    tags: [String] = []
  ) {
    self.rule = rule
    self.sites = sites
    self.locks = locks
    self.endsPath = endsPath
    self.onlyIfHandlerTakes = onlyIfHandlerTakes
    self.unlessHandlerStack = unlessHandlerStack
    self.unlessSynchronised = unlessSynchronised
    self.details = details
    self.identitySites = identitySites
    self.tags = tags
  }
}

/// A rule: observes what happens and reports what must not be.
protocol Rule: AnyObject {
  static var name: String { get }
  var interests: [Happening.Kind] { get }
  func observe(_ happening: Happening, in world: World)
  /// One sentence for people.
  func title(_ violation: Violation, names: Names) -> String
}

/// Words for addresses, in titles.
struct Names {
  let world: World

  /// `console_write+0x1c (console.c:88)`: the line in that function's own source, also where the
  /// instruction comes from something inlined there.
  func site(_ address: UInt64) -> String {
    let symbols = world.image.symbols
    let place = "`" + symbols.describe(address) + "`"
    guard let found = symbols.location(of: address) else { return place }
    var line = found.location.description
    if let outermost = found.inlined.last, outermost.hasSuffix(")"),
      let at = outermost.split(separator: "(inlined at ", omittingEmptySubsequences: false).last
    {
      line = String(at.dropLast())
    }
    return "\(place) (\(line.split(separator: "/").last.map(String.init) ?? line))"
  }

  func lock(_ address: UInt64) -> String { "`" + world.lockName(address) + "`" }

  /// `interrupt 33 (keyboard)`, `exception 14`, `int 0x80`.
  func vector(_ vector: Int, kind: Event.Kind) -> String {
    world.vectorName(vector, kind: kind)
  }
}
