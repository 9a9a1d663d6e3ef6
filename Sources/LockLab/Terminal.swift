import Foundation

/// What standard output is, and how to write to it: colours only where they are wanted.
struct Terminal {
  enum Style: String {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
  }

  var hasColour: Bool
  /// Columns.
  var width: Int
  /// A person reads: what is too long for a line is cut.
  var isInteractive = false

  static let output = Terminal(descriptor: 1)

  init(hasColour: Bool, width: Int) {
    self.hasColour = hasColour
    self.width = width
  }

  init(descriptor: Int32) {
    let environment = ProcessInfo.processInfo.environment
    let isTerminal = isatty(descriptor) == 1
    let refusesColour =
      !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
    isInteractive = isTerminal
    hasColour = isTerminal && !refusesColour
    var size = winsize()
    if let columns = environment["COLUMNS"].flatMap({ Int($0) }), columns > 0 {
      width = columns
    } else if isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
      width = Int(size.ws_col)
    } else {
      width = 100
    }
    width = min(max(width, 40), 200)
  }

  func styled(_ text: String, _ styles: Style...) -> String {
    guard hasColour, !styles.isEmpty, !text.isEmpty else { return text }
    return "\u{1B}[\(styles.map(\.rawValue).joined(separator: ";"))m\(text)\u{1B}[0m"
  }
}

/// Text from an image or a file, fit for a terminal: control characters, and those that turn the
/// direction of writing, are shown as escapes and do nothing.
func printable(_ text: String) -> String {
  // Most text is plain ASCII, and asking for every character's category takes long.
  if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
  guard text.unicodeScalars.contains(where: isUnprintable) else { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    if isUnprintable(scalar) {
      let hex = String(scalar.value, radix: 16)
      result += scalar.value < 0x100 ? "\\x" + (hex.count < 2 ? "0" : "") + hex : "\\u{\(hex)}"
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// JSON in which what does not belong on a terminal is written as escapes: the same value, another
/// spelling. In JSON such characters stand in strings only, but for line ends.
func printableJSON(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: { $0 != "\n" && isUnprintable($0) }) else {
    return text
  }
  var result = ""
  for scalar in text.unicodeScalars {
    if scalar != "\n", isUnprintable(scalar) {
      for unit in String(scalar).utf16 { result += String(format: "\\u%04x", unit) }
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

private func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: true
  default: false
  }
}

extension String {
  func padded(to width: Int) -> String {
    count >= width ? self : self + String(repeating: " ", count: width - count)
  }

  func rightAligned(to width: Int) -> String {
    count >= width ? self : String(repeating: " ", count: width - count) + self
  }

  /// At most `width` characters, the last an ellipsis if something is left out.
  func cut(to width: Int) -> String {
    count <= width ? self : String(prefix(max(width - 1, 0))) + "…"
  }
}

/// `12345678` as `12,345,678`.
func grouped(_ number: some BinaryInteger) -> String {
  var digits = Array(String(number))
  var position = digits.count - 3
  while position > (number < 0 ? 1 : 0) {
    digits.insert(",", at: position)
    position -= 3
  }
  return String(digits)
}

/// A time span in as few characters as tell it well: `12 ms`, `3.4 s`, `2 min 05 s`.
func span(_ seconds: Double) -> String {
  switch seconds {
  case ..<0.0995: return "\(Int((seconds * 1000).rounded())) ms"
  case ..<99.5: return String(format: "%.1f s", seconds)
  case ..<3600:
    let whole = Int(seconds.rounded())
    return String(format: "%d min %02d s", whole / 60, whole % 60)
  default:
    let minutes = Int((seconds / 60).rounded())
    return String(format: "%d h %02d min", minutes / 60, minutes % 60)
  }
}
