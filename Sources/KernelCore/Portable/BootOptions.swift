/// The kernel's command line: words separated by blanks, some of them `key=value`.
///
/// The first word is usually the image's own name; a key that is not known is ignored, as
/// boot loaders add words of their own. It is read in place, byte by byte up to a zero:
/// there is no heap at boot.
public struct BootOptions {
  let text: UnsafePointer<UInt8>

  public init(_ text: UnsafePointer<UInt8>) {
    self.text = text
  }

  /// Where the value of `key` begins, or nil when the line does not have it.
  public func value(of key: StaticString) -> UnsafePointer<UInt8>? {
    var word = text
    while word.pointee != 0 {
      if let value = Self.skip(key, in: word), value.pointee == Self.equalsSign {
        return value + 1
      }
      while !Self.endsWord(word.pointee) { word += 1 }
      while word.pointee == Self.blank { word += 1 }
    }
    return nil
  }

  /// Whether the list `a,b,c` that starts at `list` has `name` at place `index`.
  public static func item(
    _ index: Int, of list: UnsafePointer<UInt8>, is name: UnsafePointer<UInt8>
  ) -> Bool {
    var item = list
    for _ in 0..<index {
      while !endsItem(item.pointee) { item += 1 }
      if item.pointee != comma { return false }
      item += 1
    }
    var name = name
    while name.pointee != 0 && name.pointee == item.pointee {
      name += 1
      item += 1
    }
    return name.pointee == 0 && endsItem(item.pointee)
  }

  /// The text after `key` if `text` starts with it.
  static func skip(_ key: StaticString, in text: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
    for index in 0..<key.utf8CodeUnitCount where text[index] != key.utf8Start[index] {
      return nil
    }
    return text + key.utf8CodeUnitCount
  }

  static let blank: UInt8 = 0x20
  static let comma: UInt8 = 0x2C
  static let equalsSign: UInt8 = 0x3D

  static func endsWord(_ byte: UInt8) -> Bool { byte == 0 || byte == blank }
  static func endsItem(_ byte: UInt8) -> Bool { endsWord(byte) || byte == comma }
}
