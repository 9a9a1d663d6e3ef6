import Emulator

/// Follows a counterexample on another build of its image by what it means: the events that come
/// about, in their functions, and which source is raised between which of them.
///
/// Where exactly between two events a source was raised is not part of the meaning: of the
/// instructions in the same function that can be interrupted, the one as far from the event before as
/// it was then is taken. What that misses is for a search from `anchor` to find.
final class Retracing {
  let execution: Execution
  private let trace: Trace
  private let landmarks: Landmarks

  /// Landmarks that the new build came by too.
  private(set) var matched = 0
  var expected: Int { landmarks.landmarks.count }
  /// Why the rest could not be followed.
  private(set) var divergence: String?
  /// The last place before a choice, and how many sources had been raised.
  private(set) var anchor: Execution.Mark
  private(set) var anchorSchedule = Schedule()
  private(set) var raised = 0
  /// Sources that the schedule raises.
  var injections: Int { landmarks.injections.count }

  init(_ c: Counterexample, scenario: Scenario, image: PreparedImage) throws {
    landmarks = Landmarks(c, scenario: scenario)
    execution = try Execution(
      c, schedule: Schedule(), scenario: scenario, image: image, assumesHandlerLocks: false)
    trace = Trace(execution.replayer)
    execution.raise(nil)
    anchor = execution.mark()
  }

  /// - Returns: whether the same defect shows.
  func follow() -> Bool {
    trace.observe()
    defer { execution.world.tracer = nil }
    for (index, injection) in landmarks.injections.enumerated() {
      if !comeTo(injection.landmarks) { return execution.ending == .broken }
      anchor = execution.mark()
      anchorSchedule = execution.scheduleSoFar
      raised = index
      if !raise(injection) { return execution.ending == .broken }
    }
    if !comeTo(expected) { return execution.ending == .broken }
    anchor = execution.mark()
    anchorSchedule = execution.scheduleSoFar
    raised = landmarks.injections.count
    for _ in 0..<(4 * landmarks.tail + Self.patience) where !isAtRest {
      if case .end = execution.advance() { break }
      if execution.ending == .broken { break }
    }
    return execution.ending == .broken
  }

  /// Instructions without an event, beyond four times what they were, after which an event is given up.
  private static let patience = 20_000

  private var isAtRest: Bool {
    execution.world.cpu[CPU.Word.activity] != CPU.Activity.running
      && !execution.machine.isAboutToDeliver(execution.world.cpuIndex)
  }

  /// Goes on until so many landmarks were passed.
  private func comeTo(_ count: Int) -> Bool {
    var waited = 0
    while matched < count {
      let before = trace.events.count
      if isAtRest {
        diverge("the CPU halts")
        return false
      }
      let motion = execution.advance()
      if !takeUp(from: before) { return false }
      if case .end(let ending) = motion {
        if case .diverged(let reason) = ending { diverge(reason) }
        return matched >= count
      }
      if execution.ending != nil { return false }
      waited = trace.events.count == before ? waited + 1 : 0
      if waited > 4 * landmarks.longestWait + Self.patience {
        diverge("nothing of the kind happens for \(waited) instructions")
        return false
      }
    }
    return true
  }

  /// Compares new events with the landmarks that are due.
  private func takeUp(from index: Int) -> Bool {
    for event in trace.events[index...] where Landmarks.isLandmark(event.kind) {
      let found = Landmarks.Landmark(event)
      guard matched < expected, landmarks.landmarks[matched] == found else {
        diverge("\(found.text) in `\(found.function)`")
        return false
      }
      matched += 1
    }
    return true
  }

  private func diverge(_ what: String) {
    let place = execution.image.symbols.describe(execution.world.cpu.rip)
    if matched < expected {
      let due = landmarks.landmarks[matched]
      divergence =
        "at \(place), after \(matched) of \(expected) events: not \(due.text) in `\(due.function)`, but "
        + what
    } else {
      divergence = "at \(place), after all events: \(what)"
    }
  }

  /// Raises a source at the most similar place before the next event.
  private func raise(_ injection: Landmarks.Injection) -> Bool {
    let world = execution.world
    guard world.scenario.sources.indices.contains(injection.source) else {
      diverge("the scenario has no such source")
      return false
    }
    let source = world.scenario.sources[injection.source]
    let before = trace.events.count
    var best: (distance: Int, mark: Execution.Mark)?
    for travelled in 0...(4 * injection.distance + Self.patience) {
      let distance = abs(travelled - injection.distance)
      if let best, best.distance <= distance { break }
      let fits =
        injection.function.map {
          world.function(world.cpu.rip) == $0 && world.isTakenAtOnce(source)
        } ?? true
      if fits && world.canFire(injection.source, source) { best = (distance, execution.mark()) }
      if isAtRest { break }
      guard case .instruction = execution.advance(), trace.events.count == before,
        execution.ending == nil
      else { break }
    }
    guard let best else {
      diverge("\(source.name) cannot interrupt there")
      return false
    }
    execution.goBack(to: best.mark)
    trace.events.removeLast(trace.events.count - before)
    execution.raise(injection.source)
    _ = execution.advance()
    return takeUp(from: before) && execution.ending == nil
  }
}
