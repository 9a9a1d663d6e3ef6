/// Nearest names, for error messages about a name that does not exist.
enum Suggestion {
  /// Up to `count` candidates that a typing error may have turned into `name`, nearest first.
  static func nearest(to name: String, among candidates: some Sequence<String>, count: Int = 3)
    -> [String]
  {
    let limit = max(1, min(4, name.count / 3 + 1))
    let wanted = Array(name.lowercased().utf8)
    var found: [(distance: Int, name: String)] = []
    for candidate in Set(candidates) where candidate != name {
      let other = Array(candidate.lowercased().utf8)
      guard abs(other.count - wanted.count) <= limit, other.count < 200 else { continue }
      let distance = distance(wanted, other)
      if distance <= limit { found.append((distance, candidate)) }
    }
    return found.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(count)
      .map(\.name)
  }

  /// `; did you mean 'acquire'?`, or nothing.
  static func hint(for name: String, among candidates: some Sequence<String>) -> String {
    let names = nearest(to: name, among: candidates).map { "'\($0)'" }
    guard let last = names.last else { return "" }
    let list = names.count == 1 ? last : names.dropLast().joined(separator: ", ") + " or " + last
    return "; did you mean \(list)?"
  }

  /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in a.indices {
      var current = [i + 1]
      for j in b.indices {
        var best = min(last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          best = min(best, beforeLast[j - 1] + 1)
        }
        current.append(best)
      }
      (beforeLast, last) = (last, current)
    }
    return last[b.count]
  }
}
