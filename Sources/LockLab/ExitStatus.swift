import ArgumentParser
import Foundation

/// What the command's exit status says.
enum ExitStatus: Int32, Comparable {
  /// Every scenario met its expectation.
  case met = 0
  /// Counterexamples that were not expected, or an expected one that was not found.
  case unmet = 1
  case inconclusive = 2
  /// Bad input, or a failure of our own.
  case failure = 3

  /// Which of two weighs more for the whole run: a failure most, then counterexamples, then what
  /// was left open.
  static func < (left: ExitStatus, right: ExitStatus) -> Bool { left.weight < right.weight }

  private var weight: Int {
    switch self {
    case .met: 0
    case .inconclusive: 1
    case .unmet: 2
    case .failure: 3
    }
  }

  func exit() throws {
    if self != .met { throw ExitCode(rawValue) }
  }
}

/// Bad input or a failure, in one line.
struct Failure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// Says on standard error what went wrong, in one line.
func complain(_ message: String) {
  let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
  writeError("locklab: \(printable(line))\n")
}

/// Writes to standard error, unbuffered.
func writeError(_ text: String) {
  let bytes = Array(text.utf8)
  _ = write(2, bytes, bytes.count)
}
