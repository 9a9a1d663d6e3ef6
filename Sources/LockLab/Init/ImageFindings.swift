import Model

/// What `init` makes of an image: by its symbols, by the shape of its functions, and by what it has set
/// up where exploration is to begin.
struct ImageFindings {
  struct Lock {
    var acquire: String
    var release: String
    var kind: LockDiscipline.Kind
    var why: String
  }

  struct Stack {
    var name: String
    var why: String
  }

  var starts: [String] = []
  var locks: [Lock] = []
  /// Functions that look like part of a lock and have no partner.
  var unpaired: [String] = []
  var stacks: [Stack] = []
  var panics: [String] = []
  var assertions: [String] = []
  var switches: [String] = []
  var ends: [String] = []
  /// Symbols that speak of more than one CPU.
  var multiprocessor: [String] = []
  var hasSymbols = true

  private let image: LoadedImage
  private let shapes: FunctionReader

  init(_ image: LoadedImage) {
    self.image = image
    shapes = FunctionReader(image: image.prepared)
    let names = image.symbols.symbolNames.filter { !$0.contains(" ") && !$0.contains("(") }
    hasSymbols = !names.isEmpty
    starts = Self.present(Self.startNames, in: names)
    panics = Self.present(Self.panicNames, in: names)
    assertions = Self.present(Self.assertionNames, in: names)
    switches = Self.present(Self.switchNames, in: names)
    ends = Self.present(["exit_current", "thread_exit", "task_exit", "do_exit"], in: names)
    multiprocessor = names.filter {
      $0.firstMatch(of: /^(smp|mp|ap|cpu)_?(init|start|boot|main|entry)/) != nil
        || $0.contains("trampoline")
    }
    findLocks(names)
    findStacks(names)
  }

  // MARK: Names

  private static let startNames = [
    "scheduler_start", "scheduler", "start_scheduler", "schedule_forever", "cpu_idle", "idle_loop",
    "idle", "kernel_ready", "kernel_main", "kmain", "kernel_start", "start_kernel", "main",
  ]
  private static let panicNames = [
    "panic", "kernel_panic", "kpanic", "do_panic", "die", "fatal", "halt_forever",
    "unexpected_trap",
  ]
  private static let assertionNames = [
    "__assert_fail", "assert_failed", "assertion_failed", "__assert_func", "kassert_failed",
  ]
  private static let switchNames = [
    "switch_to", "__switch_to", "__switch_to_asm", "swtch", "context_switch", "switch_context",
    "switch_stacks", "cpu_switch_to", "switch_threads", "task_switch",
  ]

  private static func present(_ wanted: [String], in names: [String]) -> [String] {
    let known = Set(names)
    return wanted.filter { known.contains($0) }
  }

  // MARK: Locks

  private static let partners: [(acquire: String, release: String)] = [
    ("acquire", "release"), ("lock", "unlock"), ("Lock", "Unlock"), ("enter", "leave"),
    ("take", "give"), ("irqsave", "irqrestore"), ("get", "put"),
  ]

  private mutating func findLocks(_ names: [String]) {
    let known = Set(names)
    var used: Set<String> = []
    for name in names {
      guard let shape = shape(of: name), shape.isAtomic || callsAtomic(shape),
        !shape.returnsFromInterrupt, name.firstMatch(of: /init|destroy|is_|_held|holding/) == nil,
        let release = Self.release(for: name).first(where: { known.contains($0) }),
        let releaseShape = self.shape(of: release), !used.contains(name)
      else { continue }
      used.formUnion([name, release])
      if name.contains("try") { continue }
      let (kind, why) = Self.kind(shape, releaseShape, whole(shape))
      locks.append(Lock(acquire: name, release: release, kind: kind, why: why))
    }
    unpaired = names.filter { name in
      guard !used.contains(name), let shape = shape(of: name), shape.isAtomic, shape.loops else {
        return false
      }
      return !shape.returnsFromInterrupt
    }
  }

  /// Names that the function may have which releases what this one acquires.
  private static func release(for name: String) -> [String] {
    var found: [String] = []
    for (acquire, release) in partners where name.contains(acquire) && !name.contains(release) {
      var other = name.replacing(acquire, with: release)
      found.append(other)
      // spin_lock_irqsave: both words change.
      if other.contains("irqsave") {
        other = other.replacing("irqsave", with: "irqrestore")
        found.insert(other, at: 0)
      }
      found.append(other.replacing("_try", with: ""))
    }
    return found
  }

  private func shape(of name: String) -> FunctionShape? {
    guard let symbol = image.symbols.symbol(named: name) else { return nil }
    return shapes.shape(at: symbol.address, size: symbol.size)
  }

  private func callees(_ shape: FunctionShape) -> [FunctionShape] {
    shape.calls.prefix(8).compactMap { address in
      image.symbols.symbol(containing: address).flatMap {
        $0.address == address ? shapes.shape(at: address, size: $0.size) : nil
      }
    }
  }

  private func callsAtomic(_ shape: FunctionShape) -> Bool {
    callees(shape).contains { $0.isAtomic && $0.instructions < 40 }
  }

  /// A function with what it calls.
  private func whole(_ shape: FunctionShape) -> FunctionShape {
    var whole = shape
    for callee in callees(shape) where callee.instructions < 60 {
      whole.savesFlags = whole.savesFlags || callee.savesFlags
      whole.clearsInterrupts = whole.clearsInterrupts || callee.clearsInterrupts
    }
    return whole
  }

  private static func kind(
    _ acquire: FunctionShape, _ release: FunctionShape, _ whole: FunctionShape
  ) -> (LockDiscipline.Kind, String) {
    if acquire.savesFlags && acquire.clearsInterrupts {
      return (
        .value,
        release.restoresFlags || release.setsInterrupts
          ? "saves EFLAGS, CLI; its partner gives IF back" : "saves EFLAGS, CLI"
      )
    }
    if whole.clearsInterrupts {
      return (.count, "CLI in a function that it calls: a count for the CPU, as it seems")
    }
    return (.plain, "an atomic instruction, and no CLI")
  }

  // MARK: Stacks

  private mutating func findStacks(_ names: [String]) {
    for name in names where name.lowercased().contains("stack") {
      guard let symbol = image.symbols.symbol(named: name), symbol.size >= 512,
        shape(of: name) == nil
      else { continue }
      stacks.append(Stack(name: name, why: "\(symbol.size) bytes, by its name"))
    }
  }
}
