/// Several measurements of one thing: the median, the least and the greatest.
struct Spread {
  let median: Double
  let least: Double
  let greatest: Double

  /// - Precondition: there is at least one value.
  init(_ values: [Double]) {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    median =
      sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    least = sorted[0]
    greatest = sorted[sorted.count - 1]
  }

  /// As "12.3 (11.9–12.8)", divided by `unit`.
  func text(_ unit: Double = 1, places: Int) -> String {
    let values = [median, least, greatest].map { ($0 / unit).rounded(to: places) }
    return "\(values[0]) (\(values[1])–\(values[2]))"
  }
}

extension Double {
  /// In decimal notation, with so many places after the point.
  func rounded(to places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let whole = Int64((self * scale).rounded())
    if places == 0 { return whole.grouped }
    let (quotient, rest) = whole.magnitude.quotientAndRemainder(dividingBy: UInt64(scale))
    let fraction = String(rest)
    return (whole < 0 ? "-" : "") + Int64(quotient).grouped + "."
      + String(repeating: "0", count: places - fraction.count) + fraction
  }
}

extension BinaryInteger {
  /// With a comma after each three digits.
  var grouped: String {
    var text = ""
    for (index, digit) in String(magnitude).reversed().enumerated() {
      if index > 0 && index % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (self < 0 ? "-" : "") + String(text.reversed())
  }
}
