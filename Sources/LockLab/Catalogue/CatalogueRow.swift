import Model

/// A row of the catalogue: a mechanism, a rule or a lesson, and on which machines it exists.
struct CatalogueRow {
  enum Group: String, CaseIterable {
    case mechanisms = "Mechanisms and design choices"
    case rules = "Rules"
    case lessons = "What real kernels add"
  }

  static let architectures = ["i386", "x86-64"]

  var group: Group
  var name: String
  var summary: String
  var needsSeveralCPUs = false

  static let all: [CatalogueRow] =
    Mechanism.all.map { CatalogueRow(group: .mechanisms, name: $0.name, summary: $0.summary) }
    + RuleCatalogue.all.map {
      CatalogueRow(
        group: .rules, name: $0.name, summary: $0.summary,
        needsSeveralCPUs: ["data-race", "task-on-two-cpus"].contains($0.name))
    }
    + Lesson.all.map {
      CatalogueRow(
        group: .lessons, name: $0.name, summary: $0.summary, needsSeveralCPUs: $0.needsSeveralCPUs)
    }

  /// Why there is no such thing on a machine; nil: there is.
  func absence(on arch: String) -> String? {
    guard arch == "i386" else {
      return ["M15", "kernel-with-user-segments"].contains(name)
        ? "64-bit code does not use the bases and limits of DS and ES" : nil
    }
    switch name {
    case "M14", "kernel-with-user-gs": return "i386 has no SWAPGS"
    case "M23", "red-zone-clobbered": return "the i386 ABI has no red zone"
    case "M24", "M25", "M26", "M28", "M29": return "i386 has no interrupt stack table"
    case "M31", "M32": return "i386 has no SYSCALL"
    case "kernel-on-user-stack": return "each entry from ring 3 changes the stack"
    default: return nil
    }
  }

  /// Whether a scenario proves the right build of this, or shows a wrong one.
  func isCovered(by scenario: Scenario) -> Bool {
    switch scenario.expect {
    case .clean: scenario.covers.contains(name)
    // A rule is shown by what breaks it, not by what is said of the scenario.
    case .violated(let rules):
      group == .rules ? rules.contains(name) : scenario.covers.contains(name)
    }
  }
}

extension Plan {
  /// What is missing: rows that exist on a machine and have no clean scenario there, or no wrong build.
  ///
  /// What cannot be shown on one CPU may be shown on one of the machines; it is not missed where no scenario has
  /// several.
  func lacks() -> [String] {
    let hasSeveralCPUs = items.contains { $0.scenario.cpus > 1 }
    return CatalogueRow.all.flatMap { row -> [String] in
      if row.needsSeveralCPUs && !hasSeveralCPUs { return [] }
      let covering = items.filter { row.isCovered(by: $0.scenario) }
      let machines =
        row.needsSeveralCPUs ? [nil] : CatalogueRow.architectures.map(Optional.some)
      return machines.flatMap { arch -> [String] in
        if let arch, row.absence(on: arch) != nil { return [] }
        let here = covering.filter { arch == nil || $0.image.record.arch == arch }
        let place = arch.map { " on \($0)" } ?? ""
        return [(true, "clean scenario"), (false, "wrong build")].compactMap { isClean, what in
          here.contains { ($0.scenario.expect == .clean) == isClean }
            ? nil : "\(row.name): no \(what)\(place)"
        }
      }
    }
  }
}
