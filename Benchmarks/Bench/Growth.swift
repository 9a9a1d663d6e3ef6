import Foundation

/// States and time as CPUs, tasks, devices and instructions grow, one at a time: kernels of
/// `Peers/kernel.S` made for the purpose.
struct Growth {
  let peers: Peers
  let folder: URL

  struct Series {
    var what: String
    /// The defines of the n-th kernel: CPUS, TASKS, DEVICES, PAD.
    var kernel: (Int) -> (cpus: Int, tasks: Int, devices: Int, pad: Int)
    var values: [Int]
  }

  struct Point {
    var value: Int
    var states: Int
    var seconds: Double
    var isComplete: Bool
  }

  /// Seconds for each search; a series ends with the first that is cut short.
  static let limit = 20

  static var series: [Series] {
    [
      Series(
        what: "CPUs (a task and a timer each)", kernel: { ($0, 1, 0, 0) }, values: [1, 2, 3, 4, 5]),
      Series(
        what: "tasks (1 CPU, a timer)", kernel: { (1, $0, 0, 0) }, values: [1, 2, 3, 4, 5, 6]),
      Series(
        what: "devices (1 CPU, 1 task, a timer)", kernel: { (1, 1, $0, 0) },
        values: [0, 1, 2, 3, 4]),
      Series(
        what: "instructions in each region (2 CPUs, 1 task, a timer)", kernel: { (2, 1, 0, $0) },
        values: [0, 10, 100, 1000]),
    ]
  }

  /// Prints the table, and draws the picture.
  func measure(picture: URL) throws {
    print("### Growth\n")
    print(
      "One thing grows at a time. A search that takes longer than \(Self.limit) s is cut short.\n")
    print("| what grows | | states | times | s | µs a state |")
    print("|---|---:|---:|---:|---:|---:|")
    var lines: [(String, [Point])] = []
    for series in Self.series {
      var points: [Point] = []
      for value in series.values {
        let point = try run(series.kernel(value), value)
        let factor = points.last.map {
          (Double(point.states) / Double($0.states)).rounded(to: 2)
        }
        points.append(point)
        let more = point.isComplete ? "" : "> "
        let cells = [
          series.what, "\(value)", more + point.states.grouped,
          factor.map { more + $0 } ?? "", more + point.seconds.rounded(to: 3),
          (point.seconds * 1e6 / Double(point.states)).rounded(to: 1),
        ]
        print("| " + cells.joined(separator: " | ") + " |")
        if !point.isComplete { break }
      }
      lines.append((series.what, points))
    }
    print("")
    try GrowthPicture(lines: lines).svg.write(to: picture, atomically: true, encoding: .utf8)
  }

  private func run(
    _ k: (cpus: Int, tasks: Int, devices: Int, pad: Int), _ value: Int
  ) throws -> Point {
    try peers.build([
      folder.path, "growth", "kernel", "-DCPUS=\(k.cpus)", "-DTASKS=\(k.tasks)",
      "-DDEVICES=\(k.devices)", "-DPAD=\(k.pad)",
    ])
    var sources = (0..<k.cpus).map { "{name: timer\($0), local-timer: true, cpu: \($0)}" }
    sources += (0..<k.cpus * k.devices).map { "{name: device\($0), line: \($0 + 3)}" }
    let job = folder.appending(path: "growth.yml")
    try """
    version: 1
    images: {growth: {file: growth.elf}}
    scenarios:
      - name: growth
        memory: 2M
        start: {symbol: start}
        cpus: \(k.cpus)
        sources: [\(sources.joined(separator: ", "))]
        locks: [{acquire: spin_lock_irqsave, release: spin_unlock_irqrestore}]

    """.write(to: job, atomically: true, encoding: .utf8)
    let cost = try peers.search.run(
      "growth", options: [job.path, "--time-limit", "\(Self.limit)"])
    guard cost.verdict == "clean" || cost.verdict == "inconclusive" else {
      throw Failure("growth, \(k): \(cost.verdict) \(cost.rules)")
    }
    return Point(
      value: value, states: cost.states, seconds: cost.seconds,
      isComplete: cost.verdict == "clean")
  }
}

/// The states of each series, over what grows, on a logarithmic scale.
struct GrowthPicture {
  var lines: [(String, [Growth.Point])]

  private static let width = 760.0
  private static let panel = (width: 330.0, height: 200.0)
  private static let margin = (left: 44.0, top: 34.0)

  var svg: String {
    let all = lines.flatMap { $0.1 }
    let top = ceil(log10(Double(all.map(\.states).max() ?? 10)))
    let rows = (lines.count + 1) / 2
    let height = Double(rows) * (Self.panel.height + 70) + 10
    var text = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(height))" \
      font-family="sans-serif" font-size="11">
      <rect width="100%" height="100%" fill="white"/>

      """
    for (index, (name, points)) in lines.enumerated() {
      let x = Double(index % 2) * (Self.panel.width + 50) + Self.margin.left
      let y = Double(index / 2) * (Self.panel.height + 70) + Self.margin.top
      text += panel(name, points, x, y, top)
    }
    return text + "</svg>\n"
  }

  private func panel(
    _ name: String, _ points: [Growth.Point], _ x: Double, _ y: Double, _ top: Double
  ) -> String {
    let (w, h) = Self.panel
    func round(_ v: Double) -> String { v.rounded(to: 1) }
    func height(_ states: Int) -> Double { y + h - h * log10(Double(max(states, 1))) / top }
    func place(_ i: Int) -> Double {
      x + w * (points.count == 1 ? 0.5 : 0.05 + 0.9 * Double(i) / Double(points.count - 1))
    }
    var text =
      "<text x=\"\(round(x))\" y=\"\(round(y - 12))\" font-weight=\"bold\">\(name)</text>\n"
    for power in 0...Int(top) {
      let at = y + h - h * Double(power) / top
      text += """
        <line x1="\(round(x))" y1="\(round(at))" x2="\(round(x + w))" y2="\(round(at))" stroke="#ddd"/>
        <text x="\(round(x - 4))" y="\(round(at + 4))" text-anchor="end">10<tspan dy="-4" \
        font-size="8">\(power)</tspan></text>

        """
    }
    let path = points.enumerated()
      .map { "\(round(place($0))),\(round(height($1.states)))" }.joined(separator: " ")
    text += "<polyline points=\"\(path)\" fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\"/>\n"
    for (i, point) in points.enumerated() {
      let fill = point.isComplete ? "#1f77b4" : "white"
      text += """
        <circle cx="\(round(place(i)))" cy="\(round(height(point.states)))" r="4" fill="\(fill)" \
        stroke="#1f77b4"/>
        <text x="\(round(place(i)))" y="\(round(height(point.states) - 8))" text-anchor="middle">\
        \(point.isComplete ? "" : "&gt; ")\(point.states.grouped)</text>
        <text x="\(round(place(i)))" y="\(round(y + h + 16))" text-anchor="middle">\(point.value)</text>

        """
    }
    return text
  }
}
