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
  /// - Parameter disks: files of the machine's disks.
  init(_ source: ImageSource, name: String, disks: [String] = []) throws {
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
      prepared = try PreparedImage(
        bytes: bytes, name: name, symbols: symbols,
        disks: try disks.map { try readFile($0, limit: 1 << 30) })
    } catch let failure as Failure {
      throw failure
    } catch {
      let isBootable =
        bytes.count >= 512 && bytes[510...511].elementsEqual([0x55, 0xAA]) && bytes[0] != 0x7F
      throw Failure(
        "\(display): \(error)"
          + (isBootable
            ? "; it looks like a bootable disk: give its kernel's ELF file as the image, and this one as a disk"
            : ""))
    }
    prepared.boots.store = BootCache.shared
    record = ImageRecord(
      digest: Digest.sha256(bytes), arch: symbols.architecture ?? "unknown", size: bytes.count,
      origin: source.origin)
  }
}

extension LoadedImage {
  /// Invariants that the code itself states: `LOCKLAB_INVARIANT` in `locklab.h`.
  func markedInvariants() throws -> [String] {
    let bytes = symbols.section(named: ".locklab.invariants") ?? []
    return try bytes.split(separator: 0).map { text in
      let written = String(decoding: text, as: UTF8.self)
      do {
        let expression = try Model.Expression(written)
        if let problem = expression.problem(on: prepared, cpus: 1) { throw Failure(problem) }
        return written
      } catch {
        throw Failure(
          "image '\(prepared.name)': LOCKLAB_INVARIANT `\(printable(written))`: \(error)")
      }
    }
  }

  /// Whether the bytes are nowhere but here.
  var isLinkedHere: Bool { record.origin.hasPrefix("linked:") }
}

extension JobScenario {
  /// Every symbol that the job names must be in the image, and every expression have a value.
  func check(against image: LoadedImage) throws {
    try check(against: image.symbols)
    for (expression, place) in expressions.sorted(by: { $0.key < $1.key }).flatMap(\.value) {
      if let problem = expression.problem(on: image.prepared, cpus: scenario.cpus) {
        throw JobError(file: file, place: place, message: "`\(expression.text)`: \(problem)")
      }
    }
  }

  private func check(against symbols: ImageSymbols) throws {
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
