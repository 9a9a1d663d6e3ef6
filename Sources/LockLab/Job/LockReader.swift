import Model

/// Reads how a kernel's locks are acquired and released.
extension ScenarioReader {
  static let lockKeys = [
    "kind", "acquire", "release", "try-acquire", "acquire-shared", "release-shared",
    "try-acquire-shared", "success", "lock-argument", "lock", "flags-argument", "flags-pointer",
    "handed-over",
  ]

  mutating func readLocks(_ node: JobNode) throws {
    result.symbols["locks"] = []
    result.scenario.locks = []
    for item in try node.list() {
      let fields = try item.fields(Self.lockKeys, of: "a lock")
      let lock = try lock(item, fields)
      result.scenario.locks.append(lock)
      if let shared = try sharedSide(of: lock, item, fields) {
        result.scenario.locks.append(shared)
      }
    }
  }

  private mutating func functions(
    _ key: String, _ fields: [String: JobNode]
  ) throws -> [String] {
    try (fields[key]?.items() ?? []).map { try use($0, for: "locks") }
  }

  private mutating func lock(_ item: JobNode, _ fields: [String: JobNode]) throws -> LockDiscipline
  {
    var lock = LockDiscipline(
      acquire: try functions("acquire", fields), release: try functions("release", fields))
    lock.tryAcquire = try functions("try-acquire", fields)
    guard !lock.acquire.isEmpty || !lock.tryAcquire.isEmpty, !lock.release.isEmpty else {
      throw item.error("a lock needs the functions that `acquire` and `release` it")
    }
    lock.handedOver = try functions("handed-over", fields)
    if let kind = fields["kind"] {
      let names = LockDiscipline.Kind.allCases.map(\.rawValue)
      lock.kind = LockDiscipline.Kind(rawValue: try kind.choice(names, what: "kind of lock"))!
    }
    try readPlace(of: &lock, fields)
    if let success = fields["success"] {
      if case .scalar(let scalar) = success.node, scalar.string == "nonzero" {
        lock.success = nil
      } else {
        guard let value = success.wholeNumber else {
          throw success.error(
            "expected the number that means success, or 'nonzero', as in `success: 0`")
        }
        lock.success = value
      }
      guard !lock.tryAcquire.isEmpty || fields["try-acquire-shared"] != nil else {
        throw success.error("`success` is what a `try-acquire` returns; there is none")
      }
    }
    for key in ["flags-argument", "flags-pointer"] {
      guard let argument = fields[key] else { continue }
      guard lock.kind == .value else {
        throw argument.error("only a lock of kind 'value' hands its flags to release")
      }
      let number = try argument.number(1...16)
      if key == "flags-argument" { lock.flagsArgument = number } else { lock.flagsPointer = number }
    }
    if lock.kind != .value { lock.flagsArgument = nil }
    return lock
  }

  private mutating func readPlace(of lock: inout LockDiscipline, _ fields: [String: JobNode]) throws
  {
    if let argument = fields["lock-argument"] {
      if let place = fields["lock"] {
        throw place.error("`lock` and `lock-argument` both say where the lock is; leave one out")
      }
      lock.lockArgument = try argument.number(1...16)
    }
    guard let place = fields["lock"] else { return }
    let parts = try place.fields(["argument", "register", "symbol", "offset"], of: "`lock`")
    let named = ["argument", "register", "symbol"].filter { parts[$0] != nil }
    guard named.count == 1 else {
      throw place.error(
        "where the lock is: one of `argument: N`, `register: NAME` and `symbol: NAME`, and perhaps "
          + "`offset: BYTES`")
    }
    if let argument = parts["argument"] { lock.lockArgument = try argument.number(1...16) }
    if let register = parts["register"] {
      let name = try register.choice(LockPlace.registers.keys.sorted(), what: "register")
      lock.lockPlace = .register(LockPlace.registers[name]!)
    }
    if let symbol = parts["symbol"] { lock.lockPlace = .symbol(try use(symbol, for: "locks")) }
    if let offset = parts["offset"] {
      guard let bytes = offset.wholeNumber, abs(bytes) < 1 << 31 else {
        throw offset.error("expected a number of bytes")
      }
      lock.lockOffset = Int(bytes)
    }
  }

  /// The side of a reader-writer lock that several may have at the same time.
  private mutating func sharedSide(
    of lock: LockDiscipline, _ item: JobNode, _ fields: [String: JobNode]
  ) throws -> LockDiscipline? {
    var shared = lock
    shared.acquire = try functions("acquire-shared", fields)
    shared.tryAcquire = try functions("try-acquire-shared", fields)
    shared.release = try functions("release-shared", fields)
    if shared.acquire.isEmpty && shared.tryAcquire.isEmpty && shared.release.isEmpty { return nil }
    guard !shared.release.isEmpty, !shared.acquire.isEmpty || !shared.tryAcquire.isEmpty else {
      throw item.error("readers need the functions that `acquire-shared` and `release-shared` it")
    }
    shared.isShared = true
    shared.handedOver = []
    return shared
  }
}
