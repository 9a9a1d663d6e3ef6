import Database
import Foundation
import KernelCore

extension Store {
  /// The bytes of exactly this image: kept in the database, carried in the program, or still in the
  /// file from which it came. Nil: it is in none of them.
  func bytes(of image: ImageRecord) throws -> [UInt8]? {
    if let kept = try imageContent(image.digest) { return kept }
    let found: [UInt8]? =
      switch ImageSource(origin: image.origin) {
      case .builtin(let name): KernelImages.image(named: name)
      case .file(let path): try? readFile(path, limit: 1 << 30)
      case .bytes(let bytes, _): bytes
      case .objects: nil
      case nil: nil
      }
    return found.flatMap { Digest.sha256($0) == image.digest ? $0 : nil }
  }

  /// Where to take a stored counterexample's image from: the very bytes, if they are to be had, else
  /// what is now where it came from.
  func source(of image: ImageRecord) throws -> ImageSource? {
    if let bytes = try imageContent(image.digest) { return .bytes(bytes, origin: image.origin) }
    return ImageSource(origin: image.origin)
  }
}
