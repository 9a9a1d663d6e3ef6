import Model

/// Draws an interleaving: a lane for each context from left to right, time from top to bottom, and
/// beside each event the step, IF and the locks held on its CPU.
///
/// An event's text begins in its own lane and runs on to the right as far as no other lane is in
/// use there, so that few and deep lanes both leave room to read.
struct Lanes {
  private let events: [TraceEvent]
  private let contexts: [String]
  private let lane: [Int]
  /// For each lane, whether it is in use between an event and the next one.
  private let isLive: [[Bool]]
  private let terminal: Terminal

  private let stepWidth: Int
  private let hasCPUs: Bool
  private let heldWidth: Int
  private let laneWidth: Int
  private let gutter: Int

  init(_ events: [TraceEvent], terminal: Terminal) {
    self.events = events
    self.terminal = terminal
    var contexts: [String] = []
    var lane: [Int] = []
    for event in events {
      let name = printable(event.context)
      if !contexts.contains(name) { contexts.append(name) }
      lane.append(contexts.firstIndex(of: name)!)
    }
    self.contexts = contexts
    self.lane = lane
    isLive = Self.liveness(events, lane: lane, count: contexts.count)

    stepWidth = max(events.map { grouped($0.step).count }.max() ?? 0, 4)
    hasCPUs = Set(events.map(\.cpu)).count > 1
    let longest = events.map { Self.held($0).count }.max() ?? 0
    heldWidth = min(max(longest, 4), max(terminal.width / 5, 10))
    gutter = stepWidth + 2 + (hasCPUs ? 5 : 0) + 2 + 2 + heldWidth + 2
    let room = max(terminal.width - gutter - 44, 0)
    laneWidth = contexts.count > 1 ? min(max(room / (contexts.count - 1), 3), 24) : 0
  }

  var lines: [String] {
    var lines = heading
    var shownPlace = ""
    for index in events.indices {
      lines += block(index, shownPlace: &shownPlace)
    }
    return lines
  }

  private static func held(_ event: TraceEvent) -> String {
    event.held.isEmpty ? "-" : event.held.map(printable).joined(separator: ", ")
  }

  /// A lane is in use from an event to its next one, unless the event left it.
  private static func liveness(_ events: [TraceEvent], lane: [Int], count: Int) -> [[Bool]] {
    var live = [[Bool]](repeating: [Bool](repeating: false, count: events.count), count: count)
    for lane_ in 0..<count {
      let own = events.indices.filter { lane[$0] == lane_ }
      for (index, next) in zip(own, own.dropFirst()) {
        if events[index].kind == .return || events[index].kind == .end { continue }
        for between in index..<next { live[lane_][between] = true }
      }
    }
    return live
  }

  // MARK: Heading

  private func column(_ lane: Int) -> Int { lane * laneWidth }

  private var gutterTitle: String {
    "step".rightAligned(to: stepWidth) + "  " + (hasCPUs ? "CPU  " : "") + "IF  "
      + "held".padded(to: heldWidth) + "  "
  }

  /// The contexts' names over their lanes; as a staircase where they are longer than a lane is wide.
  private var heading: [String] {
    let fits = contexts.dropLast().allSatisfy { $0.count < laneWidth }
    if fits {
      let names = contexts.enumerated().map { index, name in
        index == contexts.count - 1 ? name : name.padded(to: laneWidth)
      }.joined()
      return [terminal.styled(gutterTitle + names, .bold)]
    }
    return contexts.indices.map { index in
      let bars = (0..<index).map { _ in "│".padded(to: laneWidth) }.joined()
      let head = index == contexts.count - 1 ? gutterTitle : String(repeating: " ", count: gutter)
      return terminal.styled(head + bars + contexts[index], .bold)
    }
  }

  // MARK: Events

  private func block(_ index: Int, shownPlace: inout String) -> [String] {
    let event = events[index]
    let isViolation = event.kind == .violation
    let own = lane[index]
    let available = max(room(right: own, at: index) - 2, 16)

    var rows: [(text: String, styles: [Terminal.Style])] = []
    for line in printable(event.text).wrapped(to: available) {
      rows.append((line, isViolation ? [.red, .bold] : []))
    }
    for line in place(of: event, shown: &shownPlace).flatMap({ $0.wrapped(to: available) }) {
      rows.append((line, [.dim]))
    }
    let arrowFrom = origin(of: index)
    return rows.enumerated().map { number, row in
      (number == 0 ? marks(event) : String(repeating: " ", count: gutter))
        + prefix(index, isFirst: number == 0, arrowFrom: number == 0 ? arrowFrom : nil)
        + terminal.styled(row.text, style: row.styles)
    }.map { $0.trimmingRight() }
  }

  /// Step, CPU, IF and the locks held.
  private func marks(_ event: TraceEvent) -> String {
    let flag = event.interruptFlag ? "1 " : "0 "
    let held = Self.held(event).cut(to: heldWidth).padded(to: heldWidth)
    return grouped(event.step).rightAligned(to: stepWidth) + "  "
      + (hasCPUs ? String(event.cpu).padded(to: 3) + "  " : "")
      + terminal.styled(flag, event.interruptFlag ? .green : .yellow) + "  "
      + (event.held.isEmpty ? terminal.styled(held, .dim) : terminal.styled(held, .cyan)) + "  "
  }

  /// Columns from an event's text to the next lane on its right that is in use, or to the edge.
  private func room(right own: Int, at index: Int) -> Int {
    let next = contexts.indices.first { $0 > own && isLive[$0][index] && wasLive($0, before: index) }
    let end = next.map { gutter + column($0) } ?? terminal.width
    return end - gutter - column(own)
  }

  private func wasLive(_ lane: Int, before index: Int) -> Bool {
    index > 0 && isLive[lane][index - 1]
  }

  /// The lane that an entry interrupts: that of the CPU's event before it.
  private func origin(of index: Int) -> Int? {
    switch events[index].kind {
    case .interrupt, .nmi, .exception, .systemCall: break
    default: return nil
    }
    let before = events[..<index].lastIndex { $0.cpu == events[index].cpu }
    guard let before, lane[before] < lane[index], laneWidth > 2 else { return nil }
    return lane[before]
  }

  /// What stands left of an event's text: the lanes in use, its own mark, an arrow into it.
  private func prefix(_ index: Int, isFirst: Bool, arrowFrom: Int?) -> String {
    let own = lane[index]
    var text = ""
    for other in 0..<own {
      let isUsed = isFirst ? wasLive(other, before: index) : isLive[other][index]
      if let arrowFrom, other >= arrowFrom {
        let head = other == arrowFrom ? (isUsed ? "├" : "╰") : isUsed ? "┼" : "─"
        text += head + String(repeating: "─", count: laneWidth - 1)
      } else {
        text += (isUsed ? "│" : " ").padded(to: laneWidth)
      }
    }
    if !isFirst { return text + (isLive[own][index] ? "│ " : "  ") }
    let event = events[index]
    switch event.kind {
    case .violation: return text + terminal.styled("✗ ", .red, .bold)
    case .return: return text + "○ "
    default: return text + "● "
    }
  }

  /// Source line with what is inlined there, function and instruction; nothing that the event
  /// before showed already.
  private func place(of event: TraceEvent, shown: inout String) -> [String] {
    var parts: [String] = []
    let source = event.location.map { printable($0.description) } ?? ""
    let chain = event.inlined.map(printable)
    let function = printable(event.function)
    let here = "\(source) \(function) \(chain)"
    if here != shown {
      if !source.isEmpty { parts.append(source) }
      if !chain.isEmpty {
        parts.append(chain.joined(separator: ", ") + (function.isEmpty ? "" : ", in \(function)"))
      } else if !function.isEmpty {
        parts.append(source.isEmpty ? function : "in \(function)")
      }
      shown = here
    }
    var lines: [String] = []
    if !parts.isEmpty { lines.append(parts.joined(separator: "  ")) }
    if !event.disassembly.isEmpty {
      let address = "0x" + String(event.address, radix: 16)
      lines.append("\(address)  \(printable(event.disassembly))")
    }
    return lines
  }
}

extension Terminal {
  fileprivate func styled(_ text: String, style: [Style]) -> String {
    style.reduce(text) { styled($0, $1) }
  }
}
