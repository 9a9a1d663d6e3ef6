import Foundation

/// The bare-metal images of the reference kernel core, which the build made and put into
/// this module (Plugins/KernelImages).
///
/// `core-i386` is the right core; `core-i386-NAME` has the files of Variants/NAME in place of
/// the right ones.
public enum KernelImages {
  /// Every image's name and its ELF file in base64.
  public static let all: [String: String] = generated

  /// The images' names, sorted.
  public static var names: [String] { all.keys.sorted() }

  /// The ELF file of the image of that name, or nil when there is none.
  public static func image(named name: String) -> [UInt8]? {
    guard let text = all[name], let data = Data(base64Encoded: text) else { return nil }
    return [UInt8](data)
  }
}
