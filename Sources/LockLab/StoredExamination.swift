import Database
import Foundation
import KernelCore
import Model

/// What the store holds of a job's scenarios, in place of exploring them.
///
/// Of each scenario the result that was stored last is taken. It must be of the scenario as the job
/// defines it now, and of the build of its image that is at hand; where the image is not at hand, of
/// the build that was examined last. Whatever else is there leaves the scenario inconclusive.
struct StoredExamination {
  let store: Store
  /// Only these runs; nil: every one.
  let runs: [Int64]?
  let maxInterrupts: Int??

  /// The outcomes, in the order of the jobs, and the runs that they are of.
  func outcomes(_ jobs: [Job]) throws -> (outcomes: [Examination.Outcome], runs: [Int64]) {
    for run in runs ?? [] where !(try store.hasRun(run)) {
      throw Failure("there is no run \(run); `locklab query runs` lists them")
    }
    let found = try jobs.flatMap(outcomes)
    return (found.map(\.outcome), Set(found.compactMap(\.run)).sorted())
  }

  private func outcomes(_ job: Job) throws -> [(outcome: Examination.Outcome, run: Int64?)] {
    var builds: [String: String] = [:]
    var results: [(scenario: Scenario, last: StoredResult?)] = []
    for item in job.scenarios {
      let scenario = item.scenario.with(bound: maxInterrupts)
      results.append((scenario, try store.lastResult(of: scenario, runs: runs)))
    }
    for (name, source) in job.images {
      let newest = results.filter { $0.scenario.image == name }.compactMap(\.last)
        .max { $0.started < $1.started }
      builds[name] = try Self.digest(source, job.links[name]) ?? newest?.image.digest
    }
    return try zip(job.scenarios, results).map { item, found in
      let build = builds[found.scenario.image]
      var last = found.last
      if let other = last, other.image.digest != build {
        last = try store.lastResult(of: found.scenario, runs: runs, image: build)
        if last == nil {
          let outcome = Examination.Outcome(
            unexplored: item, scenario: found.scenario, image: other.image, .inconclusive,
            "The stored result is of another build of the image "
              + "(\(other.image.digest.prefix(12)), not \((build ?? "").prefix(12))).")
          return (outcome, nil)
        }
      }
      guard let last else {
        let outcome = Examination.Outcome(
          unexplored: item, scenario: found.scenario,
          image: ImageRecord(digest: "", arch: "unknown", size: 0, origin: ""), .inconclusive,
          "There is no stored result of this scenario as the job defines it: "
            + "has a shard not run, or not been merged?")
        return (outcome, nil)
      }
      return (Self.outcome(last, item), last.run)
    }
  }

  static func outcome(_ last: StoredResult, _ job: JobScenario) -> Examination.Outcome {
    var result = last.result
    result.sources = result.scenario.sourcesInWords
    result.bounds = result.scenario.boundsInWords(maxInterrupts: result.scenario.maxInterrupts)
    return Examination.Outcome(
      result: result, image: last.image,
      findings: last.counterexamples.map {
        .init(counterexample: $0.counterexample, id: $0.id, isNew: false)
      }, job: job)
  }

  /// The digest of the image that is at hand; nil: none is.
  private static func digest(
    _ source: ImageSource, _ request: LinkRequest?
  ) throws -> String? {
    switch source {
    case .builtin(let name): return KernelImages.image(named: name).map { Digest.sha256($0) }
    case .bytes(let bytes, _): return Digest.sha256(bytes)
    case .objects(let paths, _):
      // On a machine that only judges, the objects need not be.
      guard let request, paths.allSatisfy({ FileManager.default.fileExists(atPath: $0) }) else {
        return nil
      }
      return Digest.sha256(try Linker(request: request).link())
    case .file(let path):
      guard FileManager.default.fileExists(atPath: path) else { return nil }
      return Digest.sha256(try readFile(path, limit: 1 << 30))
    }
  }
}
