/// CPUs, memory and devices that run a kernel's image, one instruction at a time, deterministically.
///
/// The machine knows nothing of checking. Whatever is not determined by its state (when a device
/// raises its line, what a read of the time-stamp counter yields) is done from outside, between
/// calls of `run`. Its whole state is the words of `cpus` and the contents of `memory`: devices
/// keep theirs in the first hidden frame of memory, so that undo, comparison and fingerprint
/// cover them too.
public final class Machine {
  public let memory: Memory
  public let cpus: [CPU]

  /// Instructions retired since the machine was made; never part of the state.
  @inline(__always) public internal(set) var instructions: UInt64 {
    get { vitals.pointee.instructions }
    set { vitals.pointee.instructions = newValue }
  }

  /// What the last `run` that stopped with `.event` came upon.
  @inline(__always) public internal(set) var event: Event {
    _read { yield vitals.pointee.event }
    _modify { yield &vitals.pointee.event }
  }

  /// What to watch while memory is observed (see `Memory.observed`); ignored otherwise.
  @inline(__always) public var observation: Observation {
    _read { yield vitals.pointee.observation }
    _modify { yield &vitals.pointee.observation }
  }

  /// Whether the PIT counts instructions and raises IRQ 0 by itself, as a plain run (boot, bench)
  /// wants; a search turns it off and raises lines itself.
  public var timersRun = true

  /// Whether output is kept: a search, which sends the same bytes over and over, does not want it.
  public var keepsOutput = true

  /// Everything the guest sent to COM1; output only, never read back, not part of the state.
  public var serialOutput: [UInt8] = []

  /// The same of COM2.
  public var secondSerialOutput: [UInt8] = []

  /// Everything the guest wrote to port 0xE9; like `serialOutput`, not part of the state.
  public var debugOutput: [UInt8] = []

  /// A plain run stops with `.event` when the guest has sent this to COM1 or port 0xE9; empty: never.
  public var stopText: [UInt8] = []
  var isTextReached = false

  /// While memory is observed: whether a disk's commands wait for `completeDisk`.
  public var diskTakesTime = false

  /// What RDTSC reads; nil: retired instructions, or `setObservedTime` while memory is observed.
  public var timeStampCounter: (() -> UInt64)?

  /// What the guest wrote to the isa-debug-exit port, once it has.
  public internal(set) var exitValue: UInt32?

  /// What the latest end-of-interrupt command did; look at it after an `.output` event for port
  /// 0x20 or 0xA0. Not part of the state.
  public var lastEndOfInterrupt: EndOfInterrupt?

  /// Plain runs: the value of `clock` at which a timer's interrupt comes next; of the PIT's alone.
  var timerDeadline = UInt64.max
  var channelDeadline = UInt64.max
  /// Plain runs of several CPUs: whose turn it is.
  var turn = 0
  /// Where in physical memory the access in flight goes that met a device.
  var devicePhysical: UInt64 = 0
  /// The local APICs' registers; frames never move.
  let apicWords: UnsafeMutablePointer<UInt64>
  /// Plain runs: time that passed while the CPU was halted, in instructions.
  var idleInstructions: UInt64 = 0
  /// Instructions of the running slice that `instructions` does not count yet.
  var executedInSlice: UInt64 = 0

  /// What could not be modelled, when `run` stopped with `.unmodelled`.
  public internal(set) var unmodelled: String?

  /// A fault raised by the instruction in flight: vector, or -1. Set by the access and system
  /// paths, consumed by the interpreter.
  @inline(__always) var faultVector: Int {
    get { vitals.pointee.faultVector }
    set { vitals.pointee.faultVector = newValue }
  }
  @inline(__always) var faultError: UInt32 {
    get { vitals.pointee.faultError }
    set { vitals.pointee.faultError = newValue }
  }

  /// What the interpreter touches all the time. Behind a pointer, because a stored property of a
  /// class pays for a dynamic exclusivity check at each access.
  struct Vitals {
    var instructions: UInt64 = 0
    var faultVector = -1
    var faultError: UInt32 = 0
    var event = Event()
    var observation = Observation()
  }
  private let vitals: UnsafeMutablePointer<Vitals>

  /// Per CPU: translation look-aside buffers and the place in decoded code.
  let cores: UnsafeMutablePointer<Core>
  let decodeCache: DecodeCache
  /// Tests: treat flat segments as if they were not, so that every instruction takes the path of
  /// its family.
  package var segmentsForced = false
  /// Linear addresses of hooks (`setHook`).
  var hooks: Set<UInt64> = []

  /// Pseudo-vector: a data address is not canonical; #SS or #GP, by the operand's segment.
  static let canonicalFault = 0xFFF
  /// Pseudo-vector: the instruction in flight touches something visible and was not executed.
  static let visibleFault = 0x1000
  /// Pseudo-vector: the instruction in flight is not modelled; `unmodelled` says what.
  static let unmodelledFault = 0x1001
  /// Pseudo-vector: the instruction in flight touches a device and is to be executed alone.
  static let deviceFault = 0x1002

  /// - Parameter disks: contents of the IDE disks, first and second of the first channel.
  public init(cpuCount: Int = 1, ramBytes: Int = 64 << 20, disks: [[UInt8]] = []) {
    precondition((1...LocalAPIC.cpuLimit).contains(cpuCount), "1 to 8 CPUs")
    memory = Memory(ramBytes: ramBytes, disks: disks)
    apicWords = memory.frame(memory.ramFrames + 2).assumingMemoryBound(to: UInt64.self)
    cpus = (0..<cpuCount).map { _ in CPU() }
    vitals = .allocate(capacity: 1)
    vitals.initialize(to: Vitals())
    cores = .allocate(capacity: cpuCount)
    for (index, cpu) in cpus.enumerated() {
      (cores + index).initialize(to: Core(words: cpu.words))
    }
    decodeCache = DecodeCache(memory: memory)
    resetDevices()
    for cpu in cpus.indices.dropFirst() { initialise(cpu) }
  }

  deinit {
    // The CPUs' blocks (768 bytes each) are not freed: a copy of `CPU` is a bare pointer, and may
    // be read in the very expression that lets go of the machine.
    for index in 0..<cpus.count { cores[index].deallocate() }
    cores.deallocate()
    vitals.deinitialize(count: 1)
    vitals.deallocate()
  }
}

/// Why `Machine.run` came back.
public enum Stop: UInt8, Sendable {
  /// As many instructions as asked for were executed.
  case limit
  /// Observed runs only: the next instruction is visible, or is hooked, and was not executed.
  case visible
  /// Observed runs only: something of `Event.Kind` happened; the machine is at the boundary after it.
  case event
  /// The CPU is halted and no deliverable interrupt is pending.
  case halted
  /// Triple fault.
  case shutdown
  /// The next instruction (or what it touches) is not modelled; it was not executed.
  case unmodelled
  /// The guest wrote to the isa-debug-exit port (0xF4 or 0x501); `Event.value` is what it wrote.
  case exit
}

/// What changed control, the stack or the interrupt flag.
public struct Event: Sendable {
  public enum Kind: UInt8, Sendable {
    case none
    /// An external interrupt was delivered.
    case interrupt
    case nmi
    /// An exception was delivered.
    case exception
    /// INT n, INT3, INTO, SYSCALL, SYSENTER entered a handler. SYSCALL and SYSENTER push nothing:
    /// their `vector` is `Event.systemCall` or `Event.systemEnter`.
    case software
    /// IRET, SYSRET, SYSEXIT (the last two: `vector` is `Event.systemCall` or `.systemEnter`).
    case `return`
    /// Another stack was loaded: MOV SP, XCHG with SP, POP SP, LSS, MOV SS, a task switch. With
    /// `value` 1: an instruction that usually stays on its stack (MOV SP,BP, LEAVE, LEA) moved far.
    case stack
    /// CLI, STI or POPF changed IF.
    case interruptFlag
    /// A segment register was loaded by an instruction of its own.
    case segment
    /// OUT to a port; `vector` is the port, `value` what was written.
    case output
    /// IN from a port; `vector` is the port, `value` what was read.
    case input
    /// A machine check was delivered.
    case machineCheck
    /// A register of a device in memory was read or written; `value` is its physical address,
    /// `vector` 1 for a write.
    case device
  }
  /// What stands for a vector where SYSCALL and SYSRET change rings.
  public static let systemCall = 0x100
  /// The same for SYSENTER and SYSEXIT.
  public static let systemEnter = 0x101

  public var kind = Kind.none
  public var cpu = 0
  /// Interrupt vector, port, or segment register.
  public var vector = 0
  public var errorCode: UInt32 = 0
  public var value: UInt64 = 0
  /// Linear address of the instruction that did it (of the interrupted one, for an interrupt).
  public var rip: UInt64 = 0
  public var oldSP: UInt64 = 0
  public var newSP: UInt64 = 0
  public var oldCPL = 0
  public var newCPL = 0
  public var oldFlags: UInt64 = 0
  public init() {}
}

/// What an observed run watches.
///
/// *Sharing*: while memory is observed every data access looks at the shadow word of each four
/// bytes it touches (see `Shadow`): bytes that one owner alone touches are that owner's; bytes that
/// several read and none writes stay quiet; any others become *shared*, `newlyShared` counts them, and from
/// then on a run stops with `.visible` before an instruction that touches them.
public struct Observation {
  /// Instruction classes (`InstructionClass`) before which the run stops with `.visible`.
  public var stopBefore: UInt16 = 0
  /// Whose accesses these are; 1 or more. Set from outside whenever the context changes.
  public var owner: UInt32 = 1
  /// End of the part of its stack that is this context's own (linear); 0 where that is not known.
  public var stackTop: UInt64 = 0
  /// Whether shared bytes stop the run.
  public var stopAtShared = true
  /// Granules that became shared since this was last set to zero.
  public var newlyShared = 0
  /// Data reads of granules in the 512 bytes below the stack pointer, since last set to zero.
  public var readsBelowStack = 0
  /// Data reads that found nothing but what `Memory.fill` left, since last set to zero: of local variables
  /// that were not written; and the linear address of the latest instruction that made one.
  public var readsOfFilling = 0
  public var fillingReadAt: UInt64 = 0
  /// Stores of a CPU to page-table entries in use, while another CPU runs with paging.
  public var sharedTableWrites = 0
  /// What the run that stopped with `.visible` was about to access: physical address, bytes (0: it
  /// stopped for another reason), and 1 a write, 2 an update, 4 locked, 8 a device.
  public var stopAddress: UInt64 = 0
  public var stopSize: UInt8 = 0
  public var stopFlags: UInt8 = 0
  /// Reads of clocks: the time-stamp counter, the timer's counters, the calendar.
  public var clockReads = 0
  /// Where an interrupt's frame lies that the present code should not look into, and which of its
  /// 64 slots hold what the interrupted code had there: bit i is the slot at `victimTop` minus i times
  /// the slot's size. 0: none.
  public var victimTop: UInt64 = 0
  public var victimSlots: UInt64 = 0
  /// Slots have 1 << this bytes: 2, or 3 in 64-bit code.
  public var victimSlotShift: UInt64 = 2
  /// Data reads of such slots.
  public var victimReads = 0
  /// Where GS leads while the kernel has it; accesses through GS in ring 0 are judged by it. 1: not known
  /// (no base is odd).
  public var kernelGSBase: UInt64 = 1
  /// Linear address of an instruction of ring 0 that used GS with another base. 0: none since last set.
  public var foreignGSUse: UInt64 = 0
  /// Data of an interrupted function below its stack pointer, which the interrupt has overwritten: bit i
  /// stands for the eight bytes that end 8·i below `clobberedTop`. What is written again is taken out.
  public var clobberedTop: UInt64 = 0
  public var clobberedSlots: UInt16 = 0
  /// Linear address of an instruction of ring 0 that read such data. 0: none since last set.
  public var clobberedRead: UInt64 = 0
  /// The lowest stack pointer since it was last set (of the CPU that runs).
  public var lowestSP = UInt64.max
  /// Shadow words of bytes whose writes are visible at all times (`Machine.watch`): their addresses.
  var watched: [UInt] = []
  /// Whether each data access is appended to `accesses`.
  public var logAccesses = false
  public var accesses: [Access] = []
  public init() {}
}

public struct Access: Sendable {
  public var physical: UInt64
  public var linear: UInt64
  public var rip: UInt64
  public var size: UInt8
  public var isWrite: Bool
  public var isLocked: Bool
}

/// Bits of a shadow word: who touches four bytes of memory.
public enum Shadow {
  /// Owner number, shifted.
  public static let ownerShift: UInt32 = 4
  /// The owner wrote.
  public static let written: UInt32 = 1
  /// More than one owner reads, none writes.
  public static let readByMany: UInt32 = 2
  /// More than one owner, one writes: an access is visible.
  public static let shared: UInt32 = 4
  /// The owner that stands for the processor, which reads descriptors by itself.
  public static let processor: UInt32 = 0xFFF_FFFF << ownerShift
  /// Used by a context as its own part of a stack.
  public static let stack: UInt32 = 8
}

/// Classes of instructions that another context, or a rule, may see.
public enum InstructionClass {
  /// CLI, STI, POPF, IRET.
  public static let interruptFlag: UInt16 = 1 << 0
  /// LOCK prefix, XCHG with memory.
  public static let locked: UInt16 = 1 << 1
  /// IN, OUT, INS, OUTS.
  public static let io: UInt16 = 1 << 2
  public static let halt: UInt16 = 1 << 3
  /// LGDT, LIDT, LLDT, LTR, MOV CR, WRMSR, INVLPG, CLTS …
  public static let privileged: UInt16 = 1 << 4
  /// Writes the stack pointer other than by PUSH, POP, CALL, RET, ADD, SUB, AND, LEA, ENTER, LEAVE,
  /// MOV SP,BP.
  public static let stackLoad: UInt16 = 1 << 5
  /// INT n, INT3, INTO, SYSCALL, SYSENTER.
  public static let gate: UInt16 = 1 << 6
  /// RDTSC, RDTSCP: what it reads is a choice.
  public static let time: UInt16 = 1 << 7
  /// Loads a segment register.
  public static let segment: UInt16 = 1 << 8
  /// The address has a hook (`Machine.setHook`).
  public static let hook: UInt16 = 1 << 9
  public static let pause: UInt16 = 1 << 10
}
