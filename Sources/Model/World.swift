import Emulator

/// A scenario under way: the machine, the checker's part of the state, and the step function.
///
/// Search, replay and minimisation all go through `advance`; they differ in what they make of the
/// outcome.
final class World {
  private(set) var scenario: Scenario
  let image: PreparedImage
  let machine: Machine
  let memory: Memory
  let ghost: Ghost
  let slotSize: UInt64
  let book: RuleBook
  var reductions: Set<Reduction> {
    didSet {
      noteReductions()
      if !scrubs { unfillStacks() }
    }
  }
  // The same, for the inner loops.
  private(set) var fuses = true
  private(set) var raisesLate = true
  private(set) var scrubs = true
  private(set) var reuses = true
  /// Whether the present pass uses `persistent`: see `Explorer.prepareFutures`.
  var persists = false

  /// How the start was come to, and what sources the image had programmed there, in words.
  var bootNotes: [String] = []
  /// The CPU that the last run of the boot ended with.
  var bootCPU = 0

  /// Instructions executed since the start of exploration, along the present path only while
  /// nothing is undone.
  var instructionsAtStart: UInt64 = 0

  /// Rules found broken by the present step.
  var violations: [Violation] = []
  /// Why the present path cannot be followed, in words.
  var obstacle: String?
  /// End the path when this violation is found, whatever its rule says.
  var stopAt: Violation?
  /// Observer of everything that happens, for traces; nil in a search.
  var tracer: ((Happening) -> Void)?

  // Resolved from the scenario.
  /// What is to be done where, by address.
  var hookSites: [UInt64: HookSite] = [:]
  /// Whether the job says where an entry is complete.
  var knowsEntry = false
  /// Every hook, for the quick question whether there is one.
  let hookFilter: UnsafeMutablePointer<UInt64>
  static let hookFilterBits: UInt64 = 1 << 14
  var stacks: [(name: String, low: UInt64, high: UInt64)] = []
  private var ignoredSymbols: [(address: UInt64, size: Int)] = []
  /// Words that are no part of the state, by physical address, with the bits of them that are.
  private(set) var ignored: [(physical: UInt64, keep: UInt64)] = []
  var handedOver: Set<UInt64> = []
  private var atomicSymbols: [(address: UInt64, size: Int)] = []

  /// The loader of the functions that the scenario calls; nil where the image boots.
  let harness: Harness?
  /// Conditions of the user's own.
  var conditions = Conditions()
  /// A function under `until` has been reached.
  var isAtEnd = false
  /// A marker says that the execution is of no interest from here on.
  var isCutOff = false
  /// How many executions were left there.
  var cutOffs = 0
  /// What markers the image has.
  private(set) var marksChoices = false
  private(set) var marksInterest = false
  /// Sources are raised outside windows of interest, too: nothing else can go on.
  var looksOutside = false

  /// Whether there is a source that IF does not stop.
  let hasNMI: Bool
  /// Physical addresses / 4 of what the job calls atomic.
  var atomics: Set<UInt64> = []

  // Learned during the search; monotonic, never part of a state.
  /// Owner numbers of strands at depths.
  var owners: [OwnerKey] = []
  /// Where the numbers come from.
  var registry = OwnerRegistry()
  /// Locks that some handler takes, by `handlerKey`, with where.
  var handlerLocks: [UInt64: UInt64] = [:]
  /// What CPUs may still touch, from where they stand.
  var futures = Futures()
  /// Stacks that handlers switch to by hand.
  var handlerStacks = HandlerStacks()
  /// Physical addresses / 4 of bytes that synchronise contexts: see `learnSynchronisation`.
  var synchronisation: Set<UInt64> = []
  /// Which locks were acquired while which were held.
  var lockOrder = LockOrder()
  /// The largest slack between the deepest interruptible point and the branching point, by stack
  /// (upper bits) and depth of interrupts (lower eight).
  var slack: [Int: UInt64] = [:]
  /// The deepest stack pointer seen on each declared stack.
  var deepest: [Int: UInt64] = [:]
  /// What handlers make of the registers that they find, by vector, as far as this world has met it.
  var victimUses: [Int: OwnerRegistry.Handlers] = [:]
  /// A handler looks at the registers of what it interrupted.
  var victimSeen = false
  let coldCache: UnsafeMutablePointer<UInt64>
  /// Words of unused stack that were marked as such, by physical address.
  var filled: [UInt64] = []

  /// A lock together with the present CPU: a handler on another one does no harm here.
  func handlerKey(_ lock: UInt64) -> UInt64 { lock ^ UInt64(cpuIndex) << 56 }

  /// In a key of `handlerLocks`: taken by a handler for itself alone, not shared.
  static let exclusiveMark: UInt64 = 1 << 55

  func isShared(_ discipline: Int) -> Bool { scenario.locks[discipline].isShared == true }

  /// The key of what a handler must take to wait for a lock that is held.
  func conflictKey(_ lock: UInt64, _ discipline: Int) -> UInt64 {
    handlerKey(lock) ^ (isShared(discipline) ? World.exclusiveMark : 0)
  }

  /// Whether what a whole search decides says that a violation counts.
  func isConfirmed(_ v: Violation) -> Bool {
    if let lock = v.onlyIfHandlerTakes, handlerSite(of: lock) == nil { return false }
    if let strand = v.unlessHandlerStack, handlerStacks.contains(strand) { return false }
    if let word = v.unlessSynchronised, synchronisation.contains(word) { return false }
    return true
  }

  /// Where some handler takes a lock, by `handlerKey`; nil: none does.
  func handlerSite(of key: UInt64) -> UInt64? { handlerLocks[key] ?? handlerStacks.site(of: key) }

  struct OwnerKey: Equatable {
    let strand: UInt64
    let depth: Int
  }

  /// The CPU that steps now.
  var cpuIndex = 0
  var cpuCount: Int { machine.cpus.count }
  /// The last choice raised a source that no CPU has taken yet.
  var isLatched = false
  var cpu: CPU { machine.cpus[cpuIndex] }

  init(scenario: Scenario, image: PreparedImage, reductions: Set<Reduction>) throws {
    var scenario = Harness.withLines(scenario)
    // Locks that markers tell of have disciplines of their own, behind the scenario's.
    if image.markers.values.contains(where: \.isLockOperation) {
      scenario.locks += World.markedDisciplines
    }
    self.scenario = scenario
    harness = scenario.calls == nil ? nil : try Harness(scenario: scenario, image: image)
    let image = harness?.image ?? image
    self.image = image
    self.reductions = reductions
    guard scenario.memory <= World.memoryLimit else {
      throw ScenarioError(
        "scenario `\(scenario.name)`: \(scenario.memory) bytes of memory are more than the 3G below the devices' addresses"
      )
    }
    machine = Machine(
      cpuCount: scenario.cpus, ramBytes: scenario.memory, disks: image.disks)
    memory = machine.memory
    ghost = Ghost(memory: machine.memory)
    slotSize = image.elf.is64Bit ? 8 : 4
    book = RuleBook()
    hasNMI = scenario.sources.contains { $0.nmi || $0.machineCheck }
    coldCache = .allocate(capacity: CPU.wordCount * machine.cpus.count)
    hookFilter = .allocate(capacity: Int(World.hookFilterBits / 64))
    hookFilter.initialize(repeating: 0, count: Int(World.hookFilterBits / 64))
    coldCache.initialize(repeating: 0, count: CPU.wordCount * machine.cpus.count)
    noteReductions()
    try resolve()
    try boot()
  }

  deinit {
    coldCache.deallocate()
    hookFilter.deallocate()
  }

  func hook(_ address: UInt64, _ change: (inout HookSite) -> Void) {
    change(&hookSites[address, default: HookSite()])
    // Plain runs stop at hooks for good: during the boot there are none but the start.
    if memory.observed { machine.setHook(linear: address) }
    let bit = World.hookBit(address)
    hookFilter[Int(bit >> 6)] |= 1 << (bit & 63)
  }

  /// False for most addresses without a hook, true for all with one.
  @inline(__always) func mayHaveHook(_ address: UInt64) -> Bool {
    let bit = World.hookBit(address)
    return hookFilter[Int(bit >> 6)] >> (bit & 63) & 1 != 0
  }

  @inline(__always) private static func hookBit(_ address: UInt64) -> UInt64 {
    (address &* 0x9E37_79B9_7F4A_7C15) >> 32 & (hookFilterBits - 1)
  }

  private func noteReductions() {
    fuses = reductions.contains(.fuse)
    raisesLate = reductions.contains(.late)
    scrubs = reductions.contains(.stack)
    reuses = reductions.contains(.reuse)
  }

  // MARK: Resolving names

  func address(of name: String, for what: String) throws -> UInt64 {
    if let s = image.symbols.symbol(named: name) { return s.address }
    let near = nearestNames(to: name, among: image.symbols.symbolNames)
    let hint = near.isEmpty ? "" : "; similar names: " + near.joined(separator: ", ")
    throw ScenarioError(
      "scenario `\(scenario.name)`: image `\(image.name)` has no symbol `\(name)` (\(what))\(hint)")
  }

  private func resolve() throws {
    guard let source = scenario.sources.first(where: { $0.cpu >= scenario.cpus }) else {
      return try resolveNames()
    }
    throw ScenarioError(
      "scenario `\(scenario.name)`: source `\(source.name)` is for CPU \(source.cpu), but there \(scenario.cpus == 1 ? "is 1 CPU" : "are \(scenario.cpus) CPUs"); raise `cpus:` or change the source's `cpu:`"
    )
  }

  private func resolveNames() throws {
    guard scenario.sources.count <= Choice.sourceLimit else {
      throw ScenarioError("scenario `\(scenario.name)`: more than 16 sources")
    }
    for (i, lock) in scenario.locks.enumerated() {
      for f in lock.acquire { hook(try address(of: f, for: "acquire")) { $0.acquire = i } }
      for f in lock.tryAcquire {
        hook(try address(of: f, for: "try-acquire")) { $0.tryAcquire = i }
      }
      for f in lock.release { hook(try address(of: f, for: "release")) { $0.release = i } }
      if case .symbol(let name) = lock.lockPlace { _ = try address(of: name, for: "lock") }
      for l in lock.handedOver { handedOver.insert(try address(of: l, for: "handed-over lock")) }
    }
    for f in scenario.until ?? [] { hook(try address(of: f, for: "until")) { $0.isEnd = true } }
    for (address, marker) in image.markers { hook(address) { $0.marker = marker } }
    marksChoices = image.markers.values.contains(.choose)
    marksInterest = image.markers.values.contains(.interestBegins)
    for f in scenario.ends { hook(try address(of: f, for: "ends")) { $0.ends = true } }
    for f in scenario.assertions {
      hook(try address(of: f, for: "assertions")) { $0.isAssertion = true }
    }
    for f in scenario.panics { hook(try address(of: f, for: "panics")) { $0.isPanic = true } }
    for f in scenario.switches { hook(try address(of: f, for: "switches")) { $0.switches = true } }
    if let entry = scenario.entry {
      knowsEntry = !entry.complete.isEmpty
      for f in entry.complete {
        hook(try address(of: f, for: "entry")) { $0.completesEntry = true }
      }
      for f in entry.exit { hook(try address(of: f, for: "exit")) { $0.beginsExit = true } }
    }
    for s in scenario.stacks {
      let low = try address(of: s.symbol, for: "stacks")
      let size = s.size ?? image.symbols.symbol(named: s.symbol)!.size
      guard size > 0 else {
        throw ScenarioError(
          "scenario `\(scenario.name)`: stack `\(s.symbol)` has no size in the image; add `size:`")
      }
      stacks.append((s.symbol, low, low + UInt64(size)))
    }
    stacks += harness?.stacks ?? []
    conditions = try Conditions(scenario, image: image)
    for name in scenario.atomics ?? [] {
      atomicSymbols.append(
        (try address(of: name, for: "atomics"), image.symbols.symbol(named: name)!.size))
    }
    for r in scenario.ignore {
      let a = try address(of: r.symbol, for: "ignore")
      let size = r.size ?? max(1, image.symbols.symbol(named: r.symbol)!.size)
      ignoredSymbols.append((a, size))
    }
  }

  // MARK: Boot

  func beginObserving() {
    for (i, source) in scenario.sources.enumerated() {
      if let n = source.arrivals { ghost[Ghost.Layout.arrivals + i] = UInt64(n) + 1 }
    }
    if let n = scenario.maxInterrupts { ghost[Ghost.Layout.interruptsLeft] = UInt64(n) + 1 }
    installHooks()
    for index in machine.cpus.indices {
      cpuIndex = index
      ghost[Ghost.Layout.strand + index] = firstStrand(index)
      ghost[Ghost.Layout.kernelGS + index] =
        cpu.cpl == 3 ? cpu[CPU.Word.kernelGSBase] : cpu.base(CPU.Segment.gs)
    }
    cpuIndex = 0
    fillUnusedStacks()
    memory.setBase()
    machine.observation.stopAtShared = true
    machine.keepsOutput = false
    machine.lastEndOfInterrupt = nil
    for (address, size) in atomicSymbols {
      for i in 0..<UInt64(max(size, 1)) {
        if let physical = machine.physicalAddress(cpu: 0, linear: address + i) {
          atomics.insert(physical >> 2)
        }
      }
    }
    resolveIgnored()
    watchConditions()
    machine.observation.lowestSP = cpu.rsp
    instructionsAtStart = machine.instructions
    memory.clearJournal()
  }

  /// Where the memory under `ignore` lies as exploration begins: whoever maps it elsewhere later.
  private func resolveIgnored() {
    var keep: [UInt64: UInt64] = [:]
    for (address, size) in ignoredSymbols {
      for byte in address..<(address + UInt64(size)) {
        guard let physical = machine.physicalAddress(cpu: 0, linear: byte) else { continue }
        keep[physical & ~7, default: ~0] &= ~(0xFF << (8 * (physical & 7)))
      }
    }
    ignored = keep.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Explores with the sources that the image had programmed at the start.
  func takeProgrammedSources() {
    let (sources, notes) = programmedSources()
    scenario.sources = sources
    // They are the scenario's own from here on: another build may program others.
    scenario.sourcesFromImage = nil
    bootNotes += notes
    if sources.isEmpty && !isBooted {
      bootNotes.append(
        "Exploration begins at the image's entry, where it has programmed nothing yet: say where to start."
      )
    }
  }

  /// A disk takes its time: when it has done a command is the schedule's to choose.
  func addDiskSource() {
    machine.diskTakesTime = true
    if scenario.sources.contains(where: { $0.line == 14 }) { return }
    guard scenario.sources.count < Choice.sourceLimit else {
      machine.diskTakesTime = false
      bootNotes.append(
        "There are too many sources to add the disk's: its commands are complete at once.")
      return
    }
    scenario.sources.append(Source(name: "disk", line: 14))
    bootNotes.append("The disk is a source: when it has done a command is left open.")
  }

  private func installHooks() {
    for a in hookSites.keys { machine.setHook(linear: a) }
  }

  // MARK: Strands

  /// Which code this is, told by its stack. Kernel strands are named by the stack's top (or the
  /// first stack pointer seen on it), user strands by the kernel stack that their next entry will
  /// use, their own stack and address space.
  var strand: UInt64 {
    get { ghost[Ghost.Layout.strand + cpuIndex] }
    set { ghost[Ghost.Layout.strand + cpuIndex] = newValue }
  }

  /// RAM ends below the devices.
  static let memoryLimit = 3 << 30

  static let userStrandBit: UInt64 = 1 << 63
  /// With a CPU's number: what it runs before it has loaded a stack of its own.
  static let startStrandBit: UInt64 = 1 << 62

  /// The strand of a CPU where nothing is known of it but its registers.
  func firstStrand(_ index: Int) -> UInt64 {
    let cpu = machine.cpus[index]
    if index > 0 && (machine.isWaitingForStartUp(cpu: index) || machine.isInRealMode(cpu: index)) {
      return World.startStrandBit | UInt64(index)
    }
    return cpu.cpl == 3 ? userStrand() : cpu.rsp
  }

  func userStrand() -> UInt64 {
    let top = machine.readTSSStack(cpuIndex)
    let h =
      (top &* 0x9E37_79B9_7F4A_7C15) ^ (cpu.rsp >> 8) &* 0xD6E8_FEB8_6659_FD93
      ^ cpu[CPU.Word.cr3] &* 0xA076_1D64_78BD_642F
    return World.userStrandBit | h >> 1
  }

  /// How many interrupts are in flight on the present strand.
  var depth: Int {
    let t = Ghost.Layout.activations
    let s = strand
    var n = 0
    for row in 0..<ghost.count(t) where ghost.field(t, row, 2) == s {
      if Activation.isAsynchronous(packed: ghost.field(t, row, 1)) { n += 1 }
    }
    return n
  }

  func owner(strand: UInt64, depth: Int) -> UInt32 {
    for (i, key) in owners.enumerated() where key.strand == strand && key.depth == depth {
      return UInt32(i + 1)
    }
    owners = registry.enter(OwnerKey(strand: strand, depth: depth))
    return owner(strand: strand, depth: depth)
  }

  /// Records of entries in flight whose frames lie on the present strand, innermost first.
  func activationsOnStrand() -> [Activation] {
    let t = Ghost.Layout.activations
    let s = strand
    return (0..<ghost.count(t)).map { Activation(ghost: ghost, row: $0) }
      .filter { $0.strand == s }
  }

  // MARK: Names

  func lockName(_ address: UInt64) -> String { image.symbols.describe(address) }

  func vectorName(_ vector: Int, kind: Event.Kind) -> String {
    switch kind {
    case .nmi: return "NMI"
    case .machineCheck: return "machine check"
    case .exception: return "exception \(vector)"
    case .software where vector == Event.systemCall: return "SYSCALL"
    case .software where vector == Event.systemEnter: return "SYSENTER"
    case .software: return "int 0x" + String(vector, radix: 16)
    default:
      if let source = scenario.sources.first(where: { s in
        s.localTimer
          ? s.cpu == cpuIndex && machine.timerVector(cpu: s.cpu) == vector
          : s.line.map { machine.vector(ofLine: $0) == vector } ?? false
      }) {
        return "interrupt \(vector) (\(source.name))"
      }
      return "interrupt \(vector)"
    }
  }

  /// The stack that ends at `top`: the job's, or whatever object of the image lies there.
  func stackName(_ top: UInt64) -> String {
    if let s = stacks.first(where: { $0.low < top && top <= $0.high }) { return s.name }
    if let s = image.symbols.symbol(containing: top &- 1) { return s.name }
    return "stack 0x" + String(top, radix: 16)
  }

  func function(_ address: UInt64) -> String {
    image.symbols.symbol(containing: address)?.name ?? "0x" + String(address, radix: 16)
  }

  func identity(of v: Violation) -> Counterexample.Identity {
    Counterexample.Identity(
      rule: v.rule, lockClasses: v.locks.map { lockName($0) },
      functions: v.sites.prefix(v.identitySites).map { function($0) } + v.tags)
  }

  func report(_ violation: Violation) {
    var violation = violation
    if let stopAt, stopAt.rule == violation.rule, stopAt.sites == violation.sites {
      violation.endsPath = true
    }
    violations.append(violation)
  }

  func happen(_ happening: Happening) {
    tracer?(happening)
    for rule in book.observers[Int(happening.kind.rawValue)] {
      rule.observe(happening, in: self)
      // What ends the execution hides what else could be said of the same moment.
      if endsNow { return }
    }
  }
}

/// Names within edit distance 3, nearest first, at most three.
func nearestNames(to name: String, among names: [String]) -> [String] {
  func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var previous = row[0]
      row[0] = i + 1
      for j in 0..<b.count {
        let cost = a[i] == b[j] ? previous : min(previous, row[j], row[j + 1]) + 1
        previous = row[j + 1]
        row[j + 1] = cost
      }
    }
    return row[b.count]
  }
  let wanted = Array(name.utf8)
  return names.filter { abs($0.utf8.count - wanted.count) <= 3 }
    .map { (distance(wanted, Array($0.utf8)), $0) }
    .filter { $0.0 <= 3 }.sorted { $0 < $1 }.prefix(3).map(\.1)
}

/// What the checker does before the instruction at an address is executed.
struct HookSite {
  /// Index of the lock discipline whose acquire, try-acquire or release begins here.
  var acquire: Int?
  var tryAcquire: Int?
  var release: Int?
  /// Lock operations come back to here.
  var isReturn = false
  var ends = false
  var isAssertion = false
  var isPanic = false
  var completesEntry = false
  var beginsExit = false
  var switches = false
  /// All work is done here.
  var isEnd = false
  var marker: Marker?
}
