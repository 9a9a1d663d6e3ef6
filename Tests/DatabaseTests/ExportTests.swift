import Database
import Foundation
import Model
import Testing

@Suite struct ExportTests {
  let folder: Folder
  let store: Store
  private let bytes = Array("an image".utf8)

  init() throws {
    folder = try Folder()
    store = try Store(path: folder.path(), access: .write)
    let run = try store.beginRun(version: "0", command: "check")
    let image = ImageRecord(
      digest: Digest.sha256(bytes), arch: "i386", size: bytes.count, origin: "file:/home/a/k.elf")
    _ = try store.record(Sample.counterexample(), scenario: Sample.scenario, image: image, run: run)
    try store.decide(.confirmed, about: 1, author: "ada", reason: "seen")
  }

  private func exported() throws -> ExportFile {
    try ExportFile([try store.counterexample(1)], version: "0") { _ in bytes }
  }

  @Test func what_is_exported_is_there_again_elsewhere() throws {
    let text = try exported().text
    #expect(!text.contains("/home/a"))
    let file = try ExportFile(bytes: Array(text.utf8), path: "x")
    let other = try Store(path: folder.path("other.db"), access: .write)
    let (added, ids) = try other.take(file, digest: "d", version: "0", command: "import x")
    #expect(ids == [1])
    #expect(added.counterexamples == 1 && added.occurrences == 1 && added.decisions == 1)
    let stored = try other.counterexample(1)
    #expect(stored.counterexample == Sample.counterexample())
    #expect(stored.scenario == Sample.scenario && stored.personStatus == "confirmed")
    #expect(stored.machineStatus == "new" && stored.image.origin == "imported:k.elf")
    #expect(try other.imageContent(stored.image.digest) == bytes)
    let before = try Store.dump(other.path)
    #expect(try other.take(file, digest: "d", version: "0", command: "import x").added.isNothing)
    #expect(try Store.dump(other.path) == before)
  }

  @Test func an_old_sighting_from_elsewhere_is_no_comeback() throws {
    let file = try exported()
    try store.recordObservation(counterexample: 1, status: .gone, run: nil, reason: "Fixed.")
    let added = try store.take(file, digest: "d", version: "0", command: "import x").added
    #expect(added.counterexamples == 0 && added.decisions == 0 && added.observations == 0)
    #expect(try store.counterexample(1).machineStatus == "gone")
  }

  /// The file, with one thing in it changed.
  private func changed(_ change: (inout ExportFile) -> Void) throws -> [UInt8] {
    var file = try exported()
    change(&file)
    return Array(try file.text.utf8)
  }

  @Test func a_hostile_file_gives_one_clear_error() throws {
    let good = try exported().text
    func scenario(_ change: (inout Scenario) -> Void) throws -> [UInt8] {
      var scenario = Sample.scenario
      change(&scenario)
      let text = String(decoding: try JSONEncoder().encode(scenario), as: UTF8.self)
      return try changed {
        $0.entries[0].scenario = text
        $0.entries[0].scenarioDigest = Digest.sha256(text)
      }
    }
    let files: [([UInt8], String)] = [
      ([], "it is not JSON"), (Array("GIF89a".utf8), "it is not JSON"),
      (Array("{}".utf8), "'locklabCounterexamples' is missing"),
      (Array("[1]".utf8), "of another type"),
      (Array(String(repeating: "[", count: 100_000).utf8), "it is not JSON"),
      (Array(good.utf8.prefix(good.utf8.count / 2)), "it is not JSON"),
      (try changed { $0.locklabCounterexamples = 9 }, "of form 9"),
      (try changed { $0.entries = [] }, "no counterexample"),
      (try changed { $0.images = [] }, "its image is not in the file"),
      (try changed { $0.images[0].bytes.append(0) }, "do not have that digest"),
      (try changed { $0.entries[0].scenario += " " }, "does not have its digest"),
      (try changed { $0.entries[0].fingerprint = "0" }, "its fingerprint"),
      (try changed { $0.entries[0].counterexample.identity.rule = "deadlock" }, "its fingerprint"),
      (
        try changed {
          $0.entries[0].counterexample.schedule.steps = [
            .init(raise: nil, instructions: .max), .init(raise: nil, instructions: .max),
          ]
        }, "too long"
      ),
      (
        try changed { $0.entries[0].counterexample.schedule.steps[1].raise = 7 },
        "names a CPU or a source"
      ),
      (try changed { $0.entries[0].counterexample.schedule.steps[0].cpu = -1 }, "names a CPU"),
      (try changed { $0.entries[0].triage[0].author = "" }, "no author"),
      (try scenario { $0.memory = 1 << 60 }, "of memory"),
      (try scenario { $0.cpus = 0 }, "0 CPUs"), (try scenario { $0.start.hits = -1 }, "no start"),
      (try scenario { $0.sources[0].line = 77 }, "a source without a line"),
      (try scenario { $0.maxInterrupts = -1 }, "a negative bound"),
      (try scenario { $0.stacks = [StackLimit(symbol: "s", size: -4)] }, "a size"),
    ]
    for (bytes, why) in files {
      let error = #expect(throws: StoreError.self) {
        try ExportFile(bytes: bytes, path: "x.locklab")
      }
      let text = error?.description ?? ""
      #expect(text.hasPrefix("x.locklab: not a file of counterexamples that can be imported: "))
      #expect(text.contains(why), "\(text)")
    }
  }

  @Test func a_definition_of_an_earlier_version_is_read_with_defaults() throws {
    // Without the keys that an earlier LockLab did not know.
    let raw = try RawDatabase(folder.path())
    try raw.execute(
      """
      UPDATE scenario SET definition = json_remove(definition, '$.switches', '$.cpus', '$.memory',
        '$.start.limit', '$.sources[0].data')
      """)
    #expect(try store.counterexample(1).scenario == Sample.scenario)
  }
}
