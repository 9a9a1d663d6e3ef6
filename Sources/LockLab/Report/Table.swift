/// Rows under a heading, columns as wide as their widest cell.
struct Table {
  enum Alignment { case left, right }

  struct Column {
    var title: String
    var alignment = Alignment.left
    /// A cell that is longer is cut; nil: never.
    var limit: Int?
    init(_ title: String, _ alignment: Alignment = .left, limit: Int? = nil) {
      self.title = title
      self.alignment = alignment
      self.limit = limit
    }
  }

  var columns: [Column]
  var rows: [[String]] = []

  /// The lines: the heading, then a line for each row.
  func lines(_ terminal: Terminal) -> [String] {
    let cells = ([columns.map(\.title)] + rows).map { row in
      row.enumerated().map { index, cell in
        columns[index].limit.map { printable(cell).cut(to: $0) } ?? printable(cell)
      }
    }
    let widths = columns.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    return cells.enumerated().map { number, row in
      let line = row.enumerated().map { index, cell in
        columns[index].alignment == .right
          ? cell.rightAligned(to: widths[index]) : cell.padded(to: widths[index])
      }.joined(separator: "  ").trimmingRight()
      let fitting = terminal.isInteractive ? line.cut(to: terminal.width) : line
      return number == 0 ? terminal.styled(fitting, .bold) : fitting
    }
  }
}

extension String {
  func trimmingRight() -> String {
    var end = endIndex
    while end > startIndex, self[index(before: end)] == " " { end = index(before: end) }
    return String(self[..<end])
  }

  /// The text in lines of at most `width` characters, broken at blanks where there are any.
  func wrapped(to width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in split(separator: " ") {
      var word = String(word)
      while word.count > width {
        if !line.isEmpty { lines.append(line) }
        lines.append(String(word.prefix(width)))
        word = String(word.dropFirst(width))
        line = ""
      }
      if line.isEmpty {
        line = word
      } else if line.count + 1 + word.count <= width {
        line += " " + word
      } else {
        lines.append(line)
        line = word
      }
    }
    if !line.isEmpty || lines.isEmpty { lines.append(line) }
    return lines
  }
}
