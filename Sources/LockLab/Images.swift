import Database
import DebugInfo
import Foundation
import KernelCore
import Model

/// An image with everything that is known of it.
struct LoadedImage {
  var record: ImageRecord
  var symbols: ImageSymbols
  var prepared: PreparedImage

  /// Reads and checks an image. `display` is how messages name it.
  init(_ source: ImageSource, name: String) throws {
    let display: String
    let bytes: [UInt8]
    switch source {
    case .builtin(let builtin):
      display = "image '\(builtin)'"
      guard let carried = KernelImages.image(named: builtin) else {
        let hint = Suggestion.hint(for: builtin, among: KernelImages.names)
        throw Failure("this LockLab carries no image '\(builtin)'\(hint)")
      }
      bytes = carried
    case .file(let path):
      display = path
      bytes = try readFile(path, limit: 1 << 30)
    case .objects: throw Failure("object files of '\(name)' are not linked")
    case .bytes(let kept, let origin):
      display = "image '\(origin)'"
      bytes = kept
    }
    symbols = ImageSymbols(bytes: bytes)
    do {
      prepared = try PreparedImage(bytes: bytes, name: name, symbols: symbols)
    } catch {
      throw Failure("\(display): \(error)")
    }
    record = ImageRecord(
      digest: Digest.sha256(bytes), arch: symbols.architecture ?? "unknown", size: bytes.count,
      origin: source.origin)
  }
}

extension LoadedImage {
  /// Whether the bytes are nowhere but here.
  var isLinkedHere: Bool { record.origin.hasPrefix("linked:") }
}

extension JobScenario {
  /// What one scenario stubs is missing in all that share its image.
  func checkStubs(of request: LinkRequest?) throws {
    guard let request else { return }
    let own = Set((scenario.stubs ?? []).map(\.symbol))
    if let other = request.stubs.keys.sorted().first(where: { !own.contains($0) }) {
      throw error(
        "another scenario of this image stubs '\(other)'; stub it here, too, or under `defaults`")
    }
  }

  /// Every symbol that the job names must be in the image.
  func check(against symbols: ImageSymbols) throws {
    for use in self.symbols.sorted(by: { $0.key < $1.key }).flatMap(\.value)
    where symbols.symbol(named: use.symbol) == nil {
      let hint = Suggestion.hint(for: use.symbol, among: symbols.symbolNames)
      let none = symbols.symbolNames.isEmpty ? " (it has no symbols at all: was it stripped?)" : ""
      throw JobError(
        file: file, place: use.place,
        message: "the image '\(scenario.image)' has no symbol '\(use.symbol)'\(hint)\(none)")
    }
  }
}
