import Model

/// Reads interrupt sources.
extension ScenarioReader {
  mutating func readSources(_ node: JobNode) throws {
    result.symbols["sources"] = []
    // Those that the image has set up by the start, or a list.
    let isProgrammed = node.isScalar("programmed")
    result.scenario.sourcesFromImage = isProgrammed ? true : nil
    result.scenario.sources = isProgrammed ? [] : try node.list().map { try source($0) }
  }

  private mutating func source(_ item: JobNode) throws -> Source {
    let known = [
      "name", "line", "nmi", "machine-check", "local-timer", "cpu", "data", "arrivals", "function",
      "vector", "arguments",
    ]
    let fields = try item.fields(known, of: "a source")
    guard let name = fields["name"] else { throw item.error("a source needs a name") }
    var source = Source(name: try name.text(), line: try fields["line"]?.number(0...15))
    source.nmi = try fields["nmi"]?.truth() ?? false
    source.data = try fields["data"].map(Self.data) ?? []
    source.arrivals = try fields["arrivals"]?.bound()
    source.machineCheck = try fields["machine-check"]?.truth() ?? false
    source.localTimer = try fields["local-timer"]?.truth() ?? false
    source.cpu = try fields["cpu"]?.number(0...7) ?? 0
    source.function = try fields["function"].map { try use($0, for: "sources") }
    source.vector = try fields["vector"]?.number(32...254)
    source.arguments = try fields["arguments"].map { try arguments($0, for: "sources") }
    let kinds = [source.line != nil, source.nmi, source.machineCheck, source.localTimer]
    let count = kinds.count { $0 }
    if source.function != nil {
      guard count == 0 || (count == 1 && !source.localTimer) else {
        throw item.error(
          "a source with a `function` has a `line`, or `nmi: true` or `machine-check: true`, or none "
            + "of them: then LockLab chooses a line")
      }
      if let vector = fields["vector"], source.nmi || source.machineCheck {
        throw vector.error("the vector of an NMI is 2, that of a machine check 18")
      }
    } else {
      guard count == 1 else {
        throw item.error(
          "a source has either a `line` from 0 to 15 or one of `nmi: true`, `machine-check: true`, "
            + "`local-timer: true`")
      }
      for key in ["vector", "arguments"] {
        if let node = fields[key] {
          throw node.error("`\(key)` belongs to a source with a `function`, which `calls` have")
        }
      }
      if let cpu = fields["cpu"], source.line != nil {
        throw cpu.error("where a line goes is for the kernel to program; leave `cpu` out")
      }
    }
    if source.line == 2 {
      throw fields["line"]!.error("line 2 is the second controller's own; devices are on others")
    }
    return source
  }
}
