import ArgumentParser
import Database

/// One of N parts of the scenarios, for a matrix of machines: `2/5`.
///
/// A scenario's part hangs on its name and on N alone: another scenario that is added or taken away
/// moves none.
struct Shard: ExpressibleByArgument, CustomStringConvertible, Equatable {
  /// From 1.
  var number: Int
  var count: Int

  init?(argument: String) {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let number = parts[0], let count = parts[1], (1...1024).contains(count),
      (1...count).contains(number)
    else { return nil }
    self.number = number
    self.count = count
  }

  func contains(_ scenario: String) -> Bool {
    let hash = UInt64(Digest.sha256(scenario).prefix(16), radix: 16) ?? 0
    return Int(hash % UInt64(count)) == number - 1
  }

  var description: String { "\(number)/\(count)" }
}
