import Model

/// Draws an interleaving: a lane for each context from left to right, time from top to bottom, and
/// beside each event the step, IF and the locks held on its CPU.
///
/// An event's text begins in its own lane and runs on to the right over the lanes there; each lane
/// that is in use goes on below and, where the text is short, beside it.
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

  /// A lane is in use from its first event on, also while it is interrupted or waits; not from where
  /// it returned to where it is entered again.
  private static func liveness(_ events: [TraceEvent], lane: [Int], count: Int) -> [[Bool]] {
    var live = [[Bool]](repeating: [], count: count)
    var isLive = [Bool](repeating: false, count: count)
    for index in events.indices {
      isLive[lane[index]] = events[index].kind != .return && events[index].kind != .end
      for other in 0..<count { live[other].append(isLive[other]) }
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
    let available = max(terminal.width - gutter - column(lane[index]) - 2, 16)

    var rows: [(text: String, styles: [Terminal.Style])] = []
    for line in printable(event.text).wrapped(to: available) {
      rows.append((line, isViolation ? [.red, .bold] : []))
    }
    for line in place(of: event, shown: &shownPlace).flatMap({ $0.wrapped(to: available) }) {
      rows.append((line, [.dim]))
    }
    return rows.enumerated().map { number, row in
      let isFirst = number == 0
      let head = isFirst ? marks(event) : String(repeating: " ", count: gutter)
      let line =
        head + prefix(index, isFirst: isFirst) + terminal.styled(row.text, style: row.styles)
        + suffix(index, after: row.text, isFirst: isFirst)
      return line.trimmingRight()
    }
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
  private func prefix(_ index: Int, isFirst: Bool) -> String {
    let own = lane[index]
    let arrowFrom = isFirst ? origin(of: index) : nil
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

  /// The lanes in use right of an event's text, where it leaves them room.
  private func suffix(_ index: Int, after text: String, isFirst: Bool) -> String {
    var position = column(lane[index]) + 2 + text.count
    var bars = ""
    for other in contexts.indices where other > lane[index] {
      let isUsed = isFirst ? wasLive(other, before: index) : isLive[other][index]
      guard isUsed, column(other) > position else { continue }
      bars += String(repeating: " ", count: column(other) - position) + "│"
      position = column(other) + 1
    }
    return bars
  }

  /// Source line with what is inlined there, function, and instruction; a place that was shown
  /// with the event before is not repeated.
  private func place(of event: TraceEvent, shown: inout String) -> [String] {
    var parts: [String] = []
    if let location = event.location {
      parts.append("\(Self.file(location.file)):\(location.line)")
    }
    parts += event.inlined.map(Self.brief)
    if !event.function.isEmpty { parts.append(printable(event.function)) }
    var lines: [String] = []
    let place = parts.joined(separator: " in ")
    if !place.isEmpty, place != shown { lines.append(place) }
    shown = place
    if !event.disassembly.isEmpty {
      lines.append("0x\(String(event.address, radix: 16)): \(printable(event.disassembly))")
    }
    return lines
  }

  /// A path's last part: lanes are narrow, and the stacks below show paths in full.
  private static func file(_ path: String) -> String {
    printable(path.split(separator: "/").last.map(String.init) ?? path)
  }

  /// `name (inlined at folder/file:line)` with the file alone.
  private static func brief(_ inlined: String) -> String {
    let opening = " (inlined at "
    guard let range = inlined.firstRange(of: opening) else { return printable(inlined) }
    return printable(String(inlined[..<range.upperBound]))
      + file(String(inlined[range.upperBound...]))
  }
}

extension Terminal {
  fileprivate func styled(_ text: String, style: [Style]) -> String {
    style.reduce(text) { styled($0, $1) }
  }
}
