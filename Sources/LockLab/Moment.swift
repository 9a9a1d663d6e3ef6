import ArgumentParser
import Foundation

/// A point in time as the database writes it (UTC): `2026-01-31`, `2026-01-31T12:00`, or how long
/// ago: `30d`.
struct Moment: ExpressibleByArgument {
  /// Compares with the database's times as text.
  var text: String

  init?(argument: String) {
    if argument.wholeMatch(of: /\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?/) != nil {
      text = argument.replacing(" ", with: "T")
      return
    }
    guard let match = argument.wholeMatch(of: /(\d{1,6})d/), let days = Double(match.1) else {
      return nil
    }
    text = Date(timeIntervalSinceNow: -days * 86_400)
      .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}
