import Emulator
import Model
import Yams

/// Reads a scenario of a job: the defaults' keys first, then its own over them. Lists are replaced,
/// not appended to.
struct ScenarioReader {
  var result: JobScenario

  /// What each key of a scenario means.
  typealias Reader = @Sendable (inout ScenarioReader, JobNode) throws -> Void
  static let readers: [String: Reader] = [
    "summary": { $0.result.scenario.summary = try $1.text() },
    "image": { $0.result.scenario.image = try $1.text() },
    "command-line": { $0.result.scenario.commandLine = try $1.text() },
    "boot": {
      let names = BootProtocol.allCases.map(\.rawValue)
      $0.result.scenario.boot = BootProtocol(rawValue: try $1.choice(names, what: "boot protocol"))
    },
    "disk": {
      let files = try $1.items().map { try $0.path() }
      guard (1...2).contains(files.count) else { throw $1.error("there can be one or two disks") }
      $0.result.scenario.disks = files
    },
    "cpus": { $0.result.scenario.cpus = try $1.number(1...8) },
    "memory": { $0.result.scenario.memory = try $1.byteCount() },
    "start": { try $0.readStart($1) },
    "sources": { try $0.readSources($1) },
    "max-interrupts": { $0.result.scenario.maxInterrupts = try $1.bound() },
    "locks": { try $0.readLocks($1) },
    "ends": { $0.result.scenario.ends = try $0.symbols($1, for: "ends") },
    "assertions": { $0.result.scenario.assertions = try $0.symbols($1, for: "assertions") },
    "panics": { $0.result.scenario.panics = try $0.symbols($1, for: "panics") },
    "entry": { try $0.readEntry($1) },
    "stacks": { try $0.readStacks($1) },
    "switches": { $0.result.scenario.switches = try $0.symbols($1, for: "switches") },
    "ignore": { try $0.readIgnored($1) },
    "atomics": { $0.result.scenario.atomics = try $0.symbols($1, for: "atomics") },
    "invariants": {
      $0.result.scenario.invariants = try $0.expressions($1, for: "invariants")
    },
    "final": { $0.result.scenario.final = try $0.expressions($1, for: "final") },
    "observe": { try $0.readObserved($1) },
    "until": { $0.result.scenario.until = try $0.symbols($1, for: "until") },
    "calls": { try $0.readCalls($1) },
    "handlers": { try $0.readHandlers($1) },
    "convention": { try $0.readConvention($1) },
    "per-cpu": { try $0.readPerCPU($1) },
    "stubs": { try $0.readStubs($1) },
    "expected-exceptions": {
      $0.result.scenario.expectedExceptions = try $1.list().map { try $0.number(0...31) }
    },
    "patches": { try $0.readPatches($1) },
    "expect": { $0.result.scenario.expect = try Self.expectation($1) },
    "covers": { $0.result.scenario.covers = try Self.covered($1) },
  ]

  static func read(
    _ node: JobNode, defaults: JobNode?, images: [String: ImageSource]
  ) throws -> JobScenario {
    let known = Array(readers.keys)
    let own = try node.fields(known + ["name"], of: "a scenario")
    guard let name = own["name"] else { throw node.error("a scenario needs a name") }
    var reader = ScenarioReader(
      result: JobScenario(
        scenario: Scenario(name: try name.text(), image: ""), file: node.file,
        place: name.node.place)
    )
    for (key, value) in try defaults?.fields(known, of: "the defaults") ?? [:] {
      try readers[key]!(&reader, value)
    }
    for (key, value) in own where key != "name" { try readers[key]!(&reader, value) }
    try reader.chooseImage(
      images, mention: own["image"] ?? (try defaults?.fields(known, of: "the defaults"))?["image"],
      node)
    let all = (try defaults?.fields(known, of: "the defaults") ?? [:]).merging(own) { $1 }
    try reader.checkSources(own["sources"] ?? node)
    try reader.checkCalls(all, node)
    return reader.result
  }

  // MARK: The whole

  private mutating func chooseImage(
    _ images: [String: ImageSource], mention: JobNode?, _ node: JobNode
  ) throws {
    let name = result.scenario.image
    if name.isEmpty {
      guard images.count == 1 else {
        throw node.error(
          "the scenario does not say which image: \(images.keys.sorted().joined(separator: ", "))")
      }
      result.scenario.image = images.first!.key
    } else if images[name] == nil {
      let hint = Suggestion.hint(for: name, among: images.keys)
      throw (mention ?? node).error("there is no image '\(name)' under `images`\(hint)")
    }
  }

  private func checkSources(_ node: JobNode) throws {
    var names: Set<String> = []
    for source in result.scenario.sources where !names.insert(source.name).inserted {
      throw node.error("two sources are called '\(source.name)'")
    }
  }

  // MARK: Symbols

  mutating func use(_ node: JobNode, for key: String) throws -> String {
    let symbol = try node.text()
    result.symbols[key, default: []].append(.init(symbol: symbol, place: node.node.place))
    return symbol
  }

  /// A list of symbols that replaces what `key` named before.
  mutating func symbols(_ node: JobNode, for key: String) throws -> [String] {
    result.symbols[key] = []
    return try node.items().map { try use($0, for: key) }
  }

  // MARK: Keys

  private mutating func readStart(_ node: JobNode) throws {
    let fields = try node.fields(["symbol", "hits", "limit", "serial"], of: "start")
    if let symbol = fields["symbol"] {
      result.symbols["start"] = []
      result.scenario.start.symbol = try use(symbol, for: "start")
    }
    if let text = fields["serial"] { result.scenario.start.serial = try text.text() }
    if let hits = fields["hits"] { result.scenario.start.hits = try hits.number(1...Int.max) }
    if let limit = fields["limit"] { result.scenario.start.limit = try limit.number(1...Int.max) }
  }

  static func data(_ node: JobNode) throws -> [UInt8] {
    if case .sequence = node.node { return try node.list().map { UInt8(try $0.number(0...255)) } }
    return try node.hexBytes()
  }

  private mutating func readEntry(_ node: JobNode) throws {
    let fields = try node.fields(["complete", "exit"], of: "entry")
    var entry = result.scenario.entry ?? EntryPath(complete: [], exit: [])
    if let complete = fields["complete"] {
      entry.complete = try symbols(complete, for: "entry.complete")
    }
    if let exit = fields["exit"] { entry.exit = try symbols(exit, for: "entry.exit") }
    result.scenario.entry = entry
  }

  /// `SYMBOL`, or `{symbol: SYMBOL, size: BYTES}`.
  private mutating func extent(
    _ node: JobNode, for key: String
  ) throws -> (symbol: String, size: Int?) {
    guard node.isMapping else { return (try use(node, for: key), nil) }
    let fields = try node.fields(["symbol", "size"], of: key)
    guard let symbol = fields["symbol"] else { throw node.error("the key 'symbol' is missing") }
    return (try use(symbol, for: key), try fields["size"]?.byteCount())
  }

  private mutating func readStacks(_ node: JobNode) throws {
    result.symbols["stacks"] = []
    result.scenario.stacks = try node.list().map {
      let extent = try extent($0, for: "stacks")
      return StackLimit(symbol: extent.symbol, size: extent.size)
    }
  }

  private mutating func readIgnored(_ node: JobNode) throws {
    result.symbols["ignore"] = []
    result.scenario.ignore = try node.list().map {
      let extent = try extent($0, for: "ignore")
      return MemoryRange(symbol: extent.symbol, size: extent.size)
    }
  }

  private mutating func readPatches(_ node: JobNode) throws {
    result.symbols["patches"] = []
    let known = ["symbol", "instruction", "occurrence", "drop", "replace"]
    result.scenario.patches = try node.list().map { item in
      let fields = try item.fields(known, of: "a patch")
      guard let symbol = fields["symbol"], let instruction = fields["instruction"] else {
        throw item.error(
          "a patch needs a `symbol` and an `instruction`, as in {symbol: …, "
            + "instruction: cli, drop: true}")
      }
      let action: Patch.Action
      switch (fields["drop"], fields["replace"]) {
      case (let drop?, nil):
        guard try drop.truth() else { throw drop.error("leave the patch out instead") }
        action = .drop
      case (nil, let replacement?): action = .replace(try replacement.hexBytes())
      default: throw item.error("a patch has either `drop: true` or `replace: \"hex bytes\"`")
      }
      return Patch(
        symbol: try use(symbol, for: "patches"), instruction: try instruction.text(),
        occurrence: try fields["occurrence"]?.number(1...Int.max) ?? 1, action: action)
    }
  }

  private static func expectation(_ node: JobNode) throws -> Expectation {
    guard node.isMapping else {
      guard case .scalar(let scalar) = node.node, scalar.string == "clean" else {
        throw node.error("expected `clean` or {violated: [RULES]}")
      }
      return .clean
    }
    guard let violated = try node.fields(["violated"], of: "expect")["violated"] else {
      throw node.error("expected `clean` or {violated: [RULES]}")
    }
    let rules = try violated.items().map { try ruleName($0) }
    guard !rules.isEmpty else { throw violated.error("name the rules that are to be broken") }
    return .violated(rules: rules)
  }

  private static func ruleName(_ node: JobNode) throws -> String {
    let name = try node.text()
    guard let rule = RuleCatalogue.info(name) else {
      let hint = Suggestion.hint(for: name, among: RuleCatalogue.all.map(\.name))
      throw node.error(
        "there is no rule '\(name)'\(hint.isEmpty ? "; `locklab rules` lists them" : hint)")
    }
    guard rule.isChecked else {
      throw node.error("this version does not check the rule '\(name)'; nothing could meet this")
    }
    return name
  }

  private static func covered(_ node: JobNode) throws -> [String] {
    try node.list().map { item in
      let name = try item.text()
      if Mechanism.info(name) != nil || Lesson.info(name) != nil { return name }
      guard RuleCatalogue.info(name) != nil else {
        let names =
          RuleCatalogue.all.map(\.name) + Mechanism.all.map(\.name) + Lesson.all.map(\.name)
        let hint = Suggestion.hint(for: name, among: names)
        throw item.error(
          "'\(name)' is neither a rule nor one of M1 to M\(Mechanism.all.count) and H1 to "
            + "H\(Lesson.all.count)\(hint)")
      }
      return name
    }
  }
}
