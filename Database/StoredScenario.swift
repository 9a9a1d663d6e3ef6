import Foundation
import Model

/// Reads scenarios as any version of LockLab has stored them.
///
/// A key that was not there yet when a definition was written has its default: that is what the
/// version which wrote it did.
extension Store {
  static func scenario(ofJSON text: String) throws -> Scenario {
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
    guard var stored = object as? [String: Any] else {
      return try value(Scenario.self, ofJSON: text)
    }
    for (key, element) in elements {
      guard let items = stored[key] as? [[String: Any]] else { continue }
      stored[key] = items.map { $0.merging(element) { stored, _ in stored } }
    }
    if let start = stored["start"] as? [String: Any] {
      stored["start"] = start.merging(Self.start) { stored, _ in stored }
    }
    let complete = stored.merging(plain) { stored, _ in stored }
    return try JSONDecoder().decode(
      Scenario.self, from: JSONSerialization.data(withJSONObject: complete))
  }

  nonisolated(unsafe) private static let plain = defaults(Scenario(name: "", image: ""))
  nonisolated(unsafe) private static let start = defaults(Start())
  nonisolated(unsafe) private static let elements = [
    "sources": defaults(Source(name: "", line: nil)),
    "locks": defaults(LockDiscipline(acquire: [], release: [])),
    "stacks": defaults(StackLimit(symbol: "")),
    "ignore": defaults(MemoryRange(symbol: "")),
  ]

  private static func defaults(_ value: some Encodable) -> [String: Any] {
    let data = try? JSONEncoder().encode(value)
    var object =
      data.flatMap { try? JSONSerialization.jsonObject(with: $0) } as? [String: Any] ?? [:]
    // Where a key may be missing, that it is missing means something.
    for child in Mirror(reflecting: value).children
    where Mirror(reflecting: child.value).displayStyle == .optional {
      object[child.label ?? ""] = nil
    }
    return object
  }
}
