import Model

/// What `monitor COMMAND` in gdb says of the counterexample.
extension Session {
  func monitor(_ command: String) -> String {
    let words = command.split(whereSeparator: \.isWhitespace)
    switch (words.first, words.dropFirst().first) {
    case ("rule", nil), ("title", nil): return rule
    case ("events", nil): return events
    case ("holders", nil): return holders
    case ("where", nil): return place + "\n"
    case ("stop-at", let number?): return stop(at: number)
    case ("stop-at", nil): return stops
    default: return Self.help
    }
  }

  private static let help = """
    monitor rule          which rule breaks, and how
    monitor events        what happens, in order; > is where the execution stands
    monitor holders       locks held here; who holds and who waits at the end
    monitor where         how many instructions have been executed
    monitor stop-at N     stop after N instructions, forwards and backwards; again: no more
    Memory and registers can be read, not written: it is a recorded execution.

    """

  private var counterexample: Counterexample { execution.counterexample }

  private var rule: String {
    "Counterexample \(about.id): \(counterexample.rule)\n\(counterexample.title)\n"
  }

  private var place: String {
    "after \(execution.steps) of \(counterexample.steps) instructions"
  }

  private var events: String {
    let next = counterexample.events.firstIndex { $0.step > execution.steps }
    var lines = counterexample.events.enumerated().map { index, event in
      let step = String(event.step)
      let padding = String(repeating: " ", count: max(0, 8 - step.count))
      let isHere = index + 1 == next ?? counterexample.events.count
      return "\(isHere ? ">" : " ")\(padding)\(step)  CPU \(event.cpu)  \(event.context): "
        + "\(event.text), \(event.function)\(event.location.map { " at \($0)" } ?? "")"
    }
    lines.append(place)
    return lines.map { printable($0) + "\n" }.joined()
  }

  private var holders: String {
    var lines = ["Here, \(place):"]
    let held = execution.locksHeld
    lines += held.isEmpty ? ["  no lock is held"] : held.map { "  " + $0 }
    lines.append("At the end:")
    let end = counterexample.holders + counterexample.waiters
    lines += end.isEmpty ? ["  nobody holds or waits"] : end.map { "  " + $0 }
    return lines.map { printable($0) + "\n" }.joined()
  }

  private func stop(at number: Substring) -> String {
    guard let step = Int(number), step >= 0 else {
      return "`\(number)` is no number of instructions\n"
    }
    if travel.conditions.steps.remove(step) == nil { travel.conditions.steps.insert(step) }
    return stops
  }

  private var stops: String {
    let steps = travel.conditions.steps.sorted().map(String.init)
    return steps.isEmpty
      ? "stops nowhere by number\n" : "stops after \(steps.joined(separator: ", ")) instructions\n"
  }
}

/// Names come from images: no control characters get to a terminal.
func printable(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map {
        ($0.value < 0x20 && $0 != "\n") || (0x7F..<0xA0).contains($0.value) ? "?" : $0
      }))
}
