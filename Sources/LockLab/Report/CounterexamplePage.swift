import Database
import Foundation
import Model

/// A counterexample as `show` prints it.
struct CounterexamplePage {
  var stored: StoredCounterexample
  var terminal: Terminal
  /// ` --db FILE`, or nothing.
  var databaseHint: String

  private var counterexample: Counterexample { stored.counterexample }

  var lines: [String] {
    head + interleaving + sentences("Who holds", counterexample.holders)
      + sentences("Who waits", counterexample.waiters) + stacks + schedule + history + replaying
  }

  private func title(_ text: String) -> [String] { ["", terminal.styled(text, .bold)] }

  private func paragraph(_ text: String, indent: Int, styles: Terminal.Style...) -> [String] {
    printable(text).wrapped(to: max(terminal.width - indent, 20)).map {
      String(repeating: " ", count: indent) + $0
    }
  }

  private var head: [String] {
    let identity = counterexample.identity
    var lines = [
      terminal.styled("Counterexample \(stored.id)", .bold) + "  "
        + terminal.styled(printable(counterexample.rule), .red, .bold) + "  "
        + terminal.styled("\(stored.machineStatus), \(stored.personStatus)", .dim)
    ]
    lines += paragraph(counterexample.title, indent: 0)
    lines.append("")
    func row(_ name: String, _ value: String) {
      guard !value.isEmpty else { return }
      let wrapped = printable(value).wrapped(to: max(terminal.width - 14, 20))
      for (index, line) in wrapped.enumerated() {
        lines.append(
          terminal.styled((index == 0 ? name : "").padded(to: 14), .dim) + line)
      }
    }
    row("scenario", counterexampleScenario)
    row(
      "image",
      "\(stored.scenario.image) (\(stored.image.arch), \(stored.image.digest.prefix(12)), "
        + "\(stored.image.origin))")
    let injected = counterexample.injected
    row("injected", injected.isEmpty ? "nothing" : injected.joined(separator: ", "))
    row("instructions", grouped(counterexample.steps))
    row("locks", identity.lockClasses.joined(separator: ", "))
    row("functions", identity.functions.joined(separator: " → "))
    row("fingerprint", stored.fingerprint)
    return lines
  }

  private var counterexampleScenario: String {
    let scenario = stored.scenario
    return scenario.summary.isEmpty ? scenario.name : "\(scenario.name): \(scenario.summary)"
  }

  private var interleaving: [String] {
    guard !counterexample.events.isEmpty else { return [] }
    return title("What happened") + Lanes(counterexample.events, terminal: terminal).lines
  }

  private func sentences(_ heading: String, _ sentences: [String]) -> [String] {
    guard !sentences.isEmpty else { return [] }
    return title(heading) + sentences.flatMap { paragraph($0, indent: 2) }
  }

  private var stacks: [String] {
    guard !counterexample.stacks.isEmpty else { return [] }
    let functions = counterexample.stacks.flatMap(\.frames).map { printable($0.function).count }
    let width = min(functions.max() ?? 0, 40)
    var lines = title("Stacks at the end")
    for stack in counterexample.stacks {
      lines.append("  " + terminal.styled(printable(stack.context), .cyan))
      if stack.frames.isEmpty { lines.append("    (no frames)") }
      for (number, frame) in stack.frames.enumerated() {
        let address = "0x" + String(frame.address, radix: 16)
        let function = printable(frame.function.isEmpty ? address : frame.function)
        let place = frame.location.map { printable($0.description) } ?? ""
        lines.append(
          ("    #\(number)".padded(to: 8) + function.padded(to: width) + "  "
            + terminal.styled(place, .dim)).trimmingRight())
        for inlined in frame.inlined {
          lines += paragraph(inlined, indent: 10).map { terminal.styled($0, .dim) }
        }
      }
    }
    return lines
  }

  /// The schedule in words: how far each CPU runs, and what is raised then.
  private var schedule: [String] {
    let limit = 12
    let hasCPUs = stored.scenario.cpus > 1
    var sentences: [String] = []
    var ran = 0
    func flush(_ cpu: Int) {
      guard ran > 0 else { return }
      let who = hasCPUs ? "CPU \(cpu) runs" : "run"
      sentences.append("\(who) \(grouped(ran)) instruction\(ran == 1 ? "" : "s")")
      ran = 0
    }
    var cpu = 0
    for step in counterexample.schedule.steps {
      if step.cpu != cpu || step.raise != nil || step.value != nil { flush(cpu) }
      cpu = step.cpu
      if let value = step.value { sentences.append("the marker yields \(value)") }
      if let raise = step.raise {
        let sources = stored.scenario.sources
        sentences.append(
          "raise \(sources.indices.contains(raise) ? sources[raise].name : "#\(raise)")")
      }
      ran += step.instructions
    }
    flush(cpu)
    guard !sentences.isEmpty else { return [] }
    var text = sentences.prefix(limit).joined(separator: "; ")
    if sentences.count > limit { text += "; and \(sentences.count - limit) more (--format json)" }
    return title("Schedule") + paragraph("\(text); then the rule is broken.", indent: 2)
  }

  private var history: [String] {
    let seen = stored.occurrences
    var lines = title("Seen \(seen.count == 1 ? "once" : "\(seen.count) times")")
    let shown = seen.suffix(5)
    if shown.count < seen.count { lines.append("  (\(seen.count - shown.count) before)") }
    for occurrence in shown {
      lines.append(
        printable(
          "  run \(occurrence.run)  \(occurrence.found.prefix(19))Z  \(occurrence.scenario)  "
            + "\(occurrence.image.prefix(12))"))
    }
    if let last = stored.observations.last, last.outcome != .found {
      lines += title("Since then")
      lines += paragraph(
        "\(last.observed.prefix(19))Z  \(last.scenario)  \(last.status.rawValue): \(last.reason)",
        indent: 2)
    }
    guard !stored.triage.isEmpty else { return lines }
    lines += title("Decisions")
    for entry in stored.triage {
      let original = entry.duplicateOf.map { " of \($0)" } ?? ""
      lines += paragraph(
        "\(entry.decided.prefix(19))Z  \(entry.author)  \(entry.decision.rawValue)\(original): "
          + entry.reason, indent: 2)
    }
    return lines
  }

  private var replaying: [String] {
    ["", "Replay it: " + terminal.styled("locklab replay \(stored.id)\(databaseHint)", .bold)]
  }
}
