import Foundation
import Model

/// Counterexamples in one file of JSON that replays elsewhere: with the bytes of the images, the
/// scenarios' definitions, one execution of each, and what people decided.
///
/// Everything that has a digest is checked against it when the file is read, and everything that is
/// a number is held to the bounds that job files have.
public struct ExportFile: Codable, Sendable, Equatable {
  public struct Image: Codable, Sendable, Equatable {
    public var digest: String
    public var arch: String
    /// Where it came from; a file's name, without its folder.
    public var origin: String
    /// Base64 in the file.
    public var bytes: Data
  }

  public struct Entry: Codable, Sendable, Equatable {
    public var fingerprint: String
    /// The digest of its image.
    public var image: String
    /// SHA-256 of the scenario's definition, and the definition itself, as the store has it.
    public var scenarioDigest: String
    public var scenario: String
    public var counterexample: Counterexample
    public var found: String
    public var triage: [TriageEntry]
  }

  /// The key says what the file is; its value, in which form.
  public var locklabCounterexamples: Int
  public var version: String
  public var exported: String
  public var images: [Image]
  public var entries: [Entry]

  static let form = 1

  /// Of stored counterexamples; `bytes` fetches an image's, which must fit its digest.
  public init(
    _ stored: [StoredCounterexample], version: String,
    bytes: (StoredCounterexample) throws -> [UInt8]
  ) throws {
    locklabCounterexamples = Self.form
    self.version = version
    exported = timestamp()
    images = []
    entries = []
    for one in stored {
      if !images.contains(where: { $0.digest == one.image.digest }) {
        images.append(
          Image(
            digest: one.image.digest, arch: one.image.arch, origin: Self.origin(one.image.origin),
            bytes: Data(try bytes(one))))
      }
      let definition = try json(one.scenario)
      var triage = one.triage
      // Numbers mean nothing elsewhere.
      triage.removeAll { $0.decision == .duplicate }
      entries.append(
        Entry(
          fingerprint: one.counterexample.identity.fingerprint, image: one.image.digest,
          scenarioDigest: Digest.sha256(definition), scenario: definition,
          counterexample: one.counterexample, found: one.occurrences.last?.found ?? exported,
          triage: triage))
    }
  }

  private static func origin(_ origin: String) -> String {
    guard origin.hasPrefix("file:") else { return origin }
    return "imported:" + (origin.split(separator: "/").last.map(String.init) ?? "image")
  }

  public var text: String { get throws { try json(self) + "\n" } }

  /// Reads and checks a file's bytes.
  ///
  /// - Throws: `StoreError.badExport`, which says what is wrong.
  public init(bytes: [UInt8], path: String) throws {
    func bad(_ detail: String) -> StoreError { .badExport(path: path, detail: detail) }
    do {
      self = try JSONDecoder().decode(ExportFile.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw bad(Self.explain(error))
    } catch {
      throw bad("it is not JSON")
    }
    guard locklabCounterexamples == Self.form else {
      throw bad("it is of form \(locklabCounterexamples), this LockLab knows \(Self.form)")
    }
    guard !entries.isEmpty else { throw bad("there is no counterexample in it") }
    var known: Set<String> = []
    for image in images {
      guard Digest.sha256([UInt8](image.bytes)) == image.digest else {
        throw bad("the bytes of image \(image.digest.prefix(12)) do not have that digest")
      }
      known.insert(image.digest)
    }
    for (number, entry) in entries.enumerated() {
      if let fault = entry.fault(images: known) {
        throw bad("counterexample \(number + 1): \(fault)")
      }
    }
  }

  private static func explain(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context) -> String {
      let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }
      return path.isEmpty ? "the file" : String(path.joined().drop { $0 == "." })
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "'\(key.stringValue)' is missing in \(place(context))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "\(place(context)) is of another type than expected"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty ? "it is not JSON" : "\(place(context)) cannot be read"
    @unknown default: return "it cannot be read"
    }
  }
}

extension ExportFile.Entry {
  /// The scenario, read from its definition.
  func definition() throws -> Scenario { try Store.scenario(ofJSON: scenario) }

  /// What is wrong with it, if anything is.
  fileprivate func fault(images: Set<String>) -> String? {
    guard images.contains(image) else { return "its image is not in the file" }
    guard Digest.sha256(scenario) == scenarioDigest else {
      return "the scenario's definition does not have its digest"
    }
    let identity = counterexample.identity
    guard identity.fingerprint == fingerprint, identity.rule == counterexample.rule else {
      return "its fingerprint is not that of its identity"
    }
    guard RuleCatalogue.info(counterexample.rule) != nil else {
      return "there is no rule '\(counterexample.rule)'"
    }
    guard let scenario = try? definition() else {
      return "the scenario's definition cannot be read"
    }
    if let fault = Self.fault(scenario) { return "the scenario: \(fault)" }
    // Sums must not overflow, wherever they are made.
    let steps = counterexample.schedule.steps
    let bound = 1 << 40
    guard steps.count <= 1 << 22, steps.allSatisfy({ (0...bound).contains($0.instructions) }),
      steps.reduce(0, { min($0 + $1.instructions, 2 * bound) }) <= bound
    else { return "the schedule is too long" }
    guard
      steps.allSatisfy({ step in
        (0..<scenario.cpus).contains(step.cpu)
          && step.raise.map(scenario.sources.indices.contains) ?? true
      })
    else { return "the schedule names a CPU or a source that the scenario has not" }
    guard
      triage.allSatisfy({ !$0.author.isEmpty && $0.duplicateOf == nil && $0.decision != .duplicate }
      )
    else { return "a decision has no author, or means another counterexample" }
    return nil
  }

  private static func fault(_ scenario: Scenario) -> String? {
    if !(1...64).contains(scenario.cpus) { return "\(scenario.cpus) CPUs" }
    if !(1 << 16...1 << 32).contains(scenario.memory) {
      return "\(scenario.memory) bytes of memory"
    }
    if scenario.start.hits < 1 || scenario.start.limit < 1 { return "no start" }
    if scenario.sources.contains(where: { source in
      source.line.map { !(0...15).contains($0) || $0 == 2 } ?? !source.nmi
    }) {
      return "a source without a line"
    }
    let counts = scenario.sources.map(\.arrivals) + [scenario.maxInterrupts]
    if counts.contains(where: { $0.map { $0 < 0 } ?? false }) { return "a negative bound" }
    if scenario.locks.contains(where: { lock in
      !(1...16).contains(lock.lockArgument)
        || !(lock.flagsArgument.map { (1...16).contains($0) } ?? true)
    }) {
      return "an argument's number"
    }
    if scenario.patches.contains(where: { $0.occurrence < 1 }) { return "a patch's occurrence" }
    let sizes = scenario.stacks.map(\.size) + scenario.ignore.map(\.size)
    if sizes.contains(where: { $0.map { !(1...1 << 32).contains($0) } ?? false }) {
      return "a size"
    }
    return nil
  }
}
