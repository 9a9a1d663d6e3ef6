import Foundation
import Model

/// A file of scenarios, read and checked as far as that goes without its images.
struct Job {
  /// As the user named it; for messages.
  var file: String
  var images: [String: ImageSource]
  /// Commands that build images, for whoever has not built them yet.
  var builds: [String: String] = [:]
  var scenarios: [JobScenario]
  /// What is to be linked, by the image's name. Of all scenarios, whichever are chosen later: the image
  /// is the same in each run.
  var links: [String: LinkRequest] = [:]
}

/// Where an image comes from.
enum ImageSource: Equatable {
  /// Carried in the program.
  case builtin(String)
  case file(String)
  /// Object files and archives, which are linked when they are needed.
  case objects([String], place: JobError.Place?)
  /// Kept in a database.
  case bytes([UInt8], origin: String)

  /// As the database keeps it.
  var origin: String {
    switch self {
    case .builtin(let name): "builtin:\(name)"
    case .file(let path): "file:\(URL(fileURLWithPath: path).standardizedFileURL.path)"
    case .objects(let paths, _):
      // Cannot be opened again by this: such an image is kept with what is found in it.
      "linked:" + paths.map { URL(fileURLWithPath: $0).lastPathComponent }.joined(separator: ",")
    case .bytes(_, let origin): origin
    }
  }

  init?(origin: String) {
    if origin.hasPrefix("builtin:") {
      self = .builtin(String(origin.dropFirst("builtin:".count)))
    } else if origin.hasPrefix("file:") {
      self = .file(String(origin.dropFirst("file:".count)))
    } else {
      return nil
    }
  }
}

/// A scenario of a job, with the places in the file that errors refer to.
struct JobScenario {
  var scenario: Scenario
  var file: String
  var place: JobError.Place?
  /// Symbols that the image must have, by the scenario's key that names them.
  var symbols: [String: [SymbolUse]] = [:]
  /// Expressions with where they are.
  var expressions: [String: [(expression: Model.Expression, place: JobError.Place?)]] = [:]
  /// What a report says besides the search's own notes.
  var notes: [String] = []
  /// The job is in the program, not in a file.
  var isCarried = false

  struct SymbolUse {
    var symbol: String
    var place: JobError.Place?
  }

  func error(_ message: String) -> JobError { JobError(file: file, place: place, message: message) }
}

extension Job {
  /// The job of the reference kernel core, which the program carries: a file for each machine, and one for
  /// several CPUs, with defaults of its own.
  static func reference() throws -> Job {
    let files = [
      ("reference.yml", PackageResources.reference_yml),
      ("reference-x86-64.yml", PackageResources.reference_x86_64_yml),
      ("reference-smp.yml", PackageResources.reference_smp_yml),
    ]
    let jobs = try files.map { name, bytes in
      try Job(yaml: String(decoding: bytes, as: UTF8.self), file: name, folder: nil)
    }
    var whole = jobs[0]
    for job in jobs.dropFirst() {
      whole.images.merge(job.images) { first, _ in first }
      whole.scenarios += job.scenarios
    }
    for index in whole.scenarios.indices { whole.scenarios[index].isCarried = true }
    return whole
  }

  static func load(_ path: String) throws -> Job {
    try Job(
      yaml: try readText(path, what: "job file"), file: path,
      folder: URL(fileURLWithPath: path).deletingLastPathComponent())
  }

  /// A job of one scenario, made from the command line.
  static func single(image path: String, _ options: JobOptions) -> Job {
    let name = URL(fileURLWithPath: path).lastPathComponent
    var scenario = Scenario(name: name, image: name)
    scenario.start.symbol = options.start
    scenario.start.hits = options.hits ?? 1
    scenario.start.serial = options.startText
    scenario.until = options.until.isEmpty ? nil : options.until
    scenario.boot = options.boot
    scenario.disks = options.disk.isEmpty ? nil : options.disk
    scenario.cpus = options.cpus ?? 1
    if let memory = options.memory { scenario.memory = memory.bytes }
    scenario.commandLine = options.commandLine ?? ""
    scenario.sourcesFromImage = true
    var made = JobScenario(scenario: scenario, file: path)
    if let symbol = options.start { made.symbols["start"] = [.init(symbol: symbol)] }
    made.symbols["until"] = options.until.map { .init(symbol: $0) }
    let cpus = scenario.cpus == 1 ? "1 CPU" : "\(scenario.cpus) CPUs"
    made.notes = [
      "Assumed, as no job file was given: \(cpus), as sources what the image has programmed, "
        + "and no lock functions, so rules about locks say nothing."
    ]
    return Job(file: path, images: [name: .file(path)], scenarios: [made])
  }

  /// Reads a job file's text. Paths in it are relative to `folder`.
  init(yaml: String, file: String, folder: URL?) throws {
    let keys = ["version", "images", "defaults", "scenarios"]
    let root = try JobNode(yaml: yaml, file: file, what: "job file")
    guard root.isMapping else {
      throw root.error("a job file is a mapping with the keys \(keys.joined(separator: ", "))")
    }
    let fields = try root.fields(keys, of: "a job file")
    func required(_ key: String) throws -> JobNode {
      guard let node = fields[key] else { throw root.error("the key '\(key)' is missing") }
      return node
    }
    let version = try required("version")
    guard try version.number(0...Int.max) == 1 else {
      throw version.error("this LockLab reads job files of version 1")
    }
    self.file = file
    (images, builds) = try Self.images(try required("images"), folder: folder)
    scenarios = []

    var names: [String: JobError.Place?] = [:]
    for item in try required("scenarios").list() {
      guard item.isMapping else { throw item.error("a scenario is a mapping") }
      let scenario = try ScenarioReader.read(item, defaults: fields["defaults"], images: images)
      let name = scenario.scenario.name
      if let earlier = names[name] {
        let place = earlier.map { " in line \($0.line)" } ?? ""
        throw scenario.error("there is a scenario '\(name)' already\(place)")
      }
      names[name] = scenario.place
      scenarios.append(scenario)
    }
    guard !scenarios.isEmpty else { throw try required("scenarios").error("there is no scenario") }
    for (name, source) in images { links[name] = link(source, name: name) }
  }

  private func link(_ source: ImageSource, name: String) -> LinkRequest? {
    guard case .objects(let paths, let place) = source else { return nil }
    var request = LinkRequest(paths: paths, place: place, file: file)
    var wanted: Set<String> = []
    for scenario in scenarios where scenario.scenario.image == name {
      for (key, uses) in scenario.symbols where key != "stubs" {
        wanted.formUnion(uses.map(\.symbol))
      }
      for stub in scenario.scenario.stubs ?? [] {
        var bytes = Stub.size
        switch stub.action {
        case .data(let size): bytes = max(size, Stub.size + 1)
        case .jumps(let target): wanted.insert(target)
        case .returns: break
        }
        request.stubs[stub.symbol] = max(bytes, request.stubs[stub.symbol] ?? 0)
      }
    }
    request.wanted = wanted.subtracting(request.stubs.keys).sorted()
    return request
  }

  private static func images(
    _ node: JobNode, folder: URL?
  ) throws -> ([String: ImageSource], builds: [String: String]) {
    var images: [String: ImageSource] = [:]
    var builds: [String: String] = [:]
    for (key, value) in try node.entries() {
      let name = try key.text()
      let fields = try value.fields(["builtin", "file", "objects", "build"], of: "an image")
      func path(_ node: JobNode) throws -> String {
        let path = try node.text()
        guard !path.hasPrefix("/"), let folder else { return path }
        let found = folder.appendingPathComponent(path).relativePath
        return found.hasPrefix("./") ? String(found.dropFirst(2)) : found
      }
      switch (fields["builtin"], fields["file"], fields["objects"]) {
      case (let builtin?, nil, nil): images[name] = .builtin(try builtin.text())
      case (nil, let file?, nil): images[name] = .file(try path(file))
      case (nil, nil, let objects?):
        let paths = try objects.items().map(path)
        guard !paths.isEmpty else { throw objects.error("there is no object file") }
        images[name] = .objects(paths, place: objects.node.place)
      default:
        throw value.error(
          "an image is one of {builtin: NAME}, {file: PATH} and {objects: [a.o, libb.a]}")
      }
      if let build = fields["build"] {
        guard fields["builtin"] == nil else {
          throw build.error("'build' says how a {file: PATH} or {objects: [PATH]} is made")
        }
        builds[name] = try build.text()
      }
    }
    guard !images.isEmpty else { throw node.error("there is no image") }
    return (images, builds)
  }
}

extension Job {
  /// Loads one of the images; where its file is not there, the error says what would build it.
  func load(image name: String, disks: [String]) throws -> LoadedImage {
    let source = images[name]!
    if case .file(let path) = source, !FileManager.default.fileExists(atPath: path) {
      if let build = builds[name] {
        throw Failure("\(path): no such file; this builds it: \(build)")
      }
      if path != file {
        throw Failure(
          "\(path): no such file; it is the image '\(name)' of \(file), to be built first")
      }
    }
    guard let request = links[name] else {
      return try LoadedImage(source, name: name, disks: disks)
    }
    return try LoadedImage(
      .bytes(try Linker(request: request).link(), origin: source.origin), name: name,
      disks: disks)
  }
}
