import Foundation
import Model

/// The counterexamples that a project has accepted for now: a text file that is committed beside its
/// code, a sorted line for each, so that Git can merge it.
///
///     9c41f0…  lock-release-order  # console_lock: console_write, flush
///
/// Only the fingerprint decides; the rest is for people.
struct Baseline {
  /// Fingerprint to the whole line.
  private(set) var lines: [String: String] = [:]

  init() {}

  init(file: String) throws {
    let text = String(decoding: try readFile(file, limit: 64 << 20), as: UTF8.self)
    let numbered = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    for (index, raw) in numbered {
      let line = raw.trimmingCharacters(in: .whitespaces)
      if line.isEmpty || line.hasPrefix("#") { continue }
      if ["<<<<<<<", "=======", ">>>>>>>"].contains(where: line.hasPrefix) {
        throw Failure(
          "\(file):\(index + 1): a conflict of a merge was left here; both sides' lines can stay")
      }
      let fingerprint = line.prefix { !$0.isWhitespace }
      guard fingerprint.count == 32, fingerprint.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
        throw Failure(
          "\(file):\(index + 1): not a baseline's line: it must begin with 32 hex digits")
      }
      lines[fingerprint.lowercased()] = line
    }
  }

  mutating func add(_ identity: Counterexample.Identity) {
    let locks = identity.lockClasses.joined(separator: ", ")
    let functions = identity.functions.joined(separator: ", ")
    let comment = [locks, functions].filter { !$0.isEmpty }.joined(separator: ": ")
    lines[identity.fingerprint] = printable(
      "\(identity.fingerprint)  \(identity.rule)" + (comment.isEmpty ? "" : "  # \(comment)"))
  }

  mutating func formUnion(_ other: Baseline) {
    lines.merge(other.lines) { own, _ in own }
  }

  mutating func remove(_ fingerprint: String) { lines[fingerprint] = nil }

  func contains(_ identity: Counterexample.Identity) -> Bool {
    lines[identity.fingerprint] != nil
  }

  var isEmpty: Bool { lines.isEmpty }

  var text: String {
    "# Counterexamples that `locklab gate` lets pass; `--write-baseline` rewrites this file.\n"
      + lines.values.sorted().map { $0 + "\n" }.joined()
  }
}
