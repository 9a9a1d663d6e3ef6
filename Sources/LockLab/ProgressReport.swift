import Foundation
import Model

/// Says on standard error how far a run has come: one line that is rewritten, on a terminal; a line
/// every few seconds elsewhere. Standard output is left to the results.
final class ProgressReport {
  enum Mode: String, CaseIterable {
    case auto, plain, none
  }

  private enum Form { case live, plain, none }

  private let form: Form
  private let width: Int
  private let interval: Duration = .seconds(5)
  private var lastLine: ContinuousClock.Instant = .now
  private var isShown = false

  /// Takes every report, to be held against what came true: LOCKLAB_ESTIMATES names a file.
  private let log: ((SearchProgress, String) -> Void)?

  /// Lines `scenario, pass, seconds, expanded, found, steps, low, high`, the last two of seconds left.
  private static func estimateLog() -> ((SearchProgress, String) -> Void)? {
    guard let path = ProcessInfo.processInfo.environment["LOCKLAB_ESTIMATES"] else { return nil }
    return { progress, scenario in
      let left = progress.secondsLeft
      try? appendFile(
        path,
        "\(scenario),\(progress.pass),\(progress.seconds),\(progress.expanded),\(progress.states),"
          + "\(progress.transitions),\(left?.lowerBound ?? -1),\(left?.upperBound ?? -1)\n")
    }
  }

  init(_ mode: Mode) {
    log = Self.estimateLog()
    let isTerminal =
      isatty(2) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    form =
      switch mode {
      case .auto: isTerminal ? .live : .plain
      case .plain: .plain
      case .none: .none
      }
    width = Terminal(descriptor: 2).width
  }

  /// `ordinal` counts scenarios from 1.
  func update(_ progress: SearchProgress, scenario: String, ordinal: Int, of count: Int) {
    let head = "[\(ordinal)/\(count)] \(printable(scenario))"
    log?(progress, scenario)
    switch form {
    case .live:
      let line = "\(head)  \(Self.describe(progress))".cut(to: width - 1)
      writeError("\r\u{1B}[2K\(line)")
      isShown = true
    case .plain where ContinuousClock.now - lastLine >= interval:
      lastLine = .now
      writeError("\(head)  \(Self.describe(progress))\n")
    default: break
    }
  }

  /// Takes the live line away, before something else is written.
  func clear() {
    guard isShown else { return }
    writeError("\r\u{1B}[2K")
    isShown = false
  }

  /// `1,234 states  210,000/s  27 B/state  frontier 56  2 injected  20 to 60 % done  3.0 s to 9.0 s left`.
  static func describe(_ progress: SearchProgress) -> String {
    var parts = ["\(grouped(progress.states)) states"]
    let rate = progress.seconds > 0 ? Double(progress.states) / progress.seconds : 0
    parts.append("\(grouped(Int(rate)))/s")
    if progress.states > 0 {
      parts.append("\(progress.storedBytes / progress.states) B/state")
    }
    parts.append("frontier \(grouped(progress.frontier))")
    parts.append("\(progress.injected) injected")
    if progress.pass > 1 { parts.append("pass \(progress.pass)") }
    if progress.counterexamples > 0 { parts.append("\(progress.counterexamples) found") }
    if let share = progress.share, let left = progress.secondsLeft {
      let (less, more) = (Int(share.lowerBound * 100), Int(share.upperBound * 100))
      parts.append(less == more ? "\(more) % done" : "\(less) to \(more) % done")
      let (low, high) = (span(left.lowerBound), span(left.upperBound))
      parts.append(low == high ? "\(high) left" : "\(low) to \(high) left")
    } else {
      parts.append("\(span(progress.seconds)) so far")
    }
    return parts.joined(separator: "  ")
  }
}
