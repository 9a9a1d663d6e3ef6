import Model

/// A counterexample's interleaving as SARIF has it: a code flow whose first thread flow is everything
/// in the order in which it happened, and then one for each context of each CPU, with what happened
/// in it alone. `executionOrder` is the same number in both.
struct SARIFFlow {
  private let item: Judgement.Item
  private let report: RunReport
  private var events: [TraceEvent] { item.finding.counterexample.events }

  init(_ item: Judgement.Item, _ report: RunReport) {
    self.item = item
    self.report = report
  }

  /// Where the rule broke.
  var primary: SARIF.Location {
    var location = SARIF.Location()
    if let place = report.place(of: item) {
      location.physicalLocation = .init(
        artifactLocation: .init(path: place.path), region: place.line.map { .init(startLine: $0) })
    }
    if let last = events.last, !last.function.isEmpty {
      location.logicalLocations = [
        .init(fullyQualifiedName: printable(last.function), kind: "function")
      ]
    }
    return location
  }

  var codeFlows: [SARIF.CodeFlow] {
    guard !events.isEmpty else { return [] }
    let merged = SARIF.ThreadFlow(
      id: "interleaving", message: .init(text: "Everything, in the order in which it happened"),
      locations: events.indices.map(location))
    var lanes: [(key: String, indices: [Int])] = []
    for (index, event) in events.enumerated() {
      let key = "CPU \(event.cpu): \(event.context)"
      if let lane = lanes.firstIndex(where: { $0.key == key }) {
        lanes[lane].indices.append(index)
      } else {
        lanes.append((key, [index]))
      }
    }
    let separate = lanes.map { lane in
      SARIF.ThreadFlow(
        id: printable(lane.key), message: .init(text: SARIF.message(lane.key)),
        locations: lane.indices.map(location))
    }
    return [.init(threadFlows: [merged] + separate)]
  }

  var stacks: [SARIF.Stack] {
    item.finding.counterexample.stacks.filter { !$0.frames.isEmpty }.map { stack in
      SARIF.Stack(
        message: .init(text: SARIF.message(stack.context)),
        frames: stack.frames.map { frame in
          .init(
            location: location(
              frame.location, function: frame.function, address: frame.address, text: nil))
        })
    }
  }

  private func location(_ index: Int) -> SARIF.ThreadFlowLocation {
    let event = events[index]
    let text =
      "\(event.context): \(event.text)"
      + (event.disassembly.isEmpty ? "" : " (\(event.disassembly))")
    return .init(
      location: location(
        event.location, function: event.function, address: event.address, text: text),
      executionOrder: index + 1, kinds: Self.kinds(event.kind),
      importance: Self.importance(event.kind),
      state: [
        "CPU": .init(text: String(event.cpu)), "IF": .init(text: event.interruptFlag ? "1" : "0"),
        "held": .init(
          text: SARIF.message(event.held.isEmpty ? "nothing" : event.held.joined(separator: ", "))),
        "instructions": .init(text: String(event.step)),
      ])
  }

  /// A place outside the sources has its function and address alone.
  private func location(
    _ source: SourceLocation?, function: String, address: UInt64, text: String?
  ) -> SARIF.Location {
    var location = SARIF.Location()
    location.message = text.map { .init(text: SARIF.message($0)) }
    let known = source.flatMap { source in
      report.paths.relative(source.file).map { ($0, source.line) }
    }
    if let (path, line) = known {
      location.physicalLocation = .init(
        artifactLocation: .init(path: path), region: .init(startLine: max(line, 1)))
    }
    let hexadecimal = "0x" + String(address, radix: 16)
    location.logicalLocations = [
      .init(
        fullyQualifiedName: function.isEmpty ? hexadecimal : printable(function), kind: "function")
    ]
    return location
  }

  /// Words of the standard, §3.38.8, where there is one that fits.
  private static func kinds(_ kind: TraceEvent.Kind) -> [String] {
    switch kind {
    case .acquire: ["acquire", "lock"]
    case .release: ["release", "lock"]
    case .wait: ["lock"]
    case .interrupt, .nmi, .exception, .systemCall: ["enter"]
    case .return: ["exit"]
    case .violation: ["danger"]
    case .access: ["memory"]
    case .start, .interruptsOn, .interruptsOff, .switch, .halt, .endOfInterrupt, .end: []
    }
  }

  private static func importance(_ kind: TraceEvent.Kind) -> String {
    switch kind {
    case .violation, .interrupt, .nmi: "essential"
    case .return, .start, .end: "unimportant"
    default: "important"
    }
  }
}
