import Emulator

/// A search that is written down between two rounds, or in the midst of one, and taken up by another
/// process.
///
/// What is written: the states seen, the steps between them, what waits, what was found, and everything
/// that was learned. What is not: remembered steps (`RunCache`); they are made again.
extension Explorer {
  /// Writes the search as it stands. To be called from `checkpoint` only.
  public func write(to out: CheckpointWriter) throws {
    join()
    try out.put(workers[0].baseFingerprint.low)
    try out.put(workers[0].baseFingerprint.high)
    try out.put(pass)
    try out.put(root)
    try out.put(progress.seconds)
    try out.put(peakBytes)
    try out.put(firstBrokenAt ?? -1)
    try out.put(all: notes) { try out.put($0) }
    try out.put(all: internalErrors) { try out.put($0) }
    try out.put(all: world.reductions.map(\.rawValue).sorted()) { try out.put($0) }
    try out.put(all: occurrences) {
      try $0.key.write(to: out)
      try out.put($0.value)
    }
    try out.put(all: obstacles) {
      try out.put($0.key)
      try out.put($0.value)
    }
    try out.put(all: outcomes) {
      try out.put($0.key)
      try out.put($0.value)
    }
    try shared.write(to: out, unused: workers.map(\.reservation.rest))
    try out.put(all: olderSteps + workers.map(\.steps)) { try $0.write(to: out) }
    try rounds.write(to: out)
    try writeKnowledge(to: out)
  }

  /// Takes up a search that was written by another process for the same scenario, image and options.
  /// - Throws: what the reader throws; `ScenarioError` where the search did not begin where this one does.
  public func resume(from input: CheckpointReader) throws {
    let base = Fingerprint(low: try input.get(UInt64.self), high: try input.get(UInt64.self))
    guard base == workers[0].baseFingerprint else {
      throw ScenarioError("the checkpoint is of a search that began in another state")
    }
    pass = try input.getInt()
    root = try input.getInt()
    secondsBefore = try input.get(Double.self)
    peakBytes = try input.getInt()
    let broken = try input.getInt()
    notes = try input.getAll { try input.getString() }
    internalErrors = try input.getAll { try input.getString() }
    world.reductions = Set(
      try input.getAll { try input.getString() }.compactMap(Reduction.init(rawValue:)))
    let found = try input.getAll { (try Violation(from: input), try input.get(Occurrence.self)) }
    let obstacles = try input.getAll { (try input.getString(), try input.getInt()) }
    let outcomes = try input.getAll {
      (try input.getArray(Int64.self), try input.get(Occurrence.self))
    }
    reset()
    // What the states expanded so far have taught about the rest is not known any more.
    refuseExpansionInPart()
    firstBrokenAt = broken < 0 ? nil : broken
    occurrences = Dictionary(uniqueKeysWithValues: found)
    self.obstacles = Dictionary(uniqueKeysWithValues: obstacles)
    self.outcomes = Dictionary(uniqueKeysWithValues: outcomes)
    try shared.read(from: input)
    workers[0].abandonReservation()
    olderSteps = try input.getAll { try StepStream(from: input) }
    try rounds.read(from: input)
    try readKnowledge(from: input)
    isResumed = true
  }

  private func writeKnowledge(to out: CheckpointWriter) throws {
    let worlds = workers.map(\.world)
    func sum(_ count: (Observation) -> Int) throws {
      try out.put(worlds.reduce(0) { $0 + count($1.machine.observation) })
    }
    try sum(\.newlyShared)
    try sum(\.readsBelowStack)
    try sum(\.readsOfFilling)
    try sum(\.sharedTableWrites)
    try sum(\.victimReads)
    try sum(\.clockReads)
    try out.put(worlds.reduce(0) { $0 + $1.cutOffs })
    try out.put(world.victimSeen ? 1 : 0)
    let (keys, handlers) = world.registry.all
    try out.put(keys.map(\.strand))
    try out.put(keys.map { Int64($0.depth) })
    try out.put(all: handlers.sorted { $0.key < $1.key }) {
      try out.put($0.key)
      try out.put($0.value.entries.sorted())
      try out.put($0.value.savedSlots)
    }
    try out.put(world.hookSites.filter(\.value.isReturn).keys.sorted())
    try out.put(all: world.handlerLocks) {
      try out.put($0.key)
      try out.put($0.value)
    }
    try world.handlerStacks.write(to: out)
    try out.put(world.synchronisation.sorted())
    try world.lockOrder.write(to: out)
    try out.put(all: world.slack) {
      try out.put($0.key)
      try out.put($0.value)
    }
    try out.put(all: world.deepest) {
      try out.put($0.key)
      try out.put($0.value)
    }
    let memory = world.memory
    let touched = (0..<memory.frameCount).filter { memory.frames[$0] != nil }
    try out.put(all: touched) { frame in
      try out.put(frame)
      try out.put(
        UnsafeRawBufferPointer(
          start: memory.shadow(ofFrame: frame), count: Memory.frameSize))
    }
  }

  private func readKnowledge(from input: CheckpointReader) throws {
    world.machine.observation.newlyShared = try input.getInt()
    world.machine.observation.readsBelowStack = try input.getInt()
    world.machine.observation.readsOfFilling = try input.getInt()
    world.machine.observation.sharedTableWrites = try input.getInt()
    world.machine.observation.victimReads = try input.getInt()
    world.machine.observation.clockReads = try input.getInt()
    world.cutOffs = try input.getInt()
    world.victimSeen = try input.getInt() != 0
    let strands = try input.getArray(UInt64.self)
    let depths = try input.getArray(Int64.self)
    let handlers = try input.getAll {
      (
        try input.getInt(),
        OwnerRegistry.Handlers(
          entries: Set(try input.getArray(UInt64.self)), savedSlots: try input.get(UInt64.self))
      )
    }
    let keys = zip(strands, depths).map { World.OwnerKey(strand: $0, depth: Int($1)) }
    world.registry.enter((keys, Dictionary(uniqueKeysWithValues: handlers)))
    world.owners = keys
    for address in try input.getArray(UInt64.self) { world.hook(address) { $0.isReturn = true } }
    world.handlerLocks = Dictionary(
      uniqueKeysWithValues: try input.getAll {
        (try input.get(UInt64.self), try input.get(UInt64.self))
      })
    world.handlerStacks = try HandlerStacks(from: input)
    world.synchronisation = Set(try input.getArray(UInt64.self))
    world.lockOrder = try LockOrder(from: input)
    world.slack = Dictionary(
      uniqueKeysWithValues: try input.getAll { (try input.getInt(), try input.get(UInt64.self)) })
    world.deepest = Dictionary(
      uniqueKeysWithValues: try input.getAll { (try input.getInt(), try input.get(UInt64.self)) })
    for _ in 0..<(try input.getInt()) {
      let frame = try input.getInt()
      try input.get(
        into: UnsafeMutableRawBufferPointer(
          start: world.memory.shadow(ofFrame: frame), count: Memory.frameSize))
    }
  }
}

extension Violation {
  fileprivate func write(to out: CheckpointWriter) throws {
    try out.put(rule)
    try out.put(sites)
    try out.put(locks)
    try out.put(endsPath ? 1 : 0)
    try out.put(onlyIfHandlerTakes.map { [$0] } ?? [])
    try out.put(unlessHandlerStack.map { [$0] } ?? [])
    try out.put(unlessSynchronised.map { [$0] } ?? [])
    try out.put(details)
    try out.put(identitySites)
    try out.put(all: tags) { try out.put($0) }
  }

  fileprivate init(from input: CheckpointReader) throws {
    let rule = try input.getString()
    self.init(
      rule, sites: try input.getArray(UInt64.self), locks: try input.getArray(UInt64.self),
      endsPath: try input.getInt() != 0,
      onlyIfHandlerTakes: try input.getArray(UInt64.self).first,
      unlessHandlerStack: try input.getArray(UInt64.self).first,
      unlessSynchronised: try input.getArray(UInt64.self).first,
      details: try input.getArray(UInt64.self), identitySites: try input.getInt(),
      tags: try input.getAll { try input.getString() })
  }
}

extension LockOrder {
  fileprivate func write(to out: CheckpointWriter) throws {
    for order in [noted, known] {
      try out.put(all: order) {
        try out.put($0.key)
        try out.put($0.value.sorted())
      }
    }
  }

  fileprivate init(from input: CheckpointReader) throws {
    self.init()
    func order() throws -> [UInt64: Set<UInt64>] {
      Dictionary(
        uniqueKeysWithValues: try input.getAll {
          (try input.get(UInt64.self), Set(try input.getArray(UInt64.self)))
        })
    }
    noted = try order()
    known = try order()
  }
}

extension SharedSearch {
  fileprivate func write(to out: CheckpointWriter, unused: [Range<Int>]) throws {
    try out.put(expanded.load(ordering: .relaxed))
    try out.put(entered.load(ordering: .relaxed))
    try out.put(transitions.load(ordering: .relaxed))
    try out.put(instructions.load(ordering: .relaxed))
    try out.put(learnedAt.load(ordering: .relaxed))
    try out.put(contexts.all)
    try table.write(to: out, unused: unused)
    try kinds.write(to: out, count: table.numbers)
  }

  fileprivate func read(from input: CheckpointReader) throws {
    expanded.store(try input.getInt(), ordering: .relaxed)
    enteredBefore = try input.getInt()
    entered.store(enteredBefore, ordering: .relaxed)
    transitions.store(try input.getInt(), ordering: .relaxed)
    instructions.store(try input.getInt(), ordering: .relaxed)
    learnedAt.store(try input.getInt(), ordering: .relaxed)
    contexts.set(try input.getArray(UInt64.self))
    try table.read(from: input)
    try kinds.read(from: input, count: table.numbers)
  }
}
