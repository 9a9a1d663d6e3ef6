/// What a counterexample's execution comes by, told so that another build of the image can be seen to
/// come by the same: functions and events, no addresses, offsets or lines.
struct Landmarks {
  struct Landmark: Equatable {
    var kind: TraceEvent.Kind
    var function: String
    var text: String

    init(_ event: TraceEvent) {
      kind = event.kind
      function = Landmarks.withoutOffset(event.function)
      text = event.text.split(separator: " ").map { Landmarks.withoutOffset(String($0)) }
        .joined(separator: " ")
    }
  }

  /// Where a source is raised.
  struct Injection {
    var source: Int
    /// Landmarks that lie before.
    var landmarks: Int
    /// Function whose code is interrupted; nil where the request is only latched.
    var function: String?
    /// Instructions since the latest landmark.
    var distance: Int
  }

  private(set) var landmarks: [Landmark] = []
  private(set) var injections: [Injection] = []
  /// Instructions from the last landmark to the end.
  private(set) var tail = 0
  /// Instructions between the two events that lie farthest apart.
  private(set) var longestWait = 0

  init(_ c: Counterexample, scenario: Scenario) {
    let events = c.events.filter { Landmarks.isLandmark($0.kind) }
    landmarks = events.map(Landmark.init)
    var step = 0
    var from = 0
    for part in c.schedule.steps {
      if let source = part.raise {
        let arrival = events.indices.first {
          $0 >= from && events[$0].step == step
            && Landmarks.isArrival(events[$0], of: source, scenario)
        }
        let before =
          arrival ?? events.indices.first { $0 >= from && events[$0].step > step } ?? events.count
        injections.append(
          Injection(
            source: source, landmarks: before, function: arrival.map { landmarks[$0].function },
            distance: step - (before > 0 ? events[before - 1].step : 0)))
        from = arrival.map { $0 + 1 } ?? before
      }
      step += part.instructions
    }
    tail = step - (events.last?.step ?? 0)
    var last = 0
    for event in events {
      longestWait = max(longestWait, event.step - last)
      last = event.step
    }
  }

  private static func isArrival(_ event: TraceEvent, of source: Int, _ scenario: Scenario) -> Bool {
    guard scenario.sources.indices.contains(source) else { return false }
    let source = scenario.sources[source]
    return source.nmi
      ? event.kind == .nmi : event.kind == .interrupt && event.text.contains("(\(source.name))")
  }

  static func isLandmark(_ kind: TraceEvent.Kind) -> Bool {
    switch kind {
    case .start, .violation, .end: false
    default: true
    }
  }

  /// `console_write+0x1c` is `console_write`, whatever copy of it the compiler made; an address
  /// without a name is nothing.
  static func withoutOffset(_ name: String) -> String {
    name.hasPrefix("0x") ? "" : IdentityNames.function(name.replacing(/\+0x[0-9a-f]+/, with: ""))
  }
}
