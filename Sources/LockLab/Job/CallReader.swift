import Model

/// Reads what belongs to scenarios that call functions instead of booting: `calls`, `handlers`,
/// `convention`, `stubs`.
extension ScenarioReader {
  // MARK: Calls

  mutating func readCalls(_ node: JobNode) throws {
    result.symbols["calls"] = []
    var lists: [CallList] = []
    for (index, item) in try node.list().enumerated() {
      // A list of calls by themselves: on the CPU of its number.
      let fields =
        item.isMapping
        ? try item.fields(["cpu", "stack", "interrupts", "call"], of: "`calls`") : ["call": item]
      guard let call = fields["call"] else {
        throw item.error("which functions? write `call: [FUNCTION, …]`")
      }
      let cpu = try fields["cpu"]?.number(0...7) ?? index
      guard cpu <= 7 else { throw item.error("there are at most 8 CPUs, 0 to 7") }
      if lists.contains(where: { $0.cpu == cpu }) {
        throw (fields["cpu"] ?? item).error(
          "CPU \(cpu) has calls already; put all of them into one list")
      }
      var list = CallList(cpu: cpu, calls: try call.items().map { try functionCall($0) })
      guard !list.calls.isEmpty else { throw call.error("there is no function to call") }
      if let stack = fields["stack"] {
        list.stack = try stack.byteCount()
        guard (256...1 << 20).contains(list.stack) else {
          throw stack.error("a stack has 256 bytes to 1M")
        }
      }
      list.interrupts = try fields["interrupts"]?.truth() ?? true
      lists.append(list)
    }
    guard !lists.isEmpty else { throw node.error("there are no calls") }
    result.scenario.calls = lists
  }

  private mutating func functionCall(_ node: JobNode) throws -> FunctionCall {
    guard node.isMapping else { return FunctionCall(function: try use(node, for: "calls")) }
    let fields = try node.fields(["function", "arguments", "times"], of: "a call")
    guard let function = fields["function"] else { throw node.error("a call needs a `function`") }
    var call = FunctionCall(function: try use(function, for: "calls"))
    if let list = fields["arguments"] { call.arguments = try arguments(list, for: "calls") }
    call.times = try fields["times"]?.number(1...1_000_000) ?? 1
    return call
  }

  /// Numbers, and symbols (their addresses) with a number added or not.
  mutating func arguments(_ node: JobNode, for key: String) throws -> [CallArgument] {
    let items = try node.items()
    guard items.count <= 16 else { throw node.error("more than 16 arguments") }
    return try items.map { item in
      if let number = item.wholeNumber { return CallArgument(number: number) }
      let text = try item.text()
      let form = /&?\s*([^\s+\-][^\s+]*?)\s*(?:([+-])\s*(0[xX][0-9a-fA-F]+|[0-9]+))?/
      guard let match = text.wholeMatch(of: form) else {
        throw item.error("'\(text)' is neither a number nor SYMBOL or SYMBOL + NUMBER")
      }
      var offset: Int64 = 0
      if let digits = match.output.3 {
        let value =
          digits.lowercased().hasPrefix("0x")
          ? Int64(digits.dropFirst(2), radix: 16) : Int64(digits)
        guard let value else { throw item.error("\(digits) is out of range") }
        offset = match.output.2 == "-" ? -value : value
      }
      let symbol = String(match.output.1)
      result.symbols[key, default: []].append(.init(symbol: symbol, place: item.node.place))
      return CallArgument(symbol: symbol, number: offset)
    }
  }

  mutating func readHandlers(_ node: JobNode) throws {
    result.symbols["handlers"] = []
    var handlers: [Handler] = []
    for item in try node.list() {
      let fields = try item.fields(["vector", "function", "arguments", "eoi"], of: "a handler")
      guard let vector = fields["vector"], let function = fields["function"] else {
        throw item.error("a handler needs a `vector` and a `function`")
      }
      var handler = Handler(
        vector: try vector.number(0...255), function: try use(function, for: "handlers"))
      if let list = fields["arguments"] {
        handler.arguments = try arguments(list, for: "handlers")
      }
      handler.endsInterrupt = try fields["eoi"]?.truth() ?? false
      if handlers.contains(where: { $0.vector == handler.vector }) {
        throw vector.error("vector \(handler.vector) has a handler already")
      }
      handlers.append(handler)
    }
    result.scenario.handlers = handlers
  }

  mutating func readConvention(_ node: JobNode) throws {
    let names = CallingConvention.allCases.map(\.rawValue)
    result.scenario.convention = CallingConvention(
      rawValue: try node.choice(names, what: "calling convention"))
  }

  mutating func readPerCPU(_ node: JobNode) throws {
    result.symbols["per-cpu"] = []
    let known = ["register", "start", "end", "offsets", "offset", "number"]
    let fields = try node.fields(known, of: "`per-cpu`")
    guard let start = fields["start"], let end = fields["end"] else {
      throw node.error("`per-cpu` needs the symbols at its `start` and `end`")
    }
    let register = try fields["register"]?.choice(["gs", "fs"], what: "segment register") ?? "gs"
    var data = PerCPUData(
      usesGS: register == "gs", start: try use(start, for: "per-cpu"),
      end: try use(end, for: "per-cpu"))
    data.offsets = try fields["offsets"].map { try use($0, for: "per-cpu") }
    data.offset = try fields["offset"].map { try use($0, for: "per-cpu") }
    data.number = try fields["number"].map { try use($0, for: "per-cpu") }
    result.scenario.perCPU = data
  }

  // MARK: Stubs

  mutating func readStubs(_ node: JobNode) throws {
    result.symbols["stubs"] = []
    result.scenario.stubs = try node.entries().map { key, value in
      let name = try key.text()
      result.symbols["stubs", default: []].append(.init(symbol: name, place: key.node.place))
      return Stub(symbol: name, action: try stubAction(value))
    }
  }

  private mutating func stubAction(_ node: JobNode) throws -> Stub.Action {
    if let number = node.wholeNumber { return .returns(number) }
    guard node.isMapping else {
      let text = try node.text()
      if text == "noop" { return .returns(0) }
      return .jumps(try use(node, for: "stubs"))
    }
    let fields = try node.fields(["returns", "data"], of: "a stub")
    switch (fields["returns"], fields["data"]) {
    case (let value?, nil):
      guard let number = value.wholeNumber else { throw value.error("expected a number") }
      return .returns(number)
    case (nil, let bytes?): return .data(try bytes.byteCount())
    default:
      throw node.error(
        "a stub is `noop`, a number to return, another function's name, or {data: BYTES}")
    }
  }

  // MARK: Expressions

  mutating func expressions(_ node: JobNode, for key: String) throws -> [String] {
    result.symbols[key] = []
    result.expressions[key] = []
    return try node.items().map { try expression($0, for: key) }
  }

  private mutating func expression(_ node: JobNode, for key: String) throws -> String {
    let text = node.wholeNumber.map { String($0) }
    let written = try text ?? node.text()
    do {
      let expression = try Expression(written)
      result.expressions[key, default: []].append((expression, node.node.place))
      for symbol in expression.symbols {
        result.symbols[key, default: []].append(.init(symbol: symbol, place: node.node.place))
      }
    } catch let problem as Expression.Problem {
      throw node.error("`\(written)`: \(problem)")
    }
    return written
  }

  mutating func readObserved(_ node: JobNode) throws {
    result.symbols["observe"] = []
    result.expressions["observe"] = []
    let observed: [Observed] =
      node.isMapping
      ? try node.entries().map { key, value in
        Observed(name: try key.text(), expression: try expression(value, for: "observe"))
      }
      : try node.items().map {
        let text = try expression($0, for: "observe")
        return Observed(name: text, expression: text)
      }
    guard !observed.isEmpty else { throw node.error("there is nothing to observe") }
    var names: Set<String> = []
    for one in observed where !names.insert(one.name).inserted {
      throw node.error("'\(one.name)' is observed twice")
    }
    result.scenario.observe = observed
  }

  // MARK: What goes together

  mutating func checkCalls(_ fields: [String: JobNode], _ node: JobNode) throws {
    let scenario = result.scenario
    guard let calls = scenario.calls else {
      if let key = ["handlers", "convention", "per-cpu"].first(where: { fields[$0] != nil }) {
        throw fields[key]!.error("`\(key)` goes with `calls`; an image that boots has its own")
      }
      if let source = scenario.sources.first(where: { $0.function != nil }) {
        throw (fields["sources"] ?? node).error(
          "source '\(source.name)' has a `function`, which goes with `calls`; an image that boots "
            + "has handlers of its own")
      }
      return
    }
    for key in ["start", "command-line", "entry"] {
      if let other = fields[key] {
        throw other.error("`\(key)` is for an image that boots; `calls` boot nothing")
      }
    }
    for source in scenario.sources where source.function == nil {
      throw (fields["sources"] ?? node).error(
        "source '\(source.name)' needs the `function` that handles it, as nothing boots that would "
          + "set up a handler")
    }
    let last = calls.map(\.cpu).max() ?? 0
    if fields["cpus"] == nil { result.scenario.cpus = last + 1 }
    if fields["cpus"] != nil, last >= scenario.cpus {
      throw fields["cpus"]!.error("there are calls on CPU \(last); raise `cpus` to \(last + 1)")
    }
  }
}

extension JobNode {
  /// A whole number, of either sign; nil for anything else.
  var wholeNumber: Int64? {
    guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else {
      return nil
    }
    let digits = scalar.string.replacing("_", with: "").lowercased()
    if digits.hasPrefix("0x") {
      return UInt64(digits.dropFirst(2), radix: 16).map { Int64(bitPattern: $0) }
    }
    return Int64(digits) ?? UInt64(digits).map { Int64(bitPattern: $0) }
  }
}
