import Emulator
import Synchronization

/// What contexts are called, and which handlers were entered, in all worlds of one search.
final class OwnerRegistry: Sendable {
  private let keys = Mutex<[World.OwnerKey]>([])

  /// The handlers that were entered by one vector.
  struct Handlers: Equatable {
    var entries: Set<UInt64> = []
    /// `VictimUse.savedSlots` of all of them.
    var savedSlots: UInt64 = 0
  }
  private let handlers = Mutex<[Int: Handlers]>([:])

  /// Enters a handler that one world has met.
  /// - Returns: all of that vector, and whether they save more than was known before of others.
  func enter(_ entry: UInt64, _ use: VictimUse, of vector: Int) -> (Handlers, isMore: Bool) {
    handlers.withLock { handlers in
      let before = handlers[vector]
      var now = before ?? Handlers()
      now.entries.insert(entry)
      now.savedSlots |= use.savedSlots
      handlers[vector] = now
      return (now, before.map { $0.savedSlots != now.savedSlots } ?? false)
    }
  }

  func victimUse(of vector: Int) -> Handlers { handlers.withLock { $0[vector] ?? Handlers() } }

  /// For a checkpoint.
  var all: (keys: [World.OwnerKey], handlers: [Int: Handlers]) {
    (keys.withLock { $0 }, handlers.withLock { $0 })
  }

  func enter(_ all: (keys: [World.OwnerKey], handlers: [Int: Handlers])) {
    keys.withLock { $0 = all.keys }
    handlers.withLock { $0 = all.handlers }
  }

  /// Enters a context that one world has met for the first time.
  /// - Returns: all, each at its number minus one.
  func enter(_ key: World.OwnerKey) -> [World.OwnerKey] {
    keys.withLock { keys in
      if !keys.contains(key) { keys.append(key) }
      return keys
    }
  }
}

/// The user contexts of a search, by the tops of their stacks.
final class ContextRegistry: Sendable {
  private let tops = Mutex<[UInt64]>([])

  func enter(_ top: UInt64) -> [UInt64] {
    tops.withLock { tops in
      if !tops.contains(top) { tops.append(top) }
      return tops
    }
  }

  var count: Int { tops.withLock { $0.count } }
  var all: [UInt64] { tops.withLock { $0 } }
  func set(_ all: [UInt64]) { tops.withLock { $0 = all } }
}

/// Joins what the worlds of several threads have learned, each for itself. All of it only grows, and does
/// not depend on the order in which it is joined.
enum Knowledge {
  /// Makes each world know what all of them know.
  ///
  /// Two threads may each have seen one of two contexts that touch the same bytes: those are shared, though
  /// neither has noticed.
  /// - Returns: whether something came to light that some world did not know.
  static func join(_ worlds: [World]) -> Bool {
    guard worlds.count > 1 else { return false }
    var isNew = joinShadows(worlds.map(\.memory))
    isNew = joinHooks(worlds) || isNew
    joinFacts(worlds)
    return isNew
  }

  /// What decides whether a broken rule counts, and what a result says.
  static func joinFacts(_ worlds: [World]) {
    guard worlds.count > 1 else { return }
    let first = worlds[0]
    for world in worlds.dropFirst() {
      first.handlerLocks.merge(world.handlerLocks) { min($0, $1) }
      first.handlerStacks.merge(world.handlerStacks)
      first.synchronisation.formUnion(world.synchronisation)
      let tableWrites = world.machine.observation.sharedTableWrites
      if tableWrites > 0 { first.machine.observation.sharedTableWrites = tableWrites }
      first.lockOrder.formUnion(world.lockOrder)
      first.slack.merge(world.slack) { max($0, $1) }
      first.deepest.merge(world.deepest) { min($0, $1) }
      if world.victimSeen { first.victimSeen = true }
    }
    for world in worlds { world.victimUses.removeAll() }
    for world in worlds.dropFirst() {
      world.handlerLocks = first.handlerLocks
      world.handlerStacks = first.handlerStacks
      world.synchronisation = first.synchronisation
      world.lockOrder = first.lockOrder
      world.victimSeen = first.victimSeen
    }
  }

  private static func joinHooks(_ worlds: [World]) -> Bool {
    var isNew = false
    let returns = Set(worlds.flatMap { $0.hookSites.filter(\.value.isReturn).keys })
    for world in worlds {
      for address in returns where world.hookSites[address]?.isReturn != true {
        world.hook(address) { $0.isReturn = true }
        isNew = true
      }
    }
    return isNew
  }

  private static func joinShadows(_ memories: [Memory]) -> Bool {
    var isNew = false
    for frame in 0..<memories[0].frameCount {
      guard memories.contains(where: { $0.frames[frame] != nil }) else { continue }
      let shadows = memories.map { $0.shadow(ofFrame: frame) }
      for i in 0..<Memory.frameSize / 4 {
        var joined = shadows[0][i]
        var differs = false
        for shadow in shadows.dropFirst() where shadow[i] != joined {
          differs = true
          joined = Shadow.join(joined, shadow[i])
        }
        if !differs { continue }
        for shadow in shadows {
          if joined & Shadow.shared != 0 && shadow[i] & Shadow.shared == 0 { isNew = true }
          shadow[i] = joined
        }
      }
    }
    return isNew
  }
}
