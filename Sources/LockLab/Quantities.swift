import ArgumentParser
import Model

/// A number of bytes: `4096`, `64K`, `512M`, `8G`.
struct ByteCount: ExpressibleByArgument {
  var bytes: Int

  init?(argument: String) {
    guard let bytes = Self.parse(argument), bytes > 0 else { return nil }
    self.bytes = bytes
  }

  static func parse(_ text: String) -> Int? {
    var digits = Substring(text)
    for ending in ["iB", "B"] where digits.hasSuffix(ending) {
      digits = digits.dropLast(ending.count)
      break
    }
    var shift = 0
    if let unit = digits.last, let found = "KMGT".firstIndex(of: Character(unit.uppercased())) {
      shift = 10 * ("KMGT".distance(from: "KMGT".startIndex, to: found) + 1)
      digits = digits.dropLast()
    }
    let plain = digits.replacing("_", with: "")
    let number = plain.hasPrefix("0x") ? Int(plain.dropFirst(2), radix: 16) : Int(plain)
    guard let number, number >= 0 else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : product
  }
}

/// A time span: `90`, `30s`, `5m`, `2h`.
struct TimeSpan: ExpressibleByArgument {
  var seconds: Double

  init?(argument: String) {
    var digits = Substring(argument)
    var factor = 1.0
    for (unit, seconds) in [("ms", 0.001), ("min", 60), ("s", 1), ("m", 60), ("h", 3600)]
    where digits.hasSuffix(unit) {
      factor = seconds
      digits = digits.dropLast(unit.count)
      break
    }
    guard let number = Double(digits), number >= 0, number.isFinite else { return nil }
    seconds = number * factor
  }
}

/// A number, or `unlimited`.
struct Bound: ExpressibleByArgument {
  var limit: Int?

  init?(argument: String) {
    if argument == "unlimited" { return }
    guard let number = Int(argument), number >= 0 else { return nil }
    limit = number
  }
}

/// `all`, `none`, or names of reductions with commas between.
struct Reductions: ExpressibleByArgument {
  var set: Set<Reduction>

  init?(argument: String) {
    switch argument {
    case "all": set = Set(Reduction.allCases)
    case "none": set = []
    default:
      var chosen: Set<Reduction> = []
      for name in argument.split(separator: ",") {
        guard let reduction = Reduction(rawValue: String(name)) else { return nil }
        chosen.insert(reduction)
      }
      guard !chosen.isEmpty else { return nil }
      set = chosen
    }
  }

  static var allValueStrings: [String] { ["all", "none"] + Reduction.allCases.map(\.rawValue) }
}
