import Foundation
import Model

/// The scenarios that a command is to deal with, each with its image loaded and checked.
struct Plan {
  struct Item {
    var job: JobScenario
    var image: LoadedImage
    var scenario: Scenario { job.scenario }
  }

  var items: [Item] = []

  init(_ options: JobOptions) throws {
    for job in try Self.jobs(options) {
      var loaded: [String: LoadedImage] = [:]
      for scenario in job.scenarios {
        let name = scenario.scenario.image
        let disks = scenario.scenario.disks ?? []
        let key = ([name] + disks).joined(separator: "\0")
        let image = try loaded[key] ?? job.load(image: name, disks: disks)
        loaded[key] = image
        try scenario.check(against: image)
        var item = Item(job: scenario, image: image)
        for invariant in try image.markedInvariants()
        where !item.job.scenario.invariants.contains(invariant) {
          item.job.scenario.invariants.append(invariant)
        }
        items.append(item)
      }
    }
  }

  /// The jobs that are named, with only the scenarios that are chosen.
  static func jobs(_ options: JobOptions) throws -> [Job] {
    var jobs: [Job] =
      if let image = options.image {
        [Job.single(image: image, options)]
      } else if options.jobs.isEmpty {
        [try Job.reference()]
      } else {
        try options.jobs.map(Job.load)
      }
    try checkPatterns(options.scenario, jobs: jobs)
    for index in jobs.indices {
      jobs[index].scenarios.removeAll { !options.isChosen($0.scenario.name) }
    }
    return jobs
  }

  /// A pattern that fits nothing is a mistake, not an empty result.
  private static func checkPatterns(_ patterns: [String], jobs: [Job]) throws {
    let names = jobs.flatMap { $0.scenarios.map(\.scenario.name) }
    for pattern in patterns where !names.contains(where: { fnmatch(pattern, $0, 0) == 0 }) {
      let hint = Suggestion.hint(for: pattern, among: names)
      let list =
        "; there are: \(names.prefix(12).joined(separator: ", "))"
        + (names.count > 12 ? " and \(names.count - 12) more" : "")
      throw Failure("no scenario '\(pattern)'\(hint.isEmpty ? list : hint)")
    }
  }
}
